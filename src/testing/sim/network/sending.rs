use bytes::Bytes;

use super::telling::told;
use super::{Carried, Seen};
use crate::engine::{Input, LinkId};
use crate::protocol::{CloseCode, decode_frame_with};
use crate::testing::sim::faults::Fault;
use crate::testing::sim::world::{Happening, World};

impl World {
    /// Until when nothing gets from one replica to another.
    pub(crate) fn held(&mut self, from: usize, to: usize) -> Option<u64> {
        let (until, first) = self.blockades.hold(from, to, self.now)?;
        if let Some(fault) = first {
            self.count(fault);
        }
        Some(until)
    }

    pub(crate) fn send(&mut self, link: LinkId, frame: Bytes) {
        self.note("frame", link.0, &frame);
        let Some(&(connection, from)) = self.links.get(&link) else {
            return;
        };
        let last = &mut self.last_batch;
        let (seen, carried) = self.connections[connection].sends(from, &frame, last);
        let names = &self.connections[connection].ends[from].names;
        self.trace.say(self.now, || {
            let message = decode_frame_with(&frame, &mut names.clone(), None);
            let message = message.map(|message| told(&message));
            format!("link {} says {}", link.0, message.unwrap_or_default())
        });
        let (sender, to) = (self.connections[connection].ends[from].node, 1 - from);
        self.check_sent(sender, &seen);
        let receiver = self.connections[connection].ends[to].node;
        if let Seen::Part(commit, index) = seen {
            self.check_parts(connection, 1 - to, commit, index);
        }
        self.strike_at_the_worst(connection, receiver, &seen);
        let held = self.held(sender, receiver);
        let spike = self.strikes(Fault::DelaySpike);
        self.count_if(spike, Fault::DelaySpike);
        let (frame, carried) = self.mangled(connection, frame, carried);
        let mut delay = match (self.healed, spike) {
            (true, _) => self.draws.between(1, 3),
            (_, true) => self.draws.log_uniform(200, 8_000),
            _ => self.draws.between(1, 30),
        };
        let slowness = self.connections[connection].slowness;
        if slowness > 0 && !self.healed {
            delay += frame.len() as u64 * slowness / 1024;
            self.count(Fault::SlowLink);
        }
        let from = self.now.max(held.unwrap_or_default());
        let connection_at = &mut self.connections[connection];
        let end = &mut connection_at.ends[to];
        end.busy_until = end.busy_until.max(from + delay);
        if !connection_at.cut {
            let time = end.busy_until;
            self.at(
                time,
                Happening::Frame {
                    connection,
                    to,
                    frame,
                    carried,
                },
            );
        }
    }

    /// Some moments are worse than others for a connection or a process to end.
    fn strike_at_the_worst(&mut self, connection: usize, receiver: usize, seen: &Seen) {
        let (is_part, is_refused) = (
            matches!(seen, Seen::Part(..)),
            matches!(seen, Seen::Refused),
        );
        if is_part && self.strikes_sometimes(Fault::LostLink) {
            let soon = self.draws.between(1, 60);
            self.after(soon, Happening::Break { connection });
        }
        if is_refused && self.strikes_sometimes(Fault::ProcessKill) {
            let (soon, opening) = (self.draws.between(1, 90), self.nodes[receiver].opening);
            self.after(
                soon,
                Happening::GiveUp {
                    node: receiver,
                    opening,
                },
            );
        }
    }

    fn strikes_sometimes(&mut self, fault: Fault) -> bool {
        !self.healed && self.plan.rate(fault) > 0 && self.draws.chance(40)
    }

    /// What becomes of a frame on its way.
    fn mangled(&mut self, connection: usize, frame: Bytes, carried: Carried) -> (Bytes, Carried) {
        let fault = if self.strikes(Fault::TruncatedFrame) {
            Fault::TruncatedFrame
        } else if self.strikes(Fault::CorruptFrame) {
            Fault::CorruptFrame
        } else {
            return (frame, carried);
        };
        self.connections[connection].mangled = true;
        self.count(fault);
        let at = self.draws.below(frame.len() as u64) as usize;
        if fault == Fault::TruncatedFrame {
            return (frame.slice(..at), Carried::Other);
        }
        let mut bytes = frame.to_vec();
        bytes[at] ^= 1 << self.draws.below(8);
        (bytes.into(), Carried::Other)
    }

    pub(crate) fn arrive(&mut self, connection: usize, to: usize, frame: Bytes, carried: Carried) {
        let at = &self.connections[connection];
        let (node, opening, link) = {
            let end = &at.ends[to];
            (end.node, end.opening, end.link)
        };
        if at.cut || !at.ends[to].open || self.nodes[node].opening != opening {
            return;
        }
        if let Carried::Batch(ids) = &carried {
            let is_known = ids.iter().any(|id| self.nodes[node].disk.has(*id));
            self.count_if(is_known, Fault::Duplicate);
        }
        self.trace.say(self.now, || {
            format!("link {} is given {} bytes", link.0, frame.len())
        });
        self.connections[connection].arrives(to, carried, frame.len());
        self.drive(node, Input::LinkFrame { link, frame });
    }

    pub(crate) fn close(&mut self, link: LinkId, code: CloseCode, reason: &str) {
        self.note("close", link.0, reason.as_bytes());
        let Some(&(connection, from)) = self.links.get(&link) else {
            return;
        };
        let at = &mut self.connections[connection];
        let mangled = at.mangled && code == CloseCode::PROTOCOL_VIOLATION;
        assert!(
            mangled || !BAD.contains(&code),
            "closed with {code}: {reason}"
        );
        at.ends[from].open = false;
        let (time, cut) = (at.ends[1 - from].busy_until.max(self.now) + 1, at.cut);
        if !cut {
            let (to, code) = (1 - from, Some(code));
            self.at(
                time,
                Happening::Closed {
                    connection,
                    to,
                    code,
                },
            );
        }
    }
}

/// What no replica of one system says to another.
const BAD: [CloseCode; 4] = [
    CloseCode::PROTOCOL_VIOLATION,
    CloseCode::SAME_REPLICA,
    CloseCode::TOO_BIG,
    CloseCode::LINEAGE_MISMATCH,
];
