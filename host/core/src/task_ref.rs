//! References to tasks: `SOURCE#EXPORT`.

use std::fmt;
use std::str::FromStr;

use crate::{ErrorKind, ParseSourceError, Source};

/// A reference to a task: `math.wasm#add-one`, or `math.wasm` if the component exports one function. Before the `#` is the
/// [`Source`] of the component.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskRef {
    /// The component.
    pub source: Source,
    /// The export, as written; `None` means the only one.
    pub export: Option<String>,
}

/// A text is not a reference to a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseTaskRefError {
    /// The text before the `#` is empty.
    #[error("`{0}` has no component before the `#`: expected FILE#EXPORT, such as math.wasm#add-one")]
    NoSource(String),
    /// The text after the `#` is empty.
    #[error(
        "`{0}` has no export after the `#`: expected FILE#EXPORT, or FILE alone if it exports one function"
    )]
    NoExport(String),
    /// The text before the `#` is not a source.
    #[error(transparent)]
    Source(#[from] ParseSourceError),
}

impl ParseTaskRefError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl TaskRef {
    /// The texts of the source and of the export: split at the last `#`, because an export path cannot contain one, and
    /// a file name may.
    ///
    /// # Errors
    ///
    /// [`ParseTaskRefError`] if one of them is empty.
    pub fn split(text: &str) -> Result<(&str, Option<&str>), ParseTaskRefError> {
        let (source, export) = match text.rsplit_once('#') {
            Some((source, export)) => (source, Some(export)),
            None => (text, None),
        };
        if source.is_empty() {
            return Err(ParseTaskRefError::NoSource(text.to_owned()));
        }
        if export == Some("") {
            return Err(ParseTaskRefError::NoExport(text.to_owned()));
        }
        Ok((source, export))
    }
}

impl FromStr for TaskRef {
    type Err = ParseTaskRefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (source, export) = Self::split(text)?;
        Ok(Self { source: source.parse()?, export: export.map(str::to_owned) })
    }
}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)?;
        self.export.as_ref().map_or(Ok(()), |export| write!(f, "#{export}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    #[test]
    fn a_reference_is_split_at_the_last_hash() {
        let check = |text: &str, path: &str, export: Option<&str>| {
            let expected = TaskRef { source: Source::File(path.into()), export: export.map(str::to_owned) };
            assert_eq!(expected.to_string(), text);
            assert_eq!(text.parse(), Ok(expected), "{text}");
        };
        check("math.wasm#add-one", "math.wasm", Some("add-one"));
        check("math.wasm", "math.wasm", None);
        check("dir #1/math.wasm#ops.add", "dir #1/math.wasm", Some("ops.add"));
        check("m.wasm#acme:math/ops@1.0.0.add", "m.wasm", Some("acme:math/ops@1.0.0.add"));
    }

    #[test]
    fn a_component_may_be_named_or_known_by_its_digest() {
        let check = |text: String, source: Source| {
            let expected = TaskRef { source, export: Some("add".to_owned()) };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        };
        let digest = Digest::of(b"");
        for registered in ["math@1.0.0", &digest.to_string()] {
            check(format!("{registered}#add"), Source::Registered(registered.parse().unwrap()));
        }
    }

    #[test]
    fn a_half_reference_is_refused() {
        for text in ["", "#add", "math.wasm#", "sha256:1#add", "math@#add"] {
            assert!(text.parse::<TaskRef>().is_err(), "{text}");
        }
    }
}
