use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use thiserror::Error;

use super::{ErasedResolver, Resolver};
use crate::event::{AggregateId, Digest, NameError};

/// Which aggregate types go to which resolver.
///
/// Immutable once it is in use; cloning shares it. An empty registry is valid: a hub stores and
/// forwards without any rules.
///
/// ```
/// use anabranch::resolver::{FieldMerge, LastWriteWins, Registry};
///
/// let registry = Registry::new().with("note", FieldMerge)?.with("setting", LastWriteWins)?;
/// assert!(registry.route(&"note/1".parse().unwrap()).is_some());
/// assert!(registry.route(&"cart/1".parse().unwrap()).is_none());
/// # Ok::<(), anabranch::resolver::RegistryError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Routes>);

#[derive(Clone, Debug, Default)]
struct Routes {
    /// In the order of types.
    by_type: Vec<(String, Route)>,
    default: Option<Route>,
}

impl Routes {
    /// Where a type is bound, or would be.
    fn place(&self, aggregate_type: &[u8]) -> Result<usize, usize> {
        self.by_type
            .binary_search_by(|(bound, _)| bound.as_bytes().cmp(aggregate_type))
    }
}

impl Registry {
    /// No rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds an aggregate type, the first segment of an aggregate's id, to a resolver.
    ///
    /// # Errors
    /// [`RegistryError`] when the type is bound already or is not a segment of an aggregate id.
    pub fn with(
        mut self,
        aggregate_type: &str,
        resolver: impl Resolver,
    ) -> Result<Self, RegistryError> {
        let name = aggregate_type.to_string();
        if name.contains('/') {
            return Err(RegistryError::SeveralSegments {
                aggregate_type: name,
            });
        }
        if let Err(source) = AggregateId::new(&format!("{name}/x")) {
            return Err(RegistryError::BadType {
                aggregate_type: name,
                source,
            });
        }
        let routes = Arc::make_mut(&mut self.0);
        let Err(place) = routes.place(name.as_bytes()) else {
            return Err(RegistryError::BoundTwice {
                aggregate_type: name,
            });
        };
        let bound = (name, Route::new(resolver));
        routes.by_type.insert(place, bound);
        Ok(self)
    }

    /// Binds every type that is not bound by name; a later call replaces an earlier one.
    #[must_use]
    pub fn with_default(mut self, resolver: impl Resolver) -> Self {
        Arc::make_mut(&mut self.0).default = Some(Route::new(resolver));
        self
    }

    /// The route of an aggregate, if its type has one. O(log n) in the number of types.
    pub fn route(&self, aggregate: &AggregateId) -> Option<&Route> {
        // As bytes, which need not be looked through first.
        let name = aggregate.as_bytes();
        let end = name.iter().position(|byte| *byte == b'/');
        let aggregate_type = name.get(..end.unwrap_or(name.len()))?;
        let place = self.0.place(aggregate_type).ok();
        let bound = place.and_then(|place| self.0.by_type.get(place));
        bound.map(|(_, route)| route).or(self.0.default.as_ref())
    }

    /// Each bound type with its route, in the order of names; the default comes first, without one.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, &Route)> {
        let bound = self
            .0
            .by_type
            .iter()
            .map(|(name, route)| (Some(name.as_str()), route));
        self.0
            .default
            .iter()
            .map(|route| (None, route))
            .chain(bound)
    }

    /// Whether no type has a route.
    pub fn is_empty(&self) -> bool {
        self.0.by_type.is_empty() && self.0.default.is_none()
    }

    /// One digest over all routes: two replicas whose digests agree fold every aggregate alike.
    pub fn fingerprint(&self) -> Digest {
        let mut bytes = Vec::new();
        for (name, route) in self.iter() {
            match name {
                Some(name) => put(name.as_bytes(), &mut bytes),
                None => put(b"", &mut bytes),
            }
            bytes.extend_from_slice(&route.fingerprint.to_bytes());
        }
        Digest::of(&bytes)
    }
}

/// Where the events of one aggregate type go.
#[derive(Clone)]
pub struct Route {
    resolver: Arc<dyn ErasedResolver>,
    fingerprint: Digest,
}

impl Route {
    /// A route to a resolver, outside any registry.
    pub fn new(resolver: impl Resolver) -> Self {
        let id = Resolver::id(&resolver);
        let mut bytes = Vec::new();
        put(id.name.as_bytes(), &mut bytes);
        bytes.extend_from_slice(&id.version.to_le_bytes());
        put(&resolver.configuration(), &mut bytes);
        Self {
            resolver: Arc::new(resolver),
            fingerprint: Digest::of(&bytes),
        }
    }

    /// The rule.
    pub fn resolver(&self) -> &Arc<dyn ErasedResolver> {
        &self.resolver
    }

    /// What stored states are kept under: the rule's name, version and configuration. The name of
    /// the aggregate type does not enter, as a fold is kept per aggregate anyway.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }
}

impl core::fmt::Debug for Route {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Route({})", self.resolver.id())
    }
}

/// A binding that a registry cannot take.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Which of two rules was meant cannot be told.
    #[error("aggregate type {aggregate_type:?} is bound twice")]
    BoundTwice {
        /// The type.
        aggregate_type: String,
    },
    /// Only the first segment of an aggregate id can be bound.
    #[error("aggregate type {aggregate_type:?} holds a slash, bind its first segment instead")]
    SeveralSegments {
        /// The type.
        aggregate_type: String,
    },
    /// No aggregate id could begin with it.
    #[error("aggregate type {aggregate_type:?} begins no aggregate id")]
    BadType {
        /// The type.
        aggregate_type: String,
        /// What an id would break.
        source: NameError,
    },
}

fn put(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::super::{FieldMerge, LastWriteWins};
    use super::*;

    fn id(text: &str) -> AggregateId {
        AggregateId::new(text).unwrap()
    }

    #[test]
    fn an_aggregate_goes_to_the_rule_of_its_first_segment_or_to_the_default() {
        let registry = Registry::new().with("a", LastWriteWins).unwrap();
        assert!(registry.route(&id("ab/1")).is_none());
        assert_eq!(
            format!("{:?}", registry.route(&id("a/b/1"))),
            "Some(Route(last-write-wins@2))"
        );
        let registry = registry.with_default(FieldMerge);
        assert_eq!(
            format!("{:?}", registry.route(&id("ab/1"))),
            "Some(Route(field-merge@1))"
        );
        assert_eq!(registry.iter().count(), 2);
    }

    #[test]
    fn of_many_types_each_goes_to_its_own_rule() {
        let types = ["b", "a", "ab", "c-1", "aa", "é", "z"];
        let bind = |registry: Registry, bound: &&str| registry.with(bound, LastWriteWins).unwrap();
        let registry = types.iter().fold(Registry::new(), bind);
        let bound: Vec<&str> = registry.iter().filter_map(|(name, _)| name).collect();
        assert_eq!(bound, ["a", "aa", "ab", "b", "c-1", "z", "é"]);
        for (name, route) in registry.iter() {
            let found = registry
                .route(&id(&format!("{}/1", name.unwrap())))
                .unwrap();
            assert!(core::ptr::eq(found, route));
        }
        for other in ["a/1", "abc/1", "A/1", "c/1", "zz/1"] {
            let is_bound = types.contains(&other.split_once('/').unwrap().0);
            assert_eq!(registry.route(&id(other)).is_some(), is_bound);
        }
    }

    #[test]
    fn a_type_is_bound_once_and_begins_an_id() {
        let registry = Registry::new().with("a", LastWriteWins).unwrap();
        let error = |name: &str| registry.clone().with(name, FieldMerge).unwrap_err();
        assert!(matches!(error("a"), RegistryError::BoundTwice { .. }));
        assert!(matches!(
            error("a/b"),
            RegistryError::SeveralSegments { .. }
        ));
        assert!(matches!(error(""), RegistryError::BadType { .. }));
        assert!(matches!(error("a\n"), RegistryError::BadType { .. }));
    }

    #[test]
    fn the_fingerprint_tells_rules_apart() {
        let one = Registry::new().with("a", LastWriteWins).unwrap();
        let other = Registry::new().with("a", FieldMerge).unwrap();
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert_ne!(one.fingerprint(), Registry::new().fingerprint());
        assert_eq!(
            Route::new(FieldMerge).fingerprint(),
            Route::new(FieldMerge).fingerprint()
        );
    }
}
