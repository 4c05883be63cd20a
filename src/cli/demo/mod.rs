//! The story a newcomer sees first: a hub and three replicas, each a process of its own.
//!
//! `story` is the plot, `actor` a process as the plot sees it, `process` the same process from
//! inside, `order` what goes between them, `ending` the table and the verdict. Invariant: nothing is
//! said that was not checked, and nothing waits by the clock, so each run has the same outcome.
//!
//! The demo knows the library only by its public handle, as any program would.

mod actor;
mod ending;
mod folder;
mod order;
pub(super) mod process;
mod rules;
mod story;

use anabranch::hub::signals::Signals;
use anabranch::replica::environment::{Environment, OperatingSystem};
use serde_json::{Value, json};

use self::folder::Folder;
use self::story::Story;
use super::arguments::Demo;
use super::failure::{Failure, Kind};
use super::output::Output;
use super::text::escaped;

/// Tells the story, shows its ending, and cleans up.
pub(super) async fn run(arguments: &Demo, output: Output) -> Result<(), Failure> {
    let system = OperatingSystem::new();
    let mut signals = Signals::install()?;
    let folder = Folder::create(&system, arguments.keep)?;
    let told = async {
        let mut story = Story::begin(folder.path(), system, output).await?;
        story.together().await?;
        story.apart().await?;
        story.crash().await?;
        story.together_again().await?;
        story.decision().await?;
        let ending = story.ending().await?;
        story.leave().await?;
        Ok::<_, Failure>(ending)
    };
    let ending = tokio::select! {
        ending = told => ending?,
        () = signals.next() => return Err(Failure::new(Kind::Failed, "the demo was interrupted")),
    };
    let elapsed_ms = system.now().mono_ms;
    if !output.is_json() {
        output.tell(&Value::Null, &ending.outcomes())?;
    }
    let explained = &ending.explained;
    let heading = format!("\nWhy? anabranch explain {}", story::PRICE);
    output.tell(&explained.told, &format!("{heading}\n\n{}", explained.text))?;
    output.tell(&ending.json(elapsed_ms), &ending.text(elapsed_ms))?;
    if arguments.keep {
        let kept = folder.path().display().to_string();
        let text = format!(
            "\nThe data are in {kept}: for example\n  anabranch tail note --data {kept}/hub",
            kept = escaped(&kept)
        );
        output.tell(&json!({ "kind": "kept", "folder": kept }), &text)?;
    }
    ending.verdict()
}
