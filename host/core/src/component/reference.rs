//! References to registered components: by name, or by digest.

use std::fmt;
use std::str::FromStr;

use super::{ComponentName, ComponentNameError, ComponentVersion, ComponentVersionError};
use crate::{Digest, ErrorKind, ParseDigestError};

/// A registered component, as it is referred to: `acme.math`, `acme.math@1.2.0`, or `sha256:` and 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ComponentRef {
    /// A version of a name; the newest one that was accepted, if no version is given.
    Named {
        /// The name.
        name: ComponentName,
        /// The version.
        version: Option<ComponentVersion>,
    },
    /// The component with this digest, whatever its names are.
    Digest(Digest),
}

/// A text that refers to no registered component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentRefError {
    /// The name.
    #[error(transparent)]
    Name(#[from] ComponentNameError),
    /// The version behind the `@`.
    #[error(transparent)]
    Version(#[from] ComponentVersionError),
    /// The digest.
    #[error(transparent)]
    Digest(#[from] ParseDigestError),
}

impl ComponentRefError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl FromStr for ComponentRef {
    type Err = ComponentRefError;

    fn from_str(text: &str) -> Result<Self, ComponentRefError> {
        if text.starts_with("sha256:") {
            return Ok(Self::Digest(text.parse()?));
        }
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        Ok(Self::Named { name: name.parse()?, version: version.map(str::parse).transpose()? })
    }
}

impl fmt::Display for ComponentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { name, version: Some(version) } => write!(f, "{name}@{version}"),
            Self::Named { name, version: None } => name.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written() {
        let digest = Digest::of(b"abc").to_string();
        for text in ["acme.math", "acme.math@1.2.0", "a@1.0.0-rc.1", &digest] {
            assert_eq!(text.parse::<ComponentRef>().unwrap().to_string(), text);
        }
        let check = |text: &str, expected: &str| {
            let error = text.parse::<ComponentRef>().unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
            assert_eq!(error.kind(), ErrorKind::Invalid);
        };
        check("", "invalid component name \"\"");
        check("math.wasm", "invalid component name \"math.wasm\"");
        check("@1.0.0", "invalid component name \"\"");
        check("math@", "invalid version \"\"");
        check("math@1", "invalid version \"1\"");
        check("sha256:12", "`sha256:12` is not a digest");
    }
}
