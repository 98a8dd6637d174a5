//! Grants of name look-up.

use std::fmt::{self, Display};
use std::str::FromStr;

use super::name::{NamePattern, parse_pattern};
use crate::ErrorKind;

/// Permits looking up a name, or all names below a domain, without connecting to the addresses.
///
/// As text: `example.org`, or `*.example.org` for every name below `example.org`, at any depth, but not for itself. The
/// guest receives the addresses that a name may lead to: see [`may_lead_to`](crate::may_lead_to).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookupGrant(NamePattern);

impl LookupGrant {
    /// Whether this name may be looked up.
    pub fn allows(&self, name: &str) -> bool {
        self.0.allows(name)
    }

    /// Whether it permits everything that the other permits.
    pub fn includes(&self, other: &Self) -> bool {
        self.0.includes(&other.0)
    }

    pub(super) const fn pattern(&self) -> &NamePattern {
        &self.0
    }
}

impl Display for LookupGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The error for a text that is not a name to look up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid name to look up `{text}`: {problem}")]
pub struct ParseLookupGrantError {
    text: String,
    problem: String,
}

impl ParseLookupGrantError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl FromStr for LookupGrant {
    type Err = ParseLookupGrantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pattern = parse_pattern(text);
        pattern.map(Self).map_err(|problem| ParseLookupGrantError { text: text.to_owned(), problem })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_allows_what_it_names_and_nothing_else() {
        let check = |text: &str, name: &str, expected: bool| {
            assert_eq!(text.parse::<LookupGrant>().unwrap().allows(name), expected, "{text}: {name}");
        };
        check("example.org", "example.org", true);
        check("Example.org", "EXAMPLE.org", true);
        check("example.org", "example.org.", false);
        check("example.org", "a.example.org", false);
        check("*.example.org", "b.a.example.org", true);
        check("*.example.org", "example.org", false);
        check("*.example.org", "xexample.org", false);
        check("localhost", "localhost", true);
        check("localhost", "127.0.0.1", false);
    }

    #[test]
    fn what_is_no_name_is_told() {
        let check = |text: &str, problem: &str| {
            let error = text.parse::<LookupGrant>().unwrap_err().to_string();
            assert_eq!(error, format!("invalid name to look up `{text}`: {problem}"));
        };
        check("", "the host is missing");
        check("*", "a `*` must be followed by a dot and a domain, as in *.example.org");
        check("127.0.0.1", "`127.0.0.1` is an address, not a name");
        check("example.org:80", "a host cannot contain ':'");
        check("[::1]", "a host cannot contain '['");
    }
}
