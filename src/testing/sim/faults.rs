use std::fmt;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident $text:literal,)*) => {
        /// Something that goes wrong in a simulated world.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Fault {
            /// All of them, by part of the system.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it is called in tables.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

faults! {
    /// A group takes long to reach the disk.
    SlowWrite "slow write",
    /// A read of the store takes long.
    SlowRead "slow read",
    /// An fsync fails, and the group is gone.
    WriteLost "failed fsync, group lost",
    /// An fsync fails, and the group is there all the same.
    WriteKept "failed fsync, group kept",
    /// The disk is full for a while: no group is taken.
    DiskFull "full disk",
    /// The power fails, and something that was not fsynced is gone.
    PowerLoss "power loss",
    /// The power fails, and of what was not fsynced some groups survive.
    TornTail "power loss, torn tail",
    /// The process is killed; what it wrote stays with the system.
    ProcessKill "process kill",
    /// A read of the store fails once.
    ReadError "read error",
    /// A bit of the store has flipped, which its checksum shows when it is read; the store is given up.
    BitFlip "bit flip found on read",
    /// An old copy of the store is put back.
    OldCopy "old copy restored",
    /// The store is gone, and a new one begins.
    WipedStore "wiped store",
    /// A copy of the store comes up elsewhere under the same name.
    Clone "cloned store",
    /// Two stores have written different things under one name.
    Fork "clone that writes",
    /// The process ends between a write and its answer.
    CrashBeforeAnswer "crash between write and answer",
    /// The process ends while it opens its store.
    CrashOnOpen "crash while opening",
    /// The process ends between two effects of one input.
    CrashBetweenEffects "crash between two effects",
    /// A connection breaks, and both ends are told.
    LostLink "lost connection",
    /// A connection breaks, and an end learns of it by silence only.
    HalfOpen "half-open connection",
    /// A frame takes long, and all behind it.
    DelaySpike "delay spike",
    /// A connection carries little at a time.
    SlowLink "slow connection",
    /// For a while nothing gets through from one replica to another.
    OneWayPartition "one-way partition",
    /// For a while nothing gets through between two groups.
    Partition "partition of groups",
    /// Two replicas have several connections, which overtake each other.
    SecondLink "reorder across connections",
    /// A commit comes a second time.
    Duplicate "duplicate delivery",
    /// A frame is cut short on its way.
    TruncatedFrame "truncated frame",
    /// A bit of a frame flips on its way.
    CorruptFrame "corrupted frame",
    /// Somebody does not answer the dialer.
    DialRefused "dial refused",
    /// A connection breaks again and again.
    FlappingLink "flapping connection",
    /// The hub, or whoever is in its place, cannot be reached for long.
    HubAway "hub away for long",
    /// A wall clock is some seconds off.
    ClockSkew "clock skew",
    /// A wall clock jumps ahead.
    ClockAhead "clock jumps ahead",
    /// A wall clock jumps back.
    ClockBack "clock jumps back",
    /// A wall clock stands still for a while.
    FrozenClock "frozen clock",
    /// A wall clock is too fast or too slow.
    DriftingClock "drifting clock",
    /// A wall clock is hours or years ahead.
    FarClock "clock years ahead",
    /// A process is paused while its inputs pile up.
    Pause "paused process",
    /// A process is stopped in an orderly way, and started again.
    Restart "restart",
    /// A replica runs another version of a rule for a while.
    OtherVersion "other version of a rule",
    /// A replica has no rules: it stores and forwards.
    NoRules "missing rules",
    /// A user writes on an old reading.
    OldBasis "write on an old reading",
    /// A commit is larger than a batch.
    LargeCommit "large commit",
    /// A subscriber reads so late that one change stands for many events.
    SlowWatcher "slow watcher",
    /// A subscriber goes on from its cursor after a restart.
    ResumedTail "tail resumed after a restart",
    /// A sync that is to happen once is cut short.
    CutSync "sync cut short",
    /// Commits of strangers come before their past.
    MissingPast "commit without its past",
    /// A payload is none that its rule can read.
    Garbage "garbage payload",
    /// A stranger's stamp is weeks ahead.
    WildStamp "wild stamp",
    /// An aggregate's type has no rule anywhere.
    UnknownType "unknown type",
    /// A stamp is refused by the first peer that sees it, and written again.
    Refusal "refused commit",
}

impl Fault {
    pub(crate) const COUNT: usize = Self::ALL.len();

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often each fault took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultCounts([u64; Fault::COUNT]);

impl FaultCounts {
    /// How often one of them did.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault.index()]
    }

    /// All of them, in the order of [`Fault::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Fault, u64)> + '_ {
        Fault::ALL.iter().map(|fault| (*fault, self.of(*fault)))
    }

    /// Those that never did.
    pub fn missing(&self) -> impl Iterator<Item = Fault> + '_ {
        self.iter()
            .filter(|(_, times)| *times == 0)
            .map(|(fault, _)| fault)
    }

    /// Adds what another run counted.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    pub(crate) fn count(&mut self, fault: Fault) {
        self.0[fault.index()] += 1;
    }
}

impl Default for FaultCounts {
    fn default() -> Self {
        Self([0; Fault::COUNT])
    }
}
