//! The same through the engine of a replica: frames in, effects out, a store that answers at once.

use std::collections::VecDeque;
use std::sync::Arc;

use anabranch::clock::Now;
use anabranch::engine::{
    Birth, Effect, Engine, Filter, Input, LinkId, LinkOptions, Outside, Ticket, WatchId,
};
use anabranch::event::decode_commit;
use anabranch::limits::BATCH_EVENTS_MAX;
use anabranch::log::{Epoch, History};
use anabranch::merge::Unguarded;
use anabranch::protocol::{Direction, Lineage, Role};
use anabranch::resolver::Registry;
use anabranch::store::{self, EventStore, MemoryStore};
use bytes::Bytes;
use futures::FutureExt;

const OUTSIDE: Outside = Outside {
    now: Now {
        wall_ms: 1_800_000_000_000,
        mono_ms: 0,
    },
    entropy: 7,
};
const LINK: LinkId = LinkId(1);
/// Timelines stay in memory, whatever they take.
const CACHE_BYTES: usize = 4 << 30;

fn open(store: &MemoryStore, device: u64, registry: Registry) -> Engine {
    let epoch = Epoch::from_bits(device);
    let opening = store.begin(epoch).now_or_never().unwrap().unwrap();
    let birth = Birth {
        epoch,
        device,
        incarnation: device,
        lineage: Lineage::from_bits(7),
    };
    let guard = Arc::new(Unguarded);
    Engine::open(opening, &birth, registry, guard, CACHE_BYTES, OUTSIDE)
}

fn dial(engine: &mut Engine, role: Role) {
    let direction = Direction {
        push: role == Role::Listener,
        pull: role == Role::Dialer,
    };
    let options = LinkOptions {
        direction,
        batch_events: BATCH_EVENTS_MAX,
        once: false,
        address: None,
    };
    let link = LINK;
    engine.handle(
        OUTSIDE,
        Input::LinkOpened {
            link,
            role,
            options,
        },
    );
}

/// What a replica is sent that comes to a hub: every frame, in order.
///
/// With `at_once` the hub has everything before; otherwise it gets one commit after the other while
/// the replica is connected.
pub(crate) fn frames(commits: &[Vec<&[u8]>], at_once: bool) -> Vec<Bytes> {
    let (near, far) = (MemoryStore::new(), MemoryStore::new());
    let mut hub = Some(open(&far, 1, Registry::new()));
    let mut replica = open(&near, 2, Registry::new());
    let mut sent = Vec::new();
    let mut outside = OUTSIDE;
    let mut give = |hub: &mut Engine, replica: &mut Engine, first: Option<Input>| {
        let mut inputs: VecDeque<(bool, Input)> = first.into_iter().map(|i| (true, i)).collect();
        loop {
            while let Some((to_hub, input)) = inputs.pop_front() {
                let engine = if to_hub { &mut *hub } else { &mut *replica };
                engine.handle(outside, input);
            }
            while let Some(effect) = hub.poll_effect() {
                if let Effect::Send { frame, .. } = &effect {
                    sent.push(frame.clone());
                    let (link, frame) = (LINK, frame.clone());
                    inputs.push_back((false, Input::LinkFrame { link, frame }));
                } else {
                    inputs.extend(answer(&far, effect).map(|input| (true, input)));
                }
            }
            while let Some(effect) = replica.poll_effect() {
                if let Effect::Send { link, frame } = effect {
                    inputs.push_back((true, Input::LinkFrame { link, frame }));
                } else {
                    inputs.extend(answer(&near, effect).map(|input| (false, input)));
                }
            }
            if inputs.is_empty() {
                // What is gathered for a moment is sent in it; nothing else is due so soon.
                let due = hub.deadline();
                let Some(due) = due.filter(|due| *due <= outside.now.mono_ms + 1) else {
                    break;
                };
                outside.now.mono_ms = due.max(outside.now.mono_ms);
                inputs.push_back((true, Input::Tick));
            }
        }
    };
    let mut hub = hub.take().unwrap();
    if !at_once {
        dial(&mut hub, Role::Listener);
        dial(&mut replica, Role::Dialer);
        give(&mut hub, &mut replica, None);
    }
    for (number, batch) in commits.iter().enumerate() {
        let decoded = batch.iter().map(|bytes| decode_commit(bytes).unwrap());
        let input = Input::Ingest {
            ticket: Ticket(number.try_into().unwrap()),
            commits: decoded.collect(),
        };
        give(&mut hub, &mut replica, Some(input));
    }
    if at_once {
        dial(&mut hub, Role::Listener);
        dial(&mut replica, Role::Dialer);
        give(&mut hub, &mut replica, None);
    }
    sent
}

fn answer(store: &MemoryStore, effect: Effect) -> Option<Input> {
    store::answer(store, effect).now_or_never().unwrap()
}

/// A replica that is about to be sent those frames. Who watches keeps every aggregate in memory.
pub(crate) fn replica(registry: Registry, watches: bool) -> Engine {
    let mut engine = open(&MemoryStore::new(), 2, registry);
    if watches {
        let (watch, filter) = (WatchId(1), Filter::all());
        engine.handle(OUTSIDE, Input::Watch { watch, filter });
    }
    dial(&mut engine, Role::Dialer);
    engine
}

/// Hands a frame over and answers what it leads to: what is written is written, and the store holds
/// nothing else of an aggregate than what is being written.
#[inline(never)]
pub(crate) fn measured_handle(engine: &mut Engine, frame: Bytes) {
    engine.handle(OUTSIDE, Input::LinkFrame { link: LINK, frame });
    while let Some(effect) = engine.poll_effect() {
        let input = match effect {
            Effect::Write(_) => Input::Written,
            Effect::ReadHistory { request, .. } => Input::HistoryRead {
                request,
                result: Ok(History::default()),
            },
            Effect::Wake(watch) => {
                while let anabranch::engine::Watched::Change(_) = engine.next_change(watch) {}
                continue;
            }
            _ => continue,
        };
        engine.handle(OUTSIDE, input);
    }
}
