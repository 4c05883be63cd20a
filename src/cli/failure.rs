use std::error::Error;
use std::io;
use std::process::ExitCode;

use anabranch::engine::Failure as EngineFailure;
use anabranch::event::EventError;
use anabranch::hub::HubError;
use anabranch::replica::{OpenError, ReadError, RecordError, SyncError, TailError};
use anabranch::resolver::RegistryError;
use anabranch::store::StoreError;

/// Which of the documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whoever read stdout has gone, which is their good right.
    Unread,
    Failed,
    Usage,
    Refused,
    Store,
    Unreachable,
    Faulty,
}

impl Kind {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Unread => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Store => 4,
            Self::Unreachable => 5,
            Self::Faulty => 6,
        }
    }
}

/// Why a command did not do what was asked: what failed, on what, and what to do next.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) what: String,
    pub(super) remedy: Option<String>,
    /// Whether a store is damaged.
    pub(super) is_damage: bool,
}

impl Failure {
    pub(super) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            remedy: None,
            is_damage: false,
        }
    }

    pub(super) fn usage(what: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what)
    }

    pub(super) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Says first what was being done.
    pub(super) fn during(mut self, what: &str) -> Self {
        self.what = format!("{what}: {}", self.what);
        self
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.number())
    }
}

/// An error with everything that it came from.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Kind::Unread, "nobody reads the output");
        }
        Self::new(Kind::Failed, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let failure = Self {
            is_damage: matches!(error, StoreError::Damaged { .. }),
            ..Self::new(Kind::Store, chain(&error))
        };
        match error {
            StoreError::Locked { .. } => failure.with_remedy(
                "wait for that process or stop it; to write while a watch runs, use `watch \
                 --record`; or work on the hub it is connected to with --hub",
            ),
            _ => failure,
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(store) => store.into(),
            other => Self::new(Kind::Failed, chain(&other)),
        }
    }
}

impl From<EngineFailure> for Failure {
    fn from(failure: EngineFailure) -> Self {
        let text = chain(&failure);
        match failure {
            EngineFailure::Rejected {
                aggregate, reason, ..
            } => Self::new(Kind::Refused, format!("{aggregate} refuses it: {reason}"))
                .with_remedy("nothing was written; look at the state and try another event"),
            EngineFailure::Unresolved { .. } => {
                Self::new(Kind::Failed, text).with_remedy("bind a rule with --rule TYPE=RULE")
            }
            EngineFailure::Store { .. } => Self::new(Kind::Store, text).with_remedy(
                "whether the event was written is unknown: look, before you repeat it",
            ),
            EngineFailure::OtherLineage { .. } => Self::new(Kind::Refused, text).with_remedy(
                "nothing was taken; name an empty directory with --data. Logs that were founded apart \
                 become one by a sync, if at most one of them has been shared before",
            ),
            EngineFailure::Event(_) | EngineFailure::Commit(_) => Self::usage(text),
            _ => Self::new(Kind::Failed, text),
        }
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Failed(failure) => failure.into(),
            other => Self::usage(chain(&other)),
        }
    }
}

impl From<EventError> for Failure {
    fn from(error: EventError) -> Self {
        Self::usage(chain(&error))
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Failed(failure) => failure.into(),
            ReadError::Name(name) => Self::usage(chain(&name)),
            other => Self::new(Kind::Failed, chain(&other)),
        }
    }
}

impl From<TailError> for Failure {
    fn from(error: TailError) -> Self {
        match error {
            TailError::Store(store) => store.into(),
            other => Self::usage(chain(&other)),
        }
    }
}

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        Self::new(Kind::Unreachable, chain(&error))
            .with_remedy("check that a hub runs there, for example with `anabranch serve`")
    }
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Self::new(Kind::Failed, chain(&error)).with_remedy("choose another --listen HOST:PORT")
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self::usage(chain(&error))
    }
}
