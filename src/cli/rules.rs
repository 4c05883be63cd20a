use std::str::FromStr;

use anabranch::resolver::{FieldMerge, LastWriteWins, Registry};

use super::arguments::Rules;
use super::failure::Failure;

/// The type that stands for all that have no rule of their own.
const OTHERS: &str = "*";

/// One `--rule TYPE=RULE`.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    aggregate_type: String,
    resolver: BuiltIn,
}

#[derive(Clone, Copy, Debug)]
enum BuiltIn {
    FieldMerge,
    LastWriteWins,
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (aggregate_type, rule) = text
            .split_once('=')
            .ok_or("write TYPE=RULE, for example setting=last-write-wins")?;
        let resolver = match rule {
            "field-merge" => BuiltIn::FieldMerge,
            "last-write-wins" => BuiltIn::LastWriteWins,
            _ => {
                return Err(format!(
                    "there is no rule {rule:?}: take field-merge or last-write-wins"
                ));
            }
        };
        let aggregate_type = aggregate_type.into();
        Ok(Self {
            aggregate_type,
            resolver,
        })
    }
}

impl Rules {
    /// The rules as a registry; field merge where nothing is said.
    pub(super) fn registry(&self) -> Result<Registry, Failure> {
        let mut registry = Registry::new().with_default(FieldMerge);
        for rule in &self.rules {
            let name = rule.aggregate_type.as_str();
            registry = match (name == OTHERS, rule.resolver) {
                (true, BuiltIn::FieldMerge) => registry.with_default(FieldMerge),
                (true, BuiltIn::LastWriteWins) => registry.with_default(LastWriteWins),
                (false, BuiltIn::FieldMerge) => registry.with(name, FieldMerge)?,
                (false, BuiltIn::LastWriteWins) => registry.with(name, LastWriteWins)?,
            };
        }
        Ok(registry)
    }
}
