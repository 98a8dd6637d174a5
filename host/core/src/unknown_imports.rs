//! How to treat a component with imports that the host does not provide.

use std::fmt::{self, Display};
use std::str::FromStr;

use crate::ErrorKind;

/// How to treat tasks of a component with imports that the host does not provide. As text: `refuse` or `trap`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnknownImports {
    /// Runs are refused.
    #[default]
    Refuse,
    /// Runs execute, and a guest that calls such an import traps. For components that never call these imports.
    Trap,
}

/// The error for an invalid text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: expected `refuse` or `trap`")]
pub struct ParseUnknownImportsError {
    text: String,
}

impl ParseUnknownImportsError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl FromStr for UnknownImports {
    type Err = ParseUnknownImportsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "trap" => Ok(Self::Trap),
            _ => Err(ParseUnknownImportsError { text: text.to_owned() }),
        }
    }
}

impl Display for UnknownImports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refuse => "refuse",
            Self::Trap => "trap",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_and_written() {
        for choice in [UnknownImports::Refuse, UnknownImports::Trap] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        let error = "Trap".parse::<UnknownImports>().unwrap_err();
        assert_eq!(error.to_string(), "`Trap`: expected `refuse` or `trap`");
    }
}
