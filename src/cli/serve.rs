use anabranch::hub::Hub;
use anabranch::hub::signals::{Ending, Signals};
use anabranch::transport::websocket::PATH;
use serde_json::json;

use super::arguments::Serve;
use super::failure::{Failure, Kind};
use super::output::Output;

/// Runs a hub until it is asked to stop.
pub(super) async fn run(arguments: &Serve, output: Output) -> Result<(), Failure> {
    let mut signals = Signals::install()?;
    let replica = arguments.directory.open().await?;
    let hub = Hub::builder(replica.clone())
        .bind(arguments.listen.as_str())
        .start()
        .await?;
    let mut upstream = Vec::new();
    for address in &arguments.connect {
        upstream.push(replica.connect(address)?);
    }
    let address = format!("ws://{}{PATH}", hub.local_addr());
    let json = json!({
        "kind": "listening",
        "address": address,
        "replica": replica.id().to_string(),
        "data": arguments.directory.data,
    });
    let data = super::text::escaped(&arguments.directory.data.display().to_string());
    output.tell(&json, &format!("listening at {address}, data in {data}"))?;
    match signals.serve(&hub).await? {
        Ending::Graceful => output.tell(&json!({ "kind": "stopped" }), "stopped"),
        Ending::Immediate => Err(Failure::new(
            Kind::Failed,
            "stopped at once by a second signal; what was acknowledged is safe",
        )),
    }
}
