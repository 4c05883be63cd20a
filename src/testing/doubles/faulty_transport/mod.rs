//! A transport around another, with faults where a script wants them.
//!
//! Wrap the end that dials with a [`FaultyTransport`], or an end that a listener accepted with
//! [`LinkFaults::wrap`]. Either keeps the promises of the conformance suite for everything that the
//! script leaves alone.
//!
//! It knows nothing of what frames mean.

mod link;
mod script;

use futures::FutureExt;
use futures::future::BoxFuture;

pub use self::script::{Direction, LinkFault, LinkFaults, Passed};
use crate::transport::{Link, Transport, TransportError};

/// A transport around another, with faults where its [script](LinkFaults) wants them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use anabranch::testing::doubles::{Direction, FaultyTransport, LinkFault, LinkFaults};
/// use anabranch::transport::in_process::InProcess;
/// use anabranch::{Draft, LastWriteWins, MemoryStore, Registry, Replica};
///
/// let rules = Registry::new().with_default(LastWriteWins);
/// let (network, faults) = (InProcess::new(), LinkFaults::new());
/// let hub = Replica::in_memory(rules.clone()).await?;
/// let mut listener = network.listen("hub")?;
/// let serving = hub.clone();
/// tokio::spawn(async move {
///     loop {
///         serving.accept(listener.accept().await).await;
///     }
/// });
///
/// let transport = FaultyTransport::new(network, faults.clone());
/// let builder = Replica::builder(MemoryStore::new()).registry(rules);
/// let phone = builder.transport(transport).open().await?;
/// phone.record(Draft::new("note/1", "written", "on the road")?).await?;
///
/// // The first connection breaks as soon as one frame has come.
/// faults.put(1, Direction::Incoming, 1, LinkFault::Cut);
/// assert!(phone.sync("mem://hub").await.is_err());
/// phone.sync("mem://hub").await?;
/// assert_eq!(hub.status().events, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FaultyTransport<T> {
    inner: T,
    faults: LinkFaults,
}

impl<T: Transport> FaultyTransport<T> {
    /// Puts a script around a transport.
    pub fn new(transport: T, faults: LinkFaults) -> Self {
        Self {
            inner: transport,
            faults,
        }
    }
}

impl<T: Transport> Transport for FaultyTransport<T> {
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Link, TransportError>> {
        async move {
            if self.faults.dial() {
                return Err(TransportError::Refused {
                    address: address.to_owned(),
                });
            }
            let link = self.inner.dial(address).await?;
            Ok(self.faults.wrap(link))
        }
        .boxed()
    }

    fn serves(&self, address: &str) -> bool {
        self.inner.serves(address)
    }
}
