//! Grants of directories: the host's path, the guest's path, and the access.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::ErrorKind;

/// Permits reading everything below a directory of the host, and optionally changing it.
///
/// As text: `HOST`, a path on the host, optionally followed by `::GUEST`, the path that the guest sees; without it the
/// guest sees the host's path as written. Then optionally the access: `:ro`, read only, which is the default, or `:rw`,
/// read and write.
///
/// The guest reaches nothing outside the directory, neither through `..` nor through symbolic links.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DirGrant {
    host: PathBuf,
    guest: Box<str>,
    access: DirAccess,
}

/// The access to a directory, ordered by its extent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DirAccess {
    /// Reading. As text: `ro`.
    #[default]
    Ro,
    /// Reading and writing: files and directories are created, changed, renamed and removed. As text: `rw`.
    Rw,
}

impl DirAccess {
    /// Its name, `ro` or `rw`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ro => "ro",
            Self::Rw => "rw",
        }
    }
}

impl DirGrant {
    /// Permits reading the directory at `host`, which the guest sees as `guest`.
    ///
    /// # Errors
    ///
    /// [`ParseDirGrantError`] if one of them is empty.
    pub fn new(host: impl Into<PathBuf>, guest: &str) -> Result<Self, ParseDirGrantError> {
        let host = host.into();
        let text = || format!("{}::{guest}", host.display());
        if host.as_os_str().is_empty() {
            return Err(ParseDirGrantError::NoHost { text: text() });
        }
        if guest.is_empty() {
            return Err(ParseDirGrantError::NoGuest { text: text() });
        }
        let guest = match guest.trim_end_matches('/') {
            "" => "/",
            name => name,
        };
        Ok(Self { guest: guest.into(), host, access: DirAccess::Ro })
    }

    /// The same directory with this access.
    #[must_use]
    pub fn with_access(self, access: DirAccess) -> Self {
        Self { access, ..self }
    }

    /// The path on the host.
    pub fn host(&self) -> &Path {
        &self.host
    }

    /// The path for the guest; without a slash at the end, except for `/` itself.
    pub fn guest(&self) -> &str {
        &self.guest
    }

    /// The guest's access.
    pub const fn access(&self) -> DirAccess {
        self.access
    }

    /// Whether it permits everything that `other` permits: both paths are the same as written, and the access is at least
    /// the same.
    ///
    /// A parent directory is a different grant: the guest would see it under other paths.
    pub fn includes(&self, other: &Self) -> bool {
        self.guest == other.guest && self.host == other.host && self.access >= other.access
    }

    /// The same with its path on the host relative to `base`, if it is relative. The guest's path stays the same.
    #[must_use]
    pub fn below(self, base: &Path) -> Self {
        Self { host: base.join(&self.host), ..self }
    }

    /// The text for the cache key. Ambiguous names are quoted, so that two different grants never have the same text.
    pub(super) fn fact(&self, by_content: bool) -> String {
        let is_plain = !self.guest.contains(|character: char| character.is_whitespace() || character == '"');
        let guest = if is_plain { self.guest.to_string() } else { format!("{:?}", self.guest) };
        let access = self.access.name();
        if by_content {
            return format!("dir {guest} {access}");
        }
        match self.host.to_str().filter(|host| !host.starts_with('"')) {
            Some(host) => format!("dir {guest} {access} {host}"),
            None => format!("dir {guest} {access} {:?}", self.host),
        }
    }
}

impl Display for DirGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.host.display())?;
        if self.host.to_str() != Some(&self.guest) {
            write!(f, "::{}", self.guest)?;
        }
        write!(f, ":{}", self.access.name())
    }
}

/// The error for a text that is not a directory grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseDirGrantError {
    /// The path on the host is missing.
    #[error(
        "invalid directory grant `{text}`: the path on the host is missing; expected HOST, or HOST::GUEST"
    )]
    NoHost {
        /// The text.
        text: String,
    },
    /// The guest's path is missing.
    #[error("invalid directory grant `{text}`: the guest's path is missing; expected HOST, or HOST::GUEST")]
    NoGuest {
        /// The text.
        text: String,
    },
}

impl ParseDirGrantError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl FromStr for DirGrant {
    type Err = ParseDirGrantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (paths, access) = match text.rsplit_once(':') {
            Some((paths, "ro")) => (paths, DirAccess::Ro),
            Some((paths, "rw")) => (paths, DirAccess::Rw),
            _ => (text, DirAccess::default()),
        };
        let (host, guest) = paths.split_once("::").unwrap_or((paths, paths));
        if host.is_empty() {
            return Err(ParseDirGrantError::NoHost { text: text.to_owned() });
        }
        if guest.is_empty() {
            return Err(ParseDirGrantError::NoGuest { text: text.to_owned() });
        }
        Ok(Self::new(host, guest)?.with_access(access))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_read_and_written() {
        let check = |text: &str, host: &str, guest: &str, written: &str| {
            let grant: DirGrant = text.parse().unwrap();
            assert_eq!((grant.host(), grant.guest()), (Path::new(host), guest), "{text}");
            let access = if text.ends_with(":rw") { DirAccess::Rw } else { DirAccess::Ro };
            assert_eq!(grant.access(), access, "{text}");
            assert_eq!(grant.to_string(), written);
            assert_eq!(written.parse(), Ok(grant));
        };
        check(".", ".", ".", ".:ro");
        check("data", "data", "data", "data:ro");
        check("data:ro", "data", "data", "data:ro");
        check("data::/data", "data", "/data", "data::/data:ro");
        check("data:rw", "data", "data", "data:rw");
        check("data::/data:rw", "data", "/data", "data::/data:rw");
        check("/srv/data::data/:ro", "/srv/data", "data", "/srv/data::data:ro");
        check("/::/", "/", "/", "/:ro");
        check("C:\\data::/data", "C:\\data", "/data", "C:\\data::/data:ro");
        check("a b::c d", "a b", "c d", "a b::c d:ro");
        check("rw", "rw", "rw", "rw:ro");
        check("a:rw:ro", "a:rw", "a:rw", "a:rw:ro");
    }

    #[test]
    fn what_cannot_be_granted_is_refused() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.parse::<DirGrant>().unwrap_err().to_string(), expected);
        };
        let host = "the path on the host is missing; expected HOST, or HOST::GUEST";
        check("", &format!("invalid directory grant ``: {host}"));
        check("::/data", &format!("invalid directory grant `::/data`: {host}"));
        check(":ro", &format!("invalid directory grant `:ro`: {host}"));
        let guest = "the guest's path is missing; expected HOST, or HOST::GUEST";
        check("data::", &format!("invalid directory grant `data::`: {guest}"));
        check("data:::rw", &format!("invalid directory grant `data:::rw`: {guest}"));
        check(":rw", &format!("invalid directory grant `:rw`: {host}"));
    }

    #[test]
    fn a_relative_place_can_be_made_a_fixed_one() {
        let check = |text: &str, written: &str| {
            let grant: DirGrant = text.parse().unwrap();
            assert_eq!(grant.below(Path::new("/home")).to_string(), written);
        };
        check("data", "/home/data::data:ro");
        check("/srv", "/srv:ro");
        check("data:rw", "/home/data::data:rw");
    }

    #[test]
    fn a_grant_includes_the_same_directory_with_no_more_access() {
        let check = |one: &str, other: &str, expected: bool| {
            let [one, other] = [one, other].map(|text| text.parse::<DirGrant>().unwrap());
            assert_eq!(one.includes(&other), expected, "{one} {other}");
        };
        check("data", "data:ro", true);
        check("data:rw", "data:ro", true);
        check("data:rw", "data:rw", true);
        check("data:ro", "data:rw", false);
        check("/srv/data::/data:rw", "/srv/data/::/data/", true);
        check("/srv/data::/data", "/srv/data::/other", false);
        check("/srv/data::/data", "/srv/other::/data", false);
        check("/srv::/data", "/srv/data::/data", false);
        check("/srv/../srv::/data", "/srv::/data", false);
    }

    #[test]
    fn two_grants_never_give_one_fact() {
        let fact = |host: &str, guest: &str| DirGrant::new(host, guest).unwrap().fact(false);
        let writable = |by_content| "z::x:rw".parse::<DirGrant>().unwrap().fact(by_content);
        assert_eq!((writable(true).as_str(), writable(false).as_str()), ("dir x rw", "dir x rw z"));
        assert_eq!(fact("z", "x"), "dir x ro z");
        assert_ne!(fact("z", "x ro y"), fact("y ro z", "x"));
        assert_eq!(fact("z", "x ro y"), "dir \"x ro y\" ro z");
    }
}
