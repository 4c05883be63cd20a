use std::str::FromStr;

use anabranch::resolver::{
    AddWinsSet, Counter, FieldMerge, FirstWriteWins, LastWriteWins, Manual, MultiValue, Registry,
    RegistryError, Resolver, Rules as FieldRules,
};

use super::arguments::Rules;
use super::failure::Failure;

/// The type that stands for all that have no rule of their own.
const OTHERS: &str = "*";

/// What the rules are called.
const NAMES: &str = "field-merge, last-write-wins, first-write-wins, counter, add-wins-set, \
                     multi-value, manual, or rules(FIELD=RULE,...), where a field's rule is \
                     last-write, first-write, counter, add-wins-set, keep-all or manual";

/// One `--rule TYPE=RULE`.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    aggregate_type: String,
    resolver: BuiltIn,
}

#[derive(Clone, Debug)]
enum BuiltIn {
    FieldMerge,
    LastWriteWins,
    FirstWriteWins,
    Counter,
    AddWinsSet,
    MultiValue,
    Manual,
    Rules(FieldRules),
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (aggregate_type, rule) = text
            .split_once('=')
            .ok_or("write TYPE=RULE, for example setting=last-write-wins")?;
        Ok(Self {
            aggregate_type: aggregate_type.into(),
            resolver: rule.parse()?,
        })
    }
}

impl FromStr for BuiltIn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields = text
            .strip_prefix("rules(")
            .and_then(|rest| rest.strip_suffix(')'));
        if let Some(fields) = fields {
            let rules = fields.parse::<FieldRules>();
            return rules.map(Self::Rules).map_err(|error| error.to_string());
        }
        Ok(match text {
            "field-merge" => Self::FieldMerge,
            "last-write-wins" => Self::LastWriteWins,
            "first-write-wins" => Self::FirstWriteWins,
            "counter" => Self::Counter,
            "add-wins-set" => Self::AddWinsSet,
            "multi-value" => Self::MultiValue,
            "manual" => Self::Manual,
            _ => return Err(format!("there is no rule {text:?}: take {NAMES}")),
        })
    }
}

impl Rules {
    /// The rules as a registry; field merge where nothing is said.
    pub(super) fn registry(&self) -> Result<Registry, Failure> {
        let mut registry = Registry::new().with_default(FieldMerge);
        for rule in &self.rules {
            registry = rule.bound(registry)?;
        }
        Ok(registry)
    }
}

impl Rule {
    fn bound(&self, registry: Registry) -> Result<Registry, RegistryError> {
        match &self.resolver {
            BuiltIn::FieldMerge => self.bind(registry, FieldMerge),
            BuiltIn::LastWriteWins => self.bind(registry, LastWriteWins),
            BuiltIn::FirstWriteWins => self.bind(registry, FirstWriteWins),
            BuiltIn::Counter => self.bind(registry, Counter),
            BuiltIn::AddWinsSet => self.bind(registry, AddWinsSet),
            BuiltIn::MultiValue => self.bind(registry, MultiValue),
            BuiltIn::Manual => self.bind(registry, Manual),
            BuiltIn::Rules(rules) => self.bind(registry, rules.clone()),
        }
    }

    fn bind(&self, registry: Registry, resolver: impl Resolver) -> Result<Registry, RegistryError> {
        match self.aggregate_type.as_str() {
            OTHERS => Ok(registry.with_default(resolver)),
            name => registry.with(name, resolver),
        }
    }
}
