//! One word for one idea, in code, in docs and in names of files.

use super::source::{Source, Violation, has_word};
use super::tree::{check, documents, expect_none, planted, rust_files};

/// Identifiers that name an idea which already has a name. `#[doc(alias)]` holds them as strings.
const SYNONYMS: [(&str, &str); 29] = [
    ("HLC", "HybridClock"),
    ("Hlc", "HybridClock"),
    ("hlc", "clock"),
    ("HybridLogicalClock", "HybridClock"),
    ("LamportClock", "HybridClock"),
    ("NTP64", "Timestamp"),
    ("VClock", "VersionVector"),
    ("vclock", "vector"),
    ("VectorClock", "VersionVector"),
    ("vector_clock", "vector"),
    ("NodeId", "ReplicaId"),
    ("node_id", "replica"),
    ("PeerId", "ReplicaId"),
    ("peer_id", "replica"),
    ("ActorId", "ReplicaId"),
    ("SiteId", "ReplicaId"),
    ("DocumentId", "AggregateId"),
    ("document_id", "aggregate"),
    ("doc_id", "aggregate"),
    ("EntityId", "AggregateId"),
    ("SequenceNumber", "Seq"),
    ("seqno", "seq"),
    ("seq_no", "seq"),
    ("MergeStrategy", "Resolver"),
    ("ConflictResolver", "Resolver"),
    ("Conflict", "Race"),
    ("Envelope", "Frame or Message"),
    (
        "Snapshot",
        "state or checkpoint; a snapshot is the compaction image",
    ),
    ("TransactionId", "EventId of the commit"),
];

/// Phrases that name such an idea in prose, and words that praise instead of telling.
const PHRASES: [(&str, &str); 17] = [
    ("HLC", "hybrid clock"),
    ("conflict resolver", "resolver"),
    ("merge strategy", "resolver"),
    ("merge strategies", "resolvers"),
    ("node id", "replica id"),
    ("peer id", "replica id"),
    ("actor id", "replica id"),
    ("document id", "aggregate id"),
    ("sequence number", "seq"),
    ("sequence numbers", "seqs"),
    ("blazing", "a number and its command"),
    ("blazingly", "a number and its command"),
    ("seamless", "what happens"),
    ("seamlessly", "what happens"),
    ("production-ready", "what was tested"),
    ("state-of-the-art", "a number and its command"),
    ("powerful", "what it does"),
];

const EMPTY_NAMES: [&str; 12] = [
    "core", "util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "v2",
    "shared", "base",
];
const EMPTY_SUFFIXES: [&str; 4] = ["Manager", "Helper", "Util", "Utils"];

/// Where other libraries are used: they have words of their own.
const OTHERS_WORDS: &str = "benches/peers/src/peers/";

fn synonyms(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    let own = !source.path.starts_with(OTHERS_WORDS);
    for token in source.tokens.iter().filter(|_| own) {
        if let Some((word, name)) = SYNONYMS.iter().find(|(word, _)| *word == token.text) {
            found.push(source.violation(token.line, format!("`{word}`: this crate says {name}")));
        }
    }
    for (line, text) in source.prose() {
        found.extend(phrases(&source.path, line, text));
    }
    found
}

fn phrases(path: &str, line: usize, text: &str) -> Vec<Violation> {
    let text = text.replace('`', "");
    let lower = text.to_lowercase();
    let said = PHRASES.iter().filter(|(phrase, _)| {
        if *phrase == "HLC" {
            has_word(&text, phrase)
        } else {
            has_word(&lower, phrase)
        }
    });
    said.map(|(phrase, name)| Violation {
        path: path.into(),
        line,
        what: format!("\"{phrase}\": say {name}"),
    })
    .collect()
}

fn empty_names(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    let parts = source.path.trim_end_matches(".rs").split('/');
    for part in parts.filter(|part| EMPTY_NAMES.contains(part)) {
        found.push(source.violation(1, format!("`{part}` says nothing: name the concept")));
    }
    for (index, token) in source.tokens.iter().enumerate() {
        let name = source.at(index + 1);
        let line = token.line;
        match token.text.as_str() {
            "mod" if EMPTY_NAMES.contains(&name) => {
                found.push(
                    source.violation(line, format!("`mod {name}` says nothing: name the concept")),
                );
            }
            "struct" | "enum" | "trait"
                if EMPTY_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) =>
            {
                found.push(source.violation(
                    line,
                    format!("`{name}`: say what it does, not that it does"),
                ));
            }
            "fn" if name.starts_with("get_") => {
                let bare = name.trim_start_matches("get_");
                found.push(source.violation(line, format!("`{name}`: call it `{bare}`")));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn one_word_stands_for_one_idea() {
    check(
        "synonyms appear only as `#[doc(alias)]`",
        rust_files(),
        synonyms,
    );
    for (path, text) in documents() {
        let said = text
            .lines()
            .enumerate()
            .flat_map(|(at, line)| phrases(&path, at + 1, line));
        expect_none(
            "synonyms appear only as `#[doc(alias)]`",
            &said.collect::<Vec<_>>(),
        );
    }
}

#[test]
fn a_synonym_is_found() {
    let text = "#[doc(alias = \"HLC\")]\nstruct A { node_id: u8 }\n/// The HLC of it.\n/// A Sequence `number`.\nfn f(a: VClock) {}";
    assert_eq!(planted("src/x.rs", text, synonyms), [2, 5, 3, 4]);
    assert_eq!(
        planted("benches/peers/src/peers/x.rs", text, synonyms),
        [3, 4]
    );
    assert_eq!(phrases("README.md", 7, "A blazing merge strategy").len(), 2);
}

#[test]
fn names_say_what_a_thing_is() {
    check("a name says what the thing is", rust_files(), empty_names);
}

#[test]
fn an_empty_name_is_found() {
    let text = "mod util;\nstruct PeerManager;\npub fn get_state() {}\nfn get() {}\nmod utility {}";
    assert_eq!(planted("src/x.rs", text, empty_names), [1, 2, 3]);
    assert_eq!(planted("src/common/x.rs", "", empty_names), [1]);
}
