//! Causality against questions that somebody else answered: the version graphs of diamond-types.
//!
//! Every version becomes an event of some replica with the vector of its past, and every question
//! is then put to `VersionVector` alone; nothing here walks the graph.

#![expect(
    clippy::unwrap_used,
    reason = "a question that cannot be read fails the test"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "so does a version that the graph does not have"
)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use anabranch::event::{Causality, EventId, ReplicaId, Seq, VersionVector};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
struct Span {
    span: (usize, usize),
    /// Parents of the first version; each later one has the version before it.
    parents: Vec<usize>,
}

#[derive(Deserialize)]
struct ContainsQuestion {
    hist: Vec<Span>,
    frontier: Vec<usize>,
    /// -1 is the start, before every version.
    target: i64,
    expected: bool,
}

#[derive(Deserialize)]
struct DiffQuestion {
    hist: Vec<Span>,
    a: Vec<usize>,
    b: Vec<usize>,
    expect_a: Vec<(usize, usize)>,
    expect_b: Vec<(usize, usize)>,
}

#[derive(Deserialize)]
struct ConflictingQuestion {
    hist: Vec<Span>,
    a: Vec<usize>,
    b: Vec<usize>,
    expect_spans: Vec<(Range<usize>, Side)>,
    expect_common: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Side {
    OnlyA,
    OnlyB,
    Shared,
}

/// The versions of one graph as events, each with what its writer had seen and itself.
struct Graph {
    ids: Vec<EventId>,
    seen: Vec<VersionVector>,
}

impl Graph {
    fn new(spans: &[Span]) -> Self {
        let mut graph = Self {
            ids: vec![],
            seen: vec![],
        };
        let mut replicas = 0;
        for Span {
            span: (start, end),
            parents,
        } in spans
        {
            assert_eq!(*start, graph.ids.len(), "spans follow one another");
            // A replica's events are a chain: a span goes on with a parent's replica if that parent
            // is the replica's last event so far, and otherwise starts a replica of its own.
            let last = |parent: &&usize| {
                let id = graph.ids[**parent];
                !graph
                    .ids
                    .iter()
                    .any(|other| other.replica == id.replica && other.seq > id.seq)
            };
            let mut id = if let Some(parent) = parents.iter().find(last) {
                next(graph.ids[*parent])
            } else {
                replicas += 1;
                EventId::new(ReplicaId::new(replicas, 0), Seq::FIRST)
            };
            let mut seen = graph.past(parents);
            for _ in *start..*end {
                seen.observe(id);
                graph.ids.push(id);
                graph.seen.push(seen.clone());
                id = next(id);
            }
        }
        graph
    }

    /// What a writer has seen whose newest events are these.
    fn past(&self, frontier: &[usize]) -> VersionVector {
        let mut past = VersionVector::new();
        for version in frontier {
            past.join(&self.seen[*version]);
        }
        past
    }

    fn versions_where(&self, holds: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..self.ids.len())
            .filter(|version| holds(*version))
            .collect()
    }
}

fn next(id: EventId) -> EventId {
    EventId::new(id.replica, id.seq.next().unwrap())
}

fn is_within(one: &VersionVector, other: &VersionVector) -> bool {
    matches!(one.compare(other), Causality::Before | Causality::Equal)
}

fn flat(spans: &[(usize, usize)]) -> Vec<usize> {
    let mut versions: Vec<_> = spans.iter().flat_map(|(start, end)| *start..*end).collect();
    versions.sort_unstable();
    versions
}

fn questions<T: DeserializeOwned>(kind: &str) -> Vec<T> {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the data lies is told by the environment"
    )]
    let data = std::env::var_os("ANABRANCH_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let path = data.join("causal-graph").join(kind).with_extension("jsonl");
    let lines = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "cannot read {}: {error}; set ANABRANCH_DATA to the data",
            path.display()
        )
    });
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn answer_contains(question: &ContainsQuestion) {
    let graph = Graph::new(&question.hist);
    let past = graph.past(&question.frontier);
    let (contained, within) = match usize::try_from(question.target) {
        Ok(target) => (
            past.contains(graph.ids[target]),
            is_within(&graph.seen[target], &past),
        ),
        Err(_) => (true, is_within(&VersionVector::new(), &past)),
    };
    assert_eq!(
        contained, question.expected,
        "{:?} {}",
        question.frontier, question.target
    );
    assert_eq!(
        within, question.expected,
        "an event is seen with its whole past, or not at all"
    );
}

fn answer_diff(question: &DiffQuestion) {
    let graph = Graph::new(&question.hist);
    let (a, b) = (graph.past(&question.a), graph.past(&question.b));
    let only = |one: &VersionVector, other: &VersionVector| {
        graph.versions_where(|v| one.contains(graph.ids[v]) && !other.contains(graph.ids[v]))
    };
    assert_eq!(
        only(&a, &b),
        flat(&question.expect_a),
        "{:?} {:?}",
        question.a,
        question.b
    );
    assert_eq!(
        only(&b, &a),
        flat(&question.expect_b),
        "{:?} {:?}",
        question.a,
        question.b
    );
    let expected = match (question.expect_a.is_empty(), question.expect_b.is_empty()) {
        (true, true) => Causality::Equal,
        (true, false) => Causality::Before,
        (false, true) => Causality::After,
        (false, false) => Causality::Concurrent,
    };
    assert_eq!(a.compare(&b), expected);
}

/// What has to be replayed to merge `a` and `b`: everything that is not in the greatest common past
/// which all of the rest has seen.
fn answer_conflicting(question: &ConflictingQuestion) {
    let graph = Graph::new(&question.hist);
    let (a, b) = (graph.past(&question.a), graph.past(&question.b));
    let in_a = |version: usize| a.contains(graph.ids[version]);
    let in_b = |version: usize| b.contains(graph.ids[version]);
    let mut common = graph.versions_where(|version| in_a(version) && in_b(version));
    let sides = loop {
        let rest = graph.versions_where(|version| {
            (in_a(version) || in_b(version)) && !common.contains(&version)
        });
        let seen_by_all = |version: &usize| {
            rest.iter()
                .all(|later| graph.seen[*later].contains(graph.ids[*version]))
        };
        let smaller: Vec<_> = common.iter().copied().filter(seen_by_all).collect();
        if smaller.len() == common.len() {
            break rest
                .into_iter()
                .map(|version| match (in_a(version), in_b(version)) {
                    (true, true) => (version, Side::Shared),
                    (true, false) => (version, Side::OnlyA),
                    _ => (version, Side::OnlyB),
                });
        }
        common = smaller;
    };
    let expected: BTreeMap<_, _> = question
        .expect_spans
        .iter()
        .flat_map(|(span, side)| span.clone().map(|version| (version, *side)))
        .collect();
    assert_eq!(
        sides.collect::<BTreeMap<_, _>>(),
        expected,
        "{:?} {:?}",
        question.a,
        question.b
    );
    let is_head = |version: &usize| {
        !common
            .iter()
            .any(|other| graph.seen[*version].compare(&graph.seen[*other]) == Causality::Before)
    };
    let heads: Vec<_> = common.iter().copied().filter(is_head).collect();
    assert_eq!(
        heads, question.expect_common,
        "{:?} {:?}",
        question.a, question.b
    );
}

#[test]
#[ignore = "needs the causal-graph data at ANABRANCH_DATA or ../shared/data"]
fn version_vectors_answer_all_101_questions_about_version_graphs() {
    let contains: Vec<ContainsQuestion> = questions("version_contains");
    contains.iter().for_each(answer_contains);
    let diff: Vec<DiffQuestion> = questions("diff");
    diff.iter().for_each(answer_diff);
    let conflicting: Vec<ConflictingQuestion> = questions("conflicting");
    conflicting.iter().for_each(answer_conflicting);
    let answered = (contains.len(), diff.len(), conflicting.len());
    println!("answered {answered:?} questions: contains, diff, conflicting");
    assert_eq!(answered, (61, 14, 26));
}
