use crate::event::{Commit, Event};
use crate::protocol::{Hello, Message};

/// What a message says, in a line for readers of a trace.
pub(crate) fn told(message: &Message) -> String {
    match message {
        Message::Hello(hello) => told_hello(hello),
        Message::Batch(batch) => {
            let commits = batch.commits.iter().map(|sent| told_commit(&sent.commit));
            let commits: Vec<String> = commits.collect();
            format!("batch to {:?}: {}", batch.position, commits.join(", "))
        }
        Message::Part(part) => {
            let (commit, index, total) = (part.commit, part.index, part.total);
            format!("part {index} of {total} of {commit}")
        }
        Message::Ack { .. } | Message::Credit { .. } | Message::Refuse(_) => format!("{message:?}"),
        Message::Summary(summary) => {
            let tracks = summary.tracks.iter();
            let tracks = tracks.map(|track| format!("{}:{:?}", track.replica, track.ranges));
            format!("summary {}", tracks.collect::<Vec<_>>().join(", "))
        }
        other => other.kind().into(),
    }
}

fn told_hello(hello: &Hello) -> String {
    let own = hello.own.map(|(seq, _)| seq);
    let knows = hello.peers.iter().map(|peer| {
        let own = peer.own.map(|(seq, _)| seq);
        format!("{} to {own:?} at {:?}", peer.replica, peer.cursor)
    });
    let knows: Vec<String> = knows.collect();
    let (me, resumes) = (hello.replica, hello.resumes);
    format!("hello of {me} with {own:?}, resumes {resumes}, knows {knows:?}")
}

/// A commit with what each of its events names.
pub(crate) fn told_commit(commit: &Commit) -> String {
    let events = commit.events().iter().map(|event| {
        let heads = event.heads().iter().map(|head| head.id.to_string());
        let heads: Vec<String> = heads.collect();
        let replaced = Event::replaces(event).map(|id| format!(" for {id}"));
        format!(
            "{} on {}{}",
            event.aggregate(),
            heads.join("+"),
            replaced.unwrap_or_default()
        )
    });
    let events: Vec<String> = events.collect();
    format!(
        "{} at {} ({})",
        commit.id(),
        commit.timestamp(),
        events.join("; ")
    )
}
