//! What a rule shows of a record, field by field, whatever its rule is.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use anabranch::event::{AggregateId, cbor};
use anabranch::merge::{Aggregates, RaceQuery};
use anabranch::resolver::Key;
use serde_json::Value;

use crate::ancestry::Path;

/// Fields, each with the values that are shown, or several versions of the whole record.
pub(crate) struct Shown {
    fields: BTreeMap<Path, Vec<Value>>,
    versions: Vec<BTreeMap<Path, Value>>,
}

impl Shown {
    /// Reads the pieces that `explain` lists. In a set each element is a piece of its own, inside the
    /// field.
    pub(crate) fn of(
        aggregates: &mut Aggregates,
        record: &AggregateId,
        sets: bool,
    ) -> Result<Self, Box<dyn Error>> {
        let query = RaceQuery::default();
        let mut shown = Self {
            fields: BTreeMap::new(),
            versions: Vec::new(),
        };
        let explanation = aggregates.explain(record, &query)?;
        if explanation.more_pieces {
            return Err(format!("{record}: more pieces than can be listed").into());
        }
        for mut piece in explanation.pieces {
            if sets {
                piece.key.path.pop();
            }
            let value: Value = cbor::from_slice(&piece.value)?;
            if piece.key == Key::everything() {
                let mut version = BTreeMap::new();
                flatten(&mut Vec::new(), value, &mut version);
                shown.versions.push(version);
            } else {
                shown.fields.entry(piece.key.path).or_default().push(value);
            }
        }
        Ok(shown)
    }

    /// The distinct values that are shown at a path, at least one; null is absent.
    pub(crate) fn at(&self, path: &Path) -> Vec<Value> {
        let absent = || vec![Value::Null];
        if self.versions.is_empty() {
            return self.fields.get(path).cloned().unwrap_or_else(absent);
        }
        let mut values: Vec<Value> = Vec::new();
        for version in &self.versions {
            let value = version.get(path).cloned().unwrap_or_default();
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    /// Every path at which something is shown.
    pub(crate) fn paths(&self) -> BTreeSet<&Path> {
        let versions = self.versions.iter().flat_map(BTreeMap::keys);
        self.fields.keys().chain(versions).collect()
    }
}

/// Every value that is no map with something in it, at its path.
fn flatten(at: &mut Path, value: Value, into: &mut BTreeMap<Path, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                at.push(key);
                flatten(at, value, into);
                at.pop();
            }
        }
        Value::Null => {}
        value => {
            into.insert(at.clone(), value);
        }
    }
}
