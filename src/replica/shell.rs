use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use std::vec::Vec;

use futures::future::{BoxFuture, FutureExt, select};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};

use super::environment::Environment;
use super::inline::Inline;
use super::port::{Closed, Port};
use crate::engine::{
    Divergence, Effect, Engine, Failure, Filter, Input, LinkId, Outside, Reply, Ticket, WatchId,
};
use crate::limits::SENT_AT_ONCE_MAX;
use crate::log::Group;
use crate::store::{self, EventStore, written};
use crate::transport::Transport;

type Answer = oneshot::Sender<Result<Reply, Failure>>;

/// Carries out effects. Decides nothing.
pub(super) struct Shell {
    me: Weak<Self>,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) transports: Vec<Arc<dyn Transport>>,
    environment: Arc<dyn Environment>,
    runtime: Handle,
    core: Mutex<Core>,
    stored_end: watch::Sender<u64>,
    retime: Arc<Notify>,
    ids: AtomicU64,
    random: AtomicU64,
    closed: AtomicBool,
    pub(super) stopping: watch::Sender<bool>,
}

struct Core {
    engine: Engine,
    /// The deadline that is waited for.
    awaited: Option<u64>,
    tickets: BTreeMap<Ticket, Answer>,
    ports: BTreeMap<LinkId, Arc<Port>>,
    watches: BTreeMap<WatchId, Arc<Notify>>,
    link_changes: BTreeMap<LinkId, Arc<Notify>>,
}

impl Shell {
    pub(super) fn start(
        engine: Engine,
        store: Arc<dyn EventStore>,
        transports: Vec<Arc<dyn Transport>>,
        environment: Arc<dyn Environment>,
        runtime: &Handle,
    ) -> Arc<Self> {
        let stored_end = engine.stored_end();
        let random = environment.entropy();
        let retime = Arc::new(Notify::new());
        let shell = Arc::new_cyclic(|me| Self {
            me: me.clone(),
            store,
            transports,
            environment,
            runtime: runtime.clone(),
            core: Mutex::new(Core {
                engine,
                awaited: None,
                tickets: BTreeMap::new(),
                ports: BTreeMap::new(),
                watches: BTreeMap::new(),
                link_changes: BTreeMap::new(),
            }),
            stored_end: watch::Sender::new(stored_end),
            retime: retime.clone(),
            ids: AtomicU64::new(0),
            random: AtomicU64::new(random),
            closed: AtomicBool::new(false),
            stopping: watch::Sender::new(false),
        });
        runtime.spawn(keep_time(shell.me.clone(), retime));
        shell.with(|_| ());
        shell
    }

    /// Looks at the engine. Effects that this brings about are carried out.
    pub(super) fn with<R>(&self, look: impl FnOnce(&mut Engine) -> R) -> R {
        let mut core = self.lock();
        let result = look(&mut core.engine);
        let group = self.perform(&mut core, None);
        drop(core);
        if let Some(written) = group.and_then(|group| self.write(group)) {
            self.drive(written);
        }
        result
    }

    /// Gives the engine one input and carries out what it wants.
    pub(super) fn drive(&self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next {
            let outside = self.outside();
            let heard = match &input {
                Input::LinkFrame { link, .. } => Some(*link),
                _ => None,
            };
            let mut core = self.lock();
            core.engine.handle(outside, input);
            let group = self.perform(&mut core, heard);
            drop(core);
            next = group.and_then(|group| self.write(group));
        }
    }

    /// Hands a group to the store on this thread. Tells how that ended if the store answers at once;
    /// if not, the engine hears of it on the thread that the store answers on.
    fn write(&self, group: Group) -> Option<Input> {
        let store = self.store.clone();
        let append = async move { written(store.append(group).await) };
        let me = self.me.clone();
        let _runtime = self.runtime.enter();
        Inline::start(append.boxed(), move |written| {
            if let Some(shell) = me.upgrade() {
                shell.drive(written);
            }
        })
    }

    /// Gives the engine an input that is answered, and waits for the answer.
    pub(super) async fn ask(&self, input: impl FnOnce(Ticket) -> Input) -> Result<Reply, Failure> {
        if self.is_closed() {
            return Err(Failure::Closed);
        }
        self.ask_to_the_last(input).await
    }

    /// [`ask`](Self::ask) that is answered even while the replica is being closed.
    pub(super) async fn ask_to_the_last(
        &self,
        input: impl FnOnce(Ticket) -> Input,
    ) -> Result<Reply, Failure> {
        let ticket = Ticket(self.next_id());
        let (answer, answered) = oneshot::channel();
        self.lock().tickets.insert(ticket, answer);
        self.drive(input(ticket));
        answered.await.unwrap_or(Err(Failure::Closed))
    }

    pub(super) fn outside(&self) -> Outside {
        Outside {
            now: self.environment.now(),
            entropy: self.random(),
        }
    }

    /// `SplitMix64` from a seed of the operating system: enough for ids and jitter.
    pub(super) fn random(&self) -> u64 {
        let state = self
            .random
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A wait of this length on the clock that the engine's deadlines are of.
    pub(super) fn pause(&self, length: Duration) -> BoxFuture<'static, ()> {
        let ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let until = self.environment.now().mono_ms.saturating_add(ms);
        self.environment.wait_until(until)
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn set_closed(&self) -> bool {
        self.closed.swap(true, Ordering::AcqRel)
    }

    pub(super) fn stored_end(&self) -> watch::Receiver<u64> {
        self.stored_end.subscribe()
    }

    pub(super) fn add_port(&self, port: Arc<Port>) -> LinkId {
        let link = LinkId(self.next_id());
        self.lock().ports.insert(link, port);
        link
    }

    pub(super) fn remove_port(&self, link: LinkId) {
        let mut core = self.lock();
        core.ports.remove(&link);
        core.link_changes.remove(&link);
    }

    /// Is notified whenever a connection's status changes.
    pub(super) fn link_changes(&self, link: LinkId) -> Arc<Notify> {
        self.lock().link_changes.entry(link).or_default().clone()
    }

    pub(super) fn add_watch(&self, filter: Filter) -> (WatchId, Arc<Notify>) {
        let watch = WatchId(self.next_id());
        let notify = Arc::new(Notify::new());
        self.lock().watches.insert(watch, notify.clone());
        self.drive(Input::Watch { watch, filter });
        (watch, notify)
    }

    pub(super) fn remove_watch(&self, watch: WatchId) {
        self.lock().watches.remove(&watch);
        self.drive(Input::Unwatch { watch });
    }

    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out everything but the writing of a group, which is returned: there is never more
    /// than one. What others wait for across the network goes first: the frames, but for those
    /// that answer the connection that is being heard. Who waits in this process is woken last.
    fn perform(&self, core: &mut Core, heard: Option<LinkId>) -> Option<Group> {
        let mut group = None;
        let mut sent = 0;
        let mut rest = Vec::new();
        while let Some(effect) = core.engine.poll_effect() {
            match effect {
                Effect::Write(next) => group = Some(next),
                Effect::Send { link, frame } => {
                    let Some(port) = core.ports.get(&link) else {
                        continue;
                    };
                    sent += 1;
                    if heard == Some(link) || sent > SENT_AT_ONCE_MAX {
                        port.send_soon(frame);
                    } else {
                        port.send_now(frame);
                    }
                }
                effect => rest.push(effect),
            }
        }
        for effect in rest {
            self.carry_out(core, effect);
        }
        // One that was put off is found out about when it would have been due.
        let deadline = core.engine.deadline();
        if deadline.is_some_and(|next| core.awaited.is_none_or(|awaited| next < awaited)) {
            core.awaited = deadline;
            self.retime.notify_one();
        }
        group
    }

    fn carry_out(&self, core: &mut Core, effect: Effect) {
        match effect {
            Effect::CloseLink {
                link,
                code,
                reason,
                report,
            } => {
                if let Some(port) = core.ports.get(&link) {
                    port.close(Closed {
                        code,
                        reason,
                        report: *report,
                    });
                }
            }
            Effect::Reply { ticket, reply } => {
                if let Some(answer) = core.tickets.remove(&ticket) {
                    drop(answer.send(reply));
                }
            }
            Effect::Wake(watch) => {
                if let Some(notify) = core.watches.get(&watch) {
                    notify.notify_one();
                }
            }
            Effect::Appended { end } => {
                // To look for somebody to be woken takes longer than the rest.
                self.stored_end.send_if_modified(|stored_end| {
                    *stored_end = end;
                    self.stored_end.receiver_count() > 0
                });
            }
            Effect::LinkChanged(link) => {
                if let Some(notify) = core.link_changes.get(&link) {
                    notify.notify_one();
                }
            }
            Effect::Diverged(found) => announce(&found),
            ask => self.ask_store(ask),
        }
    }

    /// Asks the store in a task of its own and hands the engine what it says.
    fn ask_store(&self, ask: Effect) {
        let (me, store) = (self.me.clone(), self.store.clone());
        self.runtime.spawn(async move {
            let answer = store::answer(&*store, ask).await;
            if let (Some(input), Some(shell)) = (answer, me.upgrade()) {
                shell.drive(input);
            }
        });
    }
}

/// Says what the audit has found, on the target `anabranch::audit`.
fn announce(found: &Divergence) {
    let test = found
        .evidence
        .as_ref()
        .map(|evidence| evidence.test.as_str());
    let (aggregate, resolver) = (&found.aggregate, &found.resolver);
    if found.is_healed {
        tracing::warn!(target: "anabranch::audit", %aggregate, %resolver, test, "{found}");
    } else {
        tracing::error!(target: "anabranch::audit", %aggregate, %resolver, test, "{found}");
    }
}

/// Waits until a flag is up, or nobody can raise it any more.
pub(super) async fn told(flag: &mut watch::Receiver<bool>) {
    drop(flag.wait_for(|up| *up).await);
}

/// Tells the engine when its deadlines are due. Holds no handle while it waits, so it ends with the
/// last one.
async fn keep_time(shell: Weak<Shell>, retime: Arc<Notify>) {
    loop {
        let wait = {
            let Some(shell) = shell.upgrade() else { return };
            let deadline = shell.lock().engine.deadline();
            let now = shell.environment.now().mono_ms;
            if deadline.is_some_and(|deadline| deadline <= now) {
                shell.drive(Input::Tick);
            }
            let mut core = shell.lock();
            core.awaited = core.engine.deadline();
            core.awaited
                .map(|deadline| shell.environment.wait_until(deadline))
        };
        match wait {
            Some(wait) => drop(select(wait, pin!(retime.notified())).await),
            None => retime.notified().await,
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.retime.notify_one();
    }
}
