//! Where a component is: in a file, under a name, or under its digest.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::{Digest, ErrorKind, ParseDigestError};

/// Where a component is.
///
/// A text is read by the first of these rules that fits:
///
/// 1. It begins with `sha256:`: it is a digest, and 64 hex digits must follow.
/// 2. It contains a `/` or `\`, begins with a `.`, or ends with `.wasm`, `.wat`, `.py` or `.js`: it is the path of a file.
/// 3. It is a name in lower case, such as `math` or `acme:math`, optionally followed by `@` and a version: it is named.
/// 4. Anything else is the path of a file.
///
/// So `./math` is a file, and `math` is a name.
///
/// ```
/// # use hostel_core::Source;
/// let named = Source::Named { name: "math".into(), version: Some("1.2.0".into()) };
/// assert_eq!("math@1.2.0".parse(), Ok(named));
/// assert_eq!("math.wasm".parse(), Ok(Source::File("math.wasm".into())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// A file, by its path.
    File(PathBuf),
    /// A registered name.
    Named {
        /// The name: words in lower case, with digits and hyphens, separated by `:`.
        name: String,
        /// The version; `None` for the newest.
        version: Option<String>,
    },
    /// The component with these bytes, wherever it is.
    Digest(Digest),
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
    #[error(
        "`{text}` has no version after the `@`: expected 1 to {MAX_VERSION_BYTES} letters, digits, dots, `+` or `-`, such as \
         1.2.0; a file of this name is `./{text}`"
    )]
    Version {
        /// The text.
        text: String,
    },
}

impl ParseSourceError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// The beginning of a digest.
const DIGEST_PREFIX: &str = "sha256:";

/// The ends of the names of files.
const FILE_ENDS: [&str; 4] = [".wasm", ".wat", ".py", ".js"];

/// The maximum length of a name, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// The maximum length of a version, in bytes.
const MAX_VERSION_BYTES: usize = 64;

impl FromStr for Source {
    type Err = ParseSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ParseSourceError::Empty);
        }
        if text.starts_with(DIGEST_PREFIX) {
            return Ok(Self::Digest(text.parse()?));
        }
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        if is_path(text) || !is_name(name) {
            return Ok(Self::File(text.into()));
        }
        if version.is_some_and(|version| !is_version(version)) {
            return Err(ParseSourceError::Version { text: text.to_owned() });
        }
        Ok(Self::Named { name: name.to_owned(), version: version.map(str::to_owned) })
    }
}

fn is_path(text: &str) -> bool {
    text.starts_with('.') || text.contains(['/', '\\']) || FILE_ENDS.iter().any(|end| text.ends_with(end))
}

fn is_name(text: &str) -> bool {
    let is_word = |word: &str| {
        let mut bytes = word.bytes();
        let is_rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        bytes.next().is_some_and(|first| first.is_ascii_lowercase()) && bytes.all(is_rest)
    };
    text.len() <= MAX_NAME_BYTES && text.split(':').all(is_word)
}

fn is_version(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".+-".contains(&byte);
    (1..=MAX_VERSION_BYTES).contains(&text.len()) && text.bytes().all(fits)
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
            Self::Named { name, version } => {
                f.write_str(name)?;
                version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
            }
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, version: Option<&str>) -> Source {
        Source::Named { name: name.to_owned(), version: version.map(str::to_owned) }
    }

    #[test]
    fn a_text_is_a_digest_a_file_or_a_name() {
        let check = |text: &str, expected: Source| {
            assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
            assert_eq!(expected.to_string().parse(), Ok(expected), "{text}");
        };
        let digest = Digest::of(b"");
        check(&digest.to_string(), Source::Digest(digest));
        let files =
            ["math.wasm", "a b.wat", "tool.py", "./math", "../math", "dir/math", "/math@1", "c:\\math"];
        for file in files.into_iter().chain(["Math", "my tool", "math@1.wasm", ".hidden", "1st", "a::b", "ä"])
        {
            check(file, Source::File(file.into()));
        }
        check("math", named("math", None));
        check("math@1.2.0-rc.1+b", named("math", Some("1.2.0-rc.1+b")));
        check("acme:math-2@1", named("acme:math-2", Some("1")));
        check(&"a".repeat(MAX_NAME_BYTES), named(&"a".repeat(MAX_NAME_BYTES), None));
        check(&"a".repeat(MAX_NAME_BYTES + 1), Source::File("a".repeat(MAX_NAME_BYTES + 1).into()));
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
        let expected = "expected 1 to 64 letters, digits, dots, `+` or `-`, such as 1.2.0";
        for text in ["math@", "math@1 2", "math@^1"] {
            let file = format!("a file of this name is `./{text}`");
            check(text, &format!("`{text}` has no version after the `@`: {expected}; {file}"));
        }
    }
}
