use alloc::boxed::Box;
use alloc::string::ToString;
use core::str::FromStr;

use super::{Rule, Rules, RulesError};

/// The field that stands for all that are given no rule.
const OTHERS: &str = "*";

/// Rules as they are written on a command line:
/// `price=last-write,tags=add-wins-set,lines.*.notes=keep-all,*=manual`.
///
/// Parts are parted by commas, and blanks around them do not count. `*` alone stands for all fields
/// that are given no rule. The rule is called `rules`, in version 1.
///
/// A field whose name holds a dot, a comma or is `*` cannot be written so; of names that hold an
/// equals sign, the last one counts.
impl FromStr for Rules {
    type Err = RulesError;

    fn from_str(text: &str) -> Result<Self, RulesError> {
        let mut rules = Self::new("rules", 1);
        let mut others = None;
        for part in text.split(',').map(str::trim) {
            let named = || part.to_string();
            let Some((field, rule)) = part.rsplit_once('=') else {
                return Err(RulesError::NotAssigned { part: named() });
            };
            let rule = Rule::from_name(rule.trim())
                .ok_or_else(|| RulesError::UnknownRule { part: named() })?;
            if field.trim() == OTHERS {
                if others.replace(rule).is_some() {
                    return Err(RulesError::OtherwiseTwice { part: named() });
                }
                continue;
            }
            rules = rules
                .field(field.trim(), rule)
                .map_err(|source| RulesError::Part {
                    part: named(),
                    source: Box::new(source),
                })?;
        }
        Ok(rules.otherwise(others.unwrap_or_default()))
    }
}
