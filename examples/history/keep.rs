//! The whole history in a data directory, for the command line to look at.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use anabranch::event::{AggregateId, Commit};
use anabranch::merge::{Contested, RaceQuery, WhichRaces};
use anabranch::replica::Replica;
use anabranch::resolver::{FieldMerge, Key, Registry, Verdict};

use crate::data::History;
use crate::in_memory::deliver;
use crate::races::{each_race, records};
use crate::{progress, progress_ends};

/// Commits handed over at a time.
const INGEST: usize = 256;

/// Stores every commit and says what to ask next.
pub(crate) fn run(history: &History, folder: &Path) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(store(history, folder))?;
    let folder = folder.display();
    println!(
        "The history is in {folder}: {} records.",
        history.told.records()
    );
    let (record, field) = most_contested(history)?;
    let (command, file) = (
        "cargo run --release --features cli --",
        record.aggregate_type(),
    );
    println!(
        "\nWhy is a value what it is? Of any record, for example of the most contested one:\n"
    );
    println!("  {command} explain {record} {field} --data {folder}");
    println!("  {command} explain {record} --data {folder}");
    println!("  {command} log {record} --data {folder}");
    println!("\nWhich records there are, and those of one file:\n");
    println!("  {command} state --data {folder}");
    println!("  {command} state {file} --data {folder}");
    Ok(())
}

async fn store(history: &History, folder: &Path) -> Result<(), Box<dyn Error>> {
    let registry = Registry::new().with_default(FieldMerge);
    let replica = Replica::open_fjall(folder, registry).await?;
    let commits: &[Commit] = &history.told.commits;
    for (done, chunk) in commits.chunks(INGEST).enumerate() {
        progress(&format!(
            "{:5} of {} commits stored",
            done * INGEST,
            commits.len()
        ));
        replica.ingest(chunk.to_vec()).await?;
    }
    progress_ends();
    replica.close().await?;
    Ok(())
}

/// The record with the most fields at which events that did not know of each other differ, and one of
/// these fields, with dots, that is still there.
fn most_contested(history: &History) -> Result<(AggregateId, String), Box<dyn Error>> {
    let mut aggregates = deliver(&history.told.commits, FieldMerge);
    let mut most: Option<(BTreeSet<Key>, AggregateId)> = None;
    for record in records(&aggregates) {
        let mut fields = BTreeSet::new();
        each_race(
            &mut aggregates,
            &record,
            WhichRaces::Changing,
            &mut |race| {
                let differ = |place: &&Contested| place.verdict != Verdict::Agree;
                let places = race.contested.iter().filter(differ);
                fields.extend(places.map(|place| Key::leaf(&place.key.path)));
            },
        )?;
        let best = most.as_ref().map_or(0, |(before, _)| before.len());
        if fields.len() <= best {
            continue;
        }
        let shown = aggregates.explain(&record, &RaceQuery::default())?.pieces;
        let shown: BTreeSet<Key> = shown.into_iter().map(|piece| piece.key).collect();
        fields.retain(|field| shown.contains(field));
        if fields.len() > best {
            most = Some((fields, record));
        }
    }
    let (fields, record) = most.ok_or("there are no records")?;
    let field = fields.first().ok_or("no field is contested")?;
    Ok((record, field.path.join(".")))
}
