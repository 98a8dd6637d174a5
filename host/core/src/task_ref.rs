//! References to tasks: `SOURCE#EXPORT`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A reference to a task: `math.wasm#add-one`, or `math.wasm` if the component exports one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRef {
    /// The component's file.
    pub path: PathBuf,
    /// The export, as written; `None` means the only one.
    pub export: Option<String>,
}

/// The error for a text that is not a task reference.
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
}

impl FromStr for TaskRef {
    type Err = ParseTaskRefError;

    /// Splits at the last `#`: an export path cannot contain one, and a file name may.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, export) = match text.rsplit_once('#') {
            Some((path, export)) => (path, Some(export)),
            None => (text, None),
        };
        if path.is_empty() {
            return Err(ParseTaskRefError::NoSource(text.to_owned()));
        }
        if export == Some("") {
            return Err(ParseTaskRefError::NoExport(text.to_owned()));
        }
        Ok(Self { path: path.into(), export: export.map(str::to_owned) })
    }
}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.export.as_ref().map_or(Ok(()), |export| write!(f, "#{export}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_split_at_the_last_hash() {
        let check = |text: &str, path: &str, export: Option<&str>| {
            let expected = TaskRef { path: path.into(), export: export.map(str::to_owned) };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        };
        check("math.wasm#add-one", "math.wasm", Some("add-one"));
        check("math.wasm", "math.wasm", None);
        check("dir #1/math.wasm#ops.add", "dir #1/math.wasm", Some("ops.add"));
        check("m.wasm#acme:math/ops@1.0.0.add", "m.wasm", Some("acme:math/ops@1.0.0.add"));
    }

    #[test]
    fn a_half_reference_is_refused() {
        for text in ["", "#add", "math.wasm#"] {
            assert!(text.parse::<TaskRef>().is_err(), "{text}");
        }
    }
}
