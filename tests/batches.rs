//! Commits that are handed over together, against the same commits one by one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::indexing_slicing,
    reason = "so does an index that is not there"
)]

use anabranch::engine::Failure;
use anabranch::event::{
    Chain, Commit, CommitSpan, Event, EventId, EventParts, Head, Heads, Metadata, Payload,
    ReplicaId, Seq, Timestamp,
};
use anabranch::log::{Entry, ReadLimit};
use anabranch::store::{EventStore, MemoryStore};
use anabranch::{LastWriteWins, Registry, Replica};
use proptest::prelude::*;

const WRITERS: usize = 3;

/// Commits of some writers, of which some follow those of others; behind them other commits under the
/// same ids, as a clone might have written them.
fn pool(steps: &[(usize, usize, usize)]) -> Vec<Commit> {
    let mut ends = [(0u64, Chain::START); WRITERS];
    let mut latest: [Option<Head>; WRITERS] = [None; WRITERS];
    let (mut commits, mut others) = (Vec::new(), Vec::new());
    for (number, (writer, len, follows)) in (1_000..).zip(steps) {
        let (last, chain) = ends[*writer];
        let mut named: Vec<Head> = latest[*writer].iter().copied().collect();
        named.extend(latest[*follows].filter(|_| follows != writer));
        let replica = ReplicaId::new(9, u64::try_from(*writer).unwrap());
        let commit = |text: u8| {
            let first = Seq::new(last + 1).unwrap();
            let span = CommitSpan::new(first, *len).unwrap();
            let event = |seq| {
                let event = Event::assemble(EventParts {
                    id: EventId::new(replica, Seq::new(seq).unwrap()),
                    commit: span,
                    timestamp: Timestamp::at_millis(number),
                    written_ms: 1,
                    aggregate: format!("note/{seq}").parse().unwrap(),
                    event_type: "written".parse().unwrap(),
                    heads: Heads::new(named.clone()).unwrap(),
                    replaces: None,
                    metadata: Metadata::new(),
                    payload: Payload::from_bytes(vec![text].into()).unwrap(),
                });
                event.unwrap()
            };
            Commit::new((first.get()..=span.last().get()).map(event).collect()).unwrap()
        };
        let (one, other) = (commit(1), commit(2));
        let chain = one.chain_after(chain);
        let (id, tag) = (one.events().last().unwrap().id(), chain.tag());
        ends[*writer] = (id.seq.get(), chain);
        latest[*writer] = Some(Head { id, tag });
        commits.push(one);
        others.push(other);
    }
    commits.extend(others);
    commits
}

/// What becomes of commits that come in such batches: events taken, duplicates, the fork that ended it,
/// and the log.
async fn ingest<'a>(
    batches: impl Iterator<Item = &'a [Commit]>,
) -> (u64, u64, Option<EventId>, Vec<(u64, Entry)>) {
    let store = MemoryStore::new();
    let registry = Registry::new().with_default(LastWriteWins);
    let builder = Replica::builder(store.clone()).registry(registry);
    let replica = builder.open().await.unwrap();
    let (mut taken, mut duplicates, mut forked) = (0, 0, None);
    for batch in batches {
        match replica.ingest(batch.to_vec()).await {
            Ok(ingested) => {
                taken += ingested.accepted;
                duplicates += ingested.duplicates;
            }
            Err(Failure::Forked { commit }) => {
                forked = Some(commit);
                break;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    let limit = ReadLimit {
        entries: usize::MAX,
        bytes: usize::MAX,
    };
    let log = store.since(0, limit).await.unwrap().entries;
    (taken, duplicates, forked, log)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_batch_comes_to_what_its_commits_come_to_one_by_one(
        steps in prop::collection::vec((0..WRITERS, 1usize..4, 0..WRITERS), 1..12),
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0u8..40), 1..30),
        straight in any::<bool>(),
    ) {
        let pool = pool(&steps);
        let mut commits = Vec::new();
        if straight {
            commits.extend_from_slice(&pool[..steps.len()]);
        }
        for (pick, kind) in picks {
            // Few of them are of the other branch.
            let from = if kind == 0 { pool.len() } else { steps.len() };
            let at = if kind == 1 { commits.len() } else { pick.index(commits.len() + 1) };
            commits.insert(at, pool[pick.index(from)].clone());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (all, each) = runtime.block_on(async {
            let all = ingest(core::iter::once(commits.as_slice())).await;
            (all, ingest(commits.chunks(1)).await)
        });
        prop_assert_eq!(&all.3, &each.3);
        prop_assert_eq!(all.2, each.2);
        if all.2.is_none() {
            prop_assert_eq!((all.0, all.1), (each.0, each.1));
        }
    }
}
