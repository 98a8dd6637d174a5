//! Names and versions under which components are registered.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::ErrorKind;
use crate::value::excerpt;

/// The name of a registered component: 1 to 64 characters `a-z`, `0-9`, `.`, `_` and `-`, of which the first is a letter or a digit. It
/// has no `/`, and does not end like a file (`.wasm`), so that it cannot be mistaken for a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentName(Arc<str>);

/// A version of a registered component, as Semantic Versioning 2.0.0 has it, without build metadata. Ordered by precedence:
/// prereleases come before their release.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ComponentVersion(semver::Version);

/// How much a version changes compared with the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionStep {
    /// Nothing that callers see.
    Patch,
    /// Functions were added.
    Minor,
    /// Functions were removed, or have another signature.
    Major,
}

/// A text that is no name of a component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid component name {name}: expected 1 to {most} characters a-z, 0-9, '.', '_' and '-', the first a letter or a digit, and \
     no ending of a file",
    most = ComponentName::MAX_BYTES
)]
pub struct ComponentNameError {
    name: String,
}

/// A text that is no version of a component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid version {version}: expected three numbers and perhaps a prerelease, such as 1.2.3 or 2.0.0-rc.1"
)]
pub struct ComponentVersionError {
    version: String,
}

impl ComponentName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Endings of files that hold components, or may hold them one day.
    const ENDINGS: [&str; 5] = [".wasm", ".wat", ".py", ".js", ".toml"];

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ComponentName {
    type Err = ComponentNameError;

    fn from_str(text: &str) -> Result<Self, ComponentNameError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text.len() <= Self::MAX_BYTES
            && text.bytes().next().is_some_and(is_plain)
            && text.bytes().all(|byte| is_plain(byte) || b"._-".contains(&byte))
            && !Self::ENDINGS.iter().any(|ending| text.ends_with(ending));
        let error = || ComponentNameError { name: excerpt(format_args!("{text:?}")) };
        if fits { Ok(Self(text.into())) } else { Err(error()) }
    }
}

impl fmt::Display for ComponentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ComponentVersion {
    /// The version of a component that is registered without one, if its name is new.
    pub const FIRST: Self = Self(semver::Version::new(1, 0, 0));

    /// The longest version, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Whether it is a prerelease, which is used only where it is named.
    pub fn is_prerelease(&self) -> bool {
        !self.0.pre.is_empty()
    }

    /// The next version after this one. Of a version 0.x, a step by less is a larger one: the second number counts changes
    /// that break callers. `None` if there is no such number.
    pub fn next(&self, step: VersionStep) -> Option<Self> {
        let semver::Version { major, minor, patch, .. } = self.0;
        let next = match (step, major) {
            // A prerelease comes before the version that it prepares.
            _ if self.is_prerelease() => semver::Version::new(major, minor, patch),
            (VersionStep::Major, 1..) => semver::Version::new(major.checked_add(1)?, 0, 0),
            (VersionStep::Minor, 1..) | (VersionStep::Major, 0) => {
                semver::Version::new(major, minor.checked_add(1)?, 0)
            }
            (VersionStep::Patch, _) | (VersionStep::Minor, 0) => {
                semver::Version::new(major, minor, patch.checked_add(1)?)
            }
        };
        Some(Self(next))
    }
}

impl Ord for ComponentVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }
}

impl PartialOrd for ComponentVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for ComponentVersion {
    type Err = ComponentVersionError;

    fn from_str(text: &str) -> Result<Self, ComponentVersionError> {
        let version = semver::Version::parse(text).ok().filter(|_| text.len() <= Self::MAX_BYTES);
        let version = version.filter(|version| version.build.is_empty()).map(Self);
        version.ok_or_else(|| ComponentVersionError { version: excerpt(format_args!("{text:?}")) })
    }
}

impl fmt::Display for ComponentVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ComponentNameError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl ComponentVersionError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_be_mistaken_for_files() {
        for name in ["a", "7", "acme.math", "my_tool-2", &"x".repeat(64)] {
            assert_eq!(name.parse::<ComponentName>().unwrap().to_string(), name);
        }
        let wrong = [
            "",
            ".a",
            "-a",
            "A",
            "a b",
            "a/b",
            "a@1",
            "a:b",
            "a#b",
            "math.wasm",
            "a.wat",
            "ä",
            &"x".repeat(65),
        ];
        for wrong in wrong {
            let error = wrong.parse::<ComponentName>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong}");
        }
        let error = "Acme".parse::<ComponentName>().unwrap_err().to_string();
        assert!(error.starts_with("invalid component name \"Acme\": expected 1 to 64 characters"), "{error}");
    }

    #[test]
    fn versions_are_ordered_by_precedence() {
        let ordered = ["0.9.10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0"];
        let versions: Vec<ComponentVersion> = ordered.iter().map(|text| text.parse().unwrap()).collect();
        assert!(versions.is_sorted() && versions[1].is_prerelease() && !versions[4].is_prerelease());
        let long = format!("1.0.0-{}", "a".repeat(60));
        for wrong in ["", "1", "1.2", "v1.2.3", "1.2.3+build", "01.2.3", "1.2.3-", "1.2.x", &long] {
            let error = wrong.parse::<ComponentVersion>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong}");
        }
    }

    #[test]
    fn the_next_version_says_what_changed() {
        let check = |version: &str, expected: [&str; 3]| {
            let version: ComponentVersion = version.parse().unwrap();
            let steps = [VersionStep::Patch, VersionStep::Minor, VersionStep::Major];
            assert_eq!(steps.map(|step| version.next(step).unwrap().to_string()), expected);
        };
        check("1.2.3", ["1.2.4", "1.3.0", "2.0.0"]);
        check("0.2.3", ["0.2.4", "0.2.4", "0.3.0"]);
        check("1.2.0-rc.1", ["1.2.0"; 3]);
        let last: ComponentVersion = format!("1.0.{}", u64::MAX).parse().unwrap();
        assert_eq!(last.next(VersionStep::Patch), None);
    }
}
