//! Grants of environment variables, with their values.

use std::fmt::{self, Debug, Display};
use std::str::FromStr;

use crate::{Digest, ErrorKind};

/// Replaces a value, which may be a secret.
const HIDDEN: char = '…';

/// Gives a task an environment variable.
///
/// As text: `NAME=VALUE`; the value may be empty, and contain any character except NUL. `Display` and `Debug` write only the
/// name, `NAME=…`, to keep secrets out of logs and records.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnvGrant {
    name: Box<str>,
    value: Box<str>,
}

impl EnvGrant {
    /// Gives the variable `name` this value.
    ///
    /// # Errors
    ///
    /// [`ParseEnvGrantError`] if the name or the value is invalid.
    pub fn new(name: &str, value: &str) -> Result<Self, ParseEnvGrantError> {
        let problem = match name {
            "" => Some("the name is missing"),
            name if name.contains('=') => Some("a name cannot contain `=`"),
            name if name.contains('\0') => Some("a name cannot contain NUL"),
            _ if value.contains('\0') => Some("a value cannot contain NUL"),
            _ => None,
        };
        match problem {
            Some(problem) => Err(ParseEnvGrantError { name: name.to_owned(), problem }),
            None => Ok(Self { name: name.into(), value: value.into() }),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether it permits everything that the other permits: both are the same variable with the same value.
    pub fn includes(&self, other: &Self) -> bool {
        self == other
    }

    /// The text for the cache key. The digest comes first, because it contains no spaces, and a name may.
    pub(super) fn fact(&self) -> String {
        format!("env {} {}", Digest::of(self.value.as_bytes()), self.name)
    }
}

impl Display for EnvGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={HIDDEN}", self.name)
    }
}

impl Debug for EnvGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// The error for a text that is not an environment variable. It does not repeat the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid environment variable `{name}`: {problem}; expected NAME=VALUE")]
pub struct ParseEnvGrantError {
    name: String,
    problem: &'static str,
}

impl ParseEnvGrantError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl FromStr for EnvGrant {
    type Err = ParseEnvGrantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(ParseEnvGrantError { name: text.to_owned(), problem: "the value is missing" });
        };
        Self::new(name, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_read_and_its_value_is_not_written() {
        let check = |text: &str, name: &str, value: &str| {
            let grant: EnvGrant = text.parse().unwrap();
            assert_eq!((grant.name(), grant.value()), (name, value));
            assert_eq!([grant.to_string(), format!("{grant:?}")], [format!("{name}=…"), format!("{name}=…")]);
        };
        check("A=b", "A", "b");
        check("A=", "A", "");
        check("A=b=c", "A", "b=c");
        check("two words=a\nb", "two words", "a\nb");
    }

    #[test]
    fn what_is_no_variable_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<EnvGrant>().unwrap_err().to_string();
            assert_eq!(error, format!("{expected}; expected NAME=VALUE"));
        };
        check("", "invalid environment variable ``: the value is missing");
        check("A", "invalid environment variable `A`: the value is missing");
        check("=secret", "invalid environment variable ``: the name is missing");
        check("A\0=secret", "invalid environment variable `A\0`: a name cannot contain NUL");
        check("A=sec\0ret", "invalid environment variable `A`: a value cannot contain NUL");
        assert!(EnvGrant::new("A=B", "c").is_err());
    }

    #[test]
    fn two_variables_never_give_one_fact() {
        let fact = |name: &str, value: &str| EnvGrant::new(name, value).unwrap().fact();
        assert_eq!(
            fact("A", ""),
            "env sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 A"
        );
        assert_ne!(fact("A", "b"), fact("A", "c"));
        assert_ne!(fact("A", "b"), fact("B", "b"));
    }
}
