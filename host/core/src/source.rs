//! Where a component is: in a file, or in a registry.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::{ComponentRef, ComponentRefError, ComponentVersionError, ErrorKind, ParseDigestError};

/// Where a component is.
///
/// A text is read by the first of these rules that fits:
///
/// 1. It begins with `sha256:`: it is a digest, and 64 hex digits must follow.
/// 2. It contains a `/` or `\`, or begins with a `.`: it is the path of a file.
/// 3. It is a [`ComponentName`](crate::ComponentName), which has no ending of a file such as `.wasm`, optionally followed by `@` and a version: it
///    is registered.
/// 4. Anything else is the path of a file.
///
/// So `./math` and `math.wasm` are files, and `math` is a name.
///
/// ```
/// # use hostel_core::Source;
/// assert_eq!("math@1.2.0".parse(), Ok(Source::Registered("math@1.2.0".parse()?)));
/// assert_eq!("math.wasm".parse(), Ok(Source::File("math.wasm".into())));
/// # Ok::<(), hostel_core::ComponentRefError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// A file, by its path.
    File(PathBuf),
    /// A registered component, by its name or its digest.
    Registered(ComponentRef),
}

/// A text is not the source of a component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseSourceError {
    /// The text is empty.
    #[error("the component is missing: expected a file, a name or a digest")]
    Empty,
    /// A digest is incomplete.
    #[error(transparent)]
    Digest(#[from] ParseDigestError),
    /// There is no valid version after the `@` of a name.
    #[error("{error}; a file of this name is `./{text}`")]
    Version {
        /// The text.
        text: String,
        /// What is wrong with the version.
        error: ComponentVersionError,
    },
}

impl ParseSourceError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl FromStr for Source {
    type Err = ParseSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ParseSourceError::Empty);
        }
        if text.starts_with('.') || text.contains(['/', '\\']) {
            return Ok(Self::File(text.into()));
        }
        match text.parse() {
            Ok(registered) => Ok(Self::Registered(registered)),
            Err(ComponentRefError::Digest(error)) => Err(error.into()),
            Err(ComponentRefError::Version(error)) => {
                Err(ParseSourceError::Version { text: text.to_owned(), error })
            }
            Err(ComponentRefError::Name(_)) => Ok(Self::File(text.into())),
        }
    }
}

impl fmt::Display for Source {
    /// Writes a text that is read as the same source, except for paths that are not UTF-8.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => {
                let text = path.to_string_lossy();
                let is_read_otherwise = !matches!(text.parse(), Ok(Self::File(_)));
                let here = if is_read_otherwise && !text.is_empty() { "./" } else { "" };
                write!(f, "{here}{text}")
            }
            Self::Registered(component) => component.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ComponentName, Digest};

    fn check(text: &str, expected: Source) {
        assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
        assert_eq!(expected.to_string().parse(), Ok(expected), "{text}");
    }

    #[test]
    fn a_text_is_a_file_or_registered() {
        let files =
            ["math.wasm", "a b.wat", "tool.py", "./math", "../math", "dir/math", "/math@1", "c:\\math"];
        for file in files.into_iter().chain(["Math", "my tool", ".hidden", "_a", "a:b", "ä", "Math@1"]) {
            check(file, Source::File(file.into()));
        }
        let long = "a".repeat(ComponentName::MAX_BYTES + 1);
        check(&long, Source::File(long.clone().into()));
        let digest = Digest::of(b"").to_string();
        for text in ["math", "acme.math-2", "1st", "math@1.2.0", "a@1.0.0-rc.1", "sha256", &digest] {
            check(text, Source::Registered(text.parse().unwrap()));
        }
    }

    #[test]
    fn a_file_with_the_name_of_something_else_is_written_as_a_path() {
        let text = Source::File("math@1.0.0".into()).to_string();
        assert_eq!((&*text, text.parse()), ("./math@1.0.0", Ok(Source::File("./math@1.0.0".into()))));
    }

    #[test]
    fn half_sources_are_refused() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<Source>().unwrap_err();
            assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Invalid));
        };
        check("", "the component is missing: expected a file, a name or a digest");
        check("sha256:12", "`sha256:12` is not a digest: expected `sha256:` and 64 hex digits");
        for version in ["", "1", "1.2.0.wasm"] {
            let expected = "expected three numbers and perhaps a prerelease, such as 1.2.3 or 2.0.0-rc.1";
            let file = format!("a file of this name is `./math@{version}`");
            check(&format!("math@{version}"), &format!("invalid version {version:?}: {expected}; {file}"));
        }
    }
}
