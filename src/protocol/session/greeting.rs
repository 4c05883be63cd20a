//! The hellos: who is there, which log this is, and from where each direction goes on.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::assembly::{self, Assembly};
use super::incoming::{Cursors, VOID};
use super::outbox::{Ending, Outcome};
use super::{Phase, Session, summary};
use crate::event::{Chain, Seq};
use crate::limits::{DEFERRED_BYTES_MAX, HELLO_PEERS_MAX};
use crate::log::Cursor;
use crate::protocol::{
    CloseCode, Codecs, Compression, Direction, Greeting, Hello, HelloPeer, Local, Message, Output,
    Role, Standing, Versions,
};

/// What is needed until the session is open, and not after.
#[derive(Debug)]
pub(super) struct Opening {
    local: Local,
    hello: Option<Hello>,
    deferred: Vec<Bytes>,
    deferred_bytes: usize,
}

/// From where each direction goes on, as both hellos together say.
struct Resumption {
    /// The peer's cursor into this log.
    push: Option<Cursor>,
    /// Whether the peer goes on from this end's cursor.
    pull: bool,
    /// The peer counts on its cursor being honoured, and it is not.
    disappoints: bool,
}

impl Opening {
    pub(super) fn new(local: Local) -> Self {
        Self {
            local,
            hello: None,
            deferred: Vec::new(),
            deferred_bytes: 0,
        }
    }
}

impl Session {
    /// A dialer's hello names everyone it may be talking to.
    pub(super) fn say_hello_to_anyone(&mut self, clock_ms: u64) -> Outcome {
        let Some(opening) = &self.opening else {
            return Ok(());
        };
        let listed = opening.local.peers.iter().take(HELLO_PEERS_MAX);
        let peers = listed
            .map(|peer| HelloPeer {
                replica: peer.replica,
                cursor: Some(peer.cursor),
                own: peer.own,
            })
            .collect();
        let hello = self.hello(opening, clock_ms, false, peers);
        self.out.send(&Message::Hello(hello)).map(|_| ())
    }

    pub(super) fn on_hello(&mut self, hello: Hello) -> Outcome {
        let Some(opening) = &mut self.opening else {
            return Ok(());
        };
        let local = &opening.local;
        if Versions::SPOKEN.common(hello.versions).is_none() {
            let (ours, theirs) = (Versions::SPOKEN, hello.versions);
            return Err(Ending::new(
                CloseCode::UNSUPPORTED_VERSION,
                format!(
                    "this end speaks protocol versions {} to {}, the peer {} to {}: upgrade the older one",
                    ours.min, ours.max, theirs.min, theirs.max
                ),
            ));
        }
        if hello.replica == local.replica {
            return Err(Ending::new(
                CloseCode::SAME_REPLICA,
                format!(
                    "both ends are replica {}: one store was copied, or this is a connection to itself; let the copy take a new incarnation",
                    local.replica
                ),
            ));
        }
        let (mine, theirs) = (local.lineage, hello.lineage);
        let Some(lineage) = mine.joined(local.lineage_shared, theirs, hello.lineage_shared) else {
            return Err(Ending::new(
                CloseCode::LINEAGE_MISMATCH,
                format!(
                    "this log has lineage {mine}, the peer's {theirs}, and both are shared: connect to a replica of the same log, or start with an empty store"
                ),
            ));
        };
        let me = local.replica;
        let knows_of_us = hello.peers.iter().find(|peer| peer.replica == me);
        let direction = agreed(self.outgoing.options.direction, hello.direction);
        self.out.push(Output::Greeted(Greeting {
            replica: hello.replica,
            own: hello.own,
            knows_of_us: knows_of_us.and_then(|peer| peer.own),
            clock_ms: hello.clock_ms,
            lineage,
            direction,
        }));
        self.peer = Some(hello.replica);
        self.peer_clock_ms = Some(hello.clock_ms);
        self.outgoing.peer = hello.replica;
        self.outgoing.active = direction.push;
        self.incoming.active = direction.pull;
        self.incoming.epoch = hello.epoch;
        let undone = |own: &Arc<dyn Compression>| hello.codecs.contains(own.codec());
        self.out.compression = self.compression.clone().filter(undone);
        self.phase = Phase::Greeted;
        self.pulse.greeted();
        opening.hello = Some(hello);
        Ok(())
    }

    /// A listener may stream right after its hello, before this end's owner has answered.
    pub(super) fn defer(&mut self, frame: Bytes) -> Outcome {
        let Some(opening) = &mut self.opening else {
            return Ok(());
        };
        opening.deferred_bytes = opening.deferred_bytes.saturating_add(frame.len() + 64);
        if opening.deferred_bytes > DEFERRED_BYTES_MAX {
            return Err(Ending::new(
                CloseCode::TOO_BIG,
                "too much was sent right after the hello",
            ));
        }
        opening.deferred.push(frame);
        Ok(())
    }

    /// Opens the session, now that the owner has said what it knows of the peer.
    pub(super) fn on_greeted(&mut self, standing: &Standing, clock_ms: u64) -> Outcome {
        let Some(mut opening) = self.opening.take() else {
            return Ok(());
        };
        let Some(hello) = opening.hello.take() else {
            return Ok(());
        };
        let resumption = match self.role {
            Role::Listener => self.answer(&opening, &hello, standing, clock_ms)?,
            Role::Dialer => self.understand(&opening.local, &hello, standing)?,
        };
        self.phase = Phase::Open;
        let me = opening.local.replica;
        self.outgoing.staged = assembly::meant_for(me, hello.staged);
        let theirs = opening
            .local
            .staged
            .filter(|staged| staged.peer == hello.replica);
        self.incoming.resumed = theirs.map(Assembly::resumed).map(Box::new);
        if let Some(cursor) = resumption.push {
            self.outgoing
                .resume(cursor.position, self.is_two_way(), &mut self.out);
        }
        if resumption.disappoints {
            self.out.send(&Message::NeedSummary)?;
        }
        self.was_known = standing
            .peer
            .is_some_and(|peer| peer.replica == hello.replica);
        if self.incoming.active && !resumption.pull {
            self.go_by_summary();
            self.tell_summary(standing)?;
        }
        if !self.outgoing.active {
            self.out.push(Output::CaughtUp);
        }
        if !self.incoming.active {
            self.out.push(Output::PeerCaughtUp);
        }
        for frame in opening.deferred {
            self.on_frame(&frame)?;
        }
        Ok(())
    }

    /// Cursors of the peer lose their meaning until it has answered a summary.
    pub(super) fn go_by_summary(&mut self) {
        self.incoming.cursors = match (self.outgoing.active, self.was_known) {
            (true, _) => Cursors::WhenWhole { filling: false },
            (false, false) => Cursors::WhenFilled { filling: false },
            (false, true) => Cursors::Never { filling: false },
        };
    }

    pub(super) fn tell_summary(&mut self, standing: &Standing) -> Outcome {
        for piece in summary::pieces(&standing.received) {
            self.out.send(&Message::Summary(piece))?;
        }
        Ok(())
    }

    /// The listener decides and says so in its hello.
    fn answer(
        &mut self,
        opening: &Opening,
        hello: &Hello,
        standing: &Standing,
        clock_ms: u64,
    ) -> Result<Resumption, Ending> {
        let resumption = self.resumption(&opening.local, hello, standing, None);
        let known = standing.peer.filter(|peer| peer.replica == hello.replica);
        let own = standing
            .received
            .chain(hello.replica)
            .or(known.and_then(|peer| peer.own));
        let cursor = known.map(|peer| peer.cursor).filter(|_| resumption.pull);
        let peers = alloc::vec![HelloPeer {
            replica: hello.replica,
            cursor,
            own
        }];
        let mut answer = self.hello(opening, clock_ms, resumption.push.is_some(), peers);
        answer.staged = answer.staged.filter(|staged| staged.peer == hello.replica);
        self.out.send(&Message::Hello(answer))?;
        Ok(resumption)
    }

    /// The dialer takes the listener's hello as the decision, unless it cannot honour it.
    fn understand(
        &self,
        local: &Local,
        hello: &Hello,
        standing: &Standing,
    ) -> Result<Resumption, Ending> {
        let theirs = hello
            .peers
            .iter()
            .find(|peer| peer.replica == local.replica);
        let offered = theirs
            .and_then(|peer| peer.cursor)
            .filter(|_| self.outgoing.active);
        let listed = local.peers.iter().take(HELLO_PEERS_MAX);
        let was_listed = listed.clone().any(|peer| peer.replica == hello.replica);
        let agrees = !self.is_two_way() || hello.resumes == offered.is_some();
        if !agrees || (hello.resumes && !(was_listed && self.incoming.active)) {
            return Err(Ending::violation("hello contradicts itself"));
        }
        Ok(self.resumption(local, hello, standing, Some((offered, hello.resumes))))
    }

    /// `decided` is what the listener's hello says: its cursor and whether it honours this end's.
    fn resumption(
        &self,
        local: &Local,
        hello: &Hello,
        standing: &Standing,
        decided: Option<(Option<Cursor>, bool)>,
    ) -> Resumption {
        let me = hello
            .peers
            .iter()
            .find(|peer| peer.replica == local.replica);
        let mine = standing.peer.filter(|peer| peer.replica == hello.replica);
        let has_cursor = mine.is_some_and(|peer| peer.cursor != VOID);
        let (offered, mut pull) = decided.unwrap_or((
            me.and_then(|peer| peer.cursor),
            has_cursor && self.incoming.active,
        ));
        let known = standing
            .received
            .chain(hello.replica)
            .or(mine.and_then(|peer| peer.own));
        let lost_something =
            knows_more(known, hello.own) || knows_more(me.and_then(|peer| peer.own), local.own);
        let end = self.outgoing.end;
        let honoured = offered.filter(|_| self.outgoing.active);
        let mut push = honoured.filter(|cursor| local.epochs.honours(*cursor, end));
        if self.is_two_way() && (push.is_none() || !pull || lost_something) {
            push = None;
            pull = false;
        }
        let disappoints = decided.is_some() && offered.is_some() && push.is_none();
        Resumption {
            push,
            pull,
            disappoints,
        }
    }

    fn hello(
        &self,
        opening: &Opening,
        clock_ms: u64,
        resumes: bool,
        peers: Vec<HelloPeer>,
    ) -> Hello {
        let local = &opening.local;
        Hello {
            versions: Versions::SPOKEN,
            lineage: local.lineage,
            lineage_shared: local.lineage_shared,
            replica: local.replica,
            epoch: self.outgoing.epoch,
            own: local.own,
            clock_ms,
            direction: self.outgoing.options.direction,
            resumes,
            codecs: self
                .compression
                .as_ref()
                .map_or(Codecs::NONE, |own| own.codec()),
            peers,
            staged: local.staged.as_ref().and_then(assembly::announced),
        }
    }
}

/// Which way events flow when both ends' wishes are considered.
fn agreed(ours: Direction, theirs: Direction) -> Direction {
    Direction {
        push: ours.push && theirs.pull,
        pull: ours.pull && theirs.push,
    }
}

/// Whether somebody knows more of a replica's own events than the replica itself: it was restored
/// from an old copy, or cloned.
fn knows_more(known: Option<(Seq, Chain)>, own: Option<(Seq, Chain)>) -> bool {
    match (known, own) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some((known_seq, known_chain)), Some((seq, chain))) => {
            known_seq > seq || (known_seq == seq && known_chain != chain)
        }
    }
}
