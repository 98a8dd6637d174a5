//! What a token may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    /// See components, tasks, runs, schedules and limits, without the values and logs of runs.
    #[serde(rename = "read")]
    Read,
    /// See inputs, results and logs of runs.
    #[serde(rename = "read:values")]
    ReadValues,
    /// Submit and retry runs, and change schedules.
    #[serde(rename = "run")]
    Run,
    /// Add and remove components and names.
    #[serde(rename = "components")]
    Components,
    /// Cancel and remove runs, and mark them as seen.
    #[serde(rename = "cancel")]
    Cancel,
    /// Everything: also tokens, limits, pauses, grants, and removing cached results.
    #[serde(rename = "admin")]
    Admin,
}

/// The scopes of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scopes(Vec<Scope>);

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::ReadValues, Self::Run, Self::Components, Self::Cancel, Self::Admin];

    /// Its name, such as `read:values`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadValues => "read:values",
            Self::Run => "run",
            Self::Components => "components",
            Self::Cancel => "cancel",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope {text:?}: expected read, read:values, run, components, cancel or admin")]
pub struct ParseScopeError {
    text: String,
}

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, ParseScopeError> {
        let found = Self::ALL.into_iter().find(|scope| scope.name() == text);
        found.ok_or_else(|| ParseScopeError { text: text.chars().take(40).collect() })
    }
}

impl Scopes {
    /// These scopes.
    pub(crate) fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        let mut scopes: Vec<_> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }

    /// Whether they allow what needs this scope.
    pub(crate) fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }

    /// The scopes, in order.
    pub(crate) fn list(&self) -> &[Scope] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_has_one_text() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
            let json = serde_json::to_value(scope).unwrap();
            assert_eq!(json, scope.name());
        }
        let error = "write".parse::<Scope>().unwrap_err();
        assert!(error.to_string().starts_with("unknown scope \"write\": expected read"), "{error}");
    }

    #[test]
    fn an_admin_may_do_everything() {
        let admin = Scopes::new([Scope::Admin]);
        assert!(Scope::ALL.into_iter().all(|scope| admin.allow(scope)));
        let reader = Scopes::new([Scope::Read, Scope::Read]);
        assert_eq!(reader.list(), [Scope::Read]);
        assert!(reader.allow(Scope::Read) && !reader.allow(Scope::ReadValues));
    }
}
