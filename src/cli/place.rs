use std::path::Path;

use anabranch::engine::{Filter, SyncReport};
use anabranch::replica::{Connection, Replica};

use super::arguments::{Directory, Place};
use super::failure::{Failure, Kind};
use super::output::Output;
use super::progress::accompanied;

/// The data directory where none is named.
pub(super) const DEFAULT_DIRECTORY: &str = "anabranch-data";

/// A replica to work on, and the hub it exchanges with, if any.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) replica: Replica,
    pub(super) address: Option<String>,
    /// It keeps nothing itself: what counts is what the hub has.
    pub(super) on_hub: bool,
}

/// Reads an address; `host:port` alone is taken for a WebSocket's.
#[expect(
    clippy::unnecessary_wraps,
    reason = "clap wants a parser that may fail"
)]
pub(super) fn address(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(if text.contains("://") {
        text.into()
    } else {
        format!("ws://{text}")
    })
}

/// Which aggregates are meant; all if none is named.
pub(super) fn filter(prefixes: &[String]) -> Result<Filter, Failure> {
    Filter::under(prefixes.iter().map(String::as_str))
        .map_err(|error| Failure::usage(error.to_string()))
}

impl Directory {
    /// Opens the directory, founding it if there is none.
    pub(super) async fn open(&self) -> Result<Replica, Failure> {
        let registry = self.rules.registry()?;
        Ok(Replica::open_fjall(&self.data, registry).await?)
    }

    /// Opens the directory, which must be there: nothing is founded by looking.
    pub(super) async fn open_existing(&self) -> Result<Replica, Failure> {
        if !Path::new(&self.data).exists() {
            let what = format!("there is no data directory {}", self.data.display());
            return Err(Failure::new(Kind::Store, what)
                .with_remedy("name one with --data, or found it by recording or syncing"));
        }
        self.open().await
    }
}

impl Place {
    /// Opens what was named. `founding` says whether an absent directory is founded.
    ///
    /// With `--hub` everything the hub has is here when this returns.
    pub(super) async fn open(&self, founding: bool) -> Result<Opened, Failure> {
        if let Some(hub) = &self.hub {
            let replica = Replica::in_memory(self.directory.rules.registry()?).await?;
            accompanied(&replica, replica.sync(hub.as_str())).await?;
            return Ok(Opened {
                replica,
                address: Some(hub.clone()),
                on_hub: true,
            });
        }
        let replica = if founding || self.connect.is_some() {
            self.directory.open().await?
        } else {
            self.directory.open_existing().await?
        };
        Ok(Opened {
            replica,
            address: self.connect.clone(),
            on_hub: false,
        })
    }
}

impl Opened {
    /// Stays connected to the hub from now on, if there is one.
    pub(super) fn connect(&self) -> Result<Option<Connection>, Failure> {
        let connect = |address: &String| Ok(self.replica.connect(address)?);
        self.address.as_ref().map(connect).transpose()
    }

    /// Exchanges with the hub once, if there is one. Where the data are kept here, an absent hub is
    /// worth a note, no failure.
    pub(super) async fn exchange(&self, output: Output) -> Result<Option<SyncReport>, Failure> {
        let Some(address) = &self.address else {
            return Ok(None);
        };
        match accompanied(&self.replica, self.replica.sync(address.as_str())).await {
            Ok(report) => Ok(Some(report)),
            Err(error) if self.on_hub => Err(error.into()),
            Err(error) => {
                output.note(&format!("{error}; what is recorded here is sent next time"));
                Ok(None)
            }
        }
    }
}
