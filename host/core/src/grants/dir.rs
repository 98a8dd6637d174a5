//! Directories: which of the host's a task may read, and under which name.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::ErrorKind;

/// Permits reading everything below a directory of the host's.
///
/// As text: `HOST`, a path on the host, then perhaps `::GUEST`, the path by which the guest knows it; without it the
/// guest knows it by the host's, as written. Then perhaps `:ro`, read only, which is meant without it too: nothing else is
/// granted so far.
///
/// The guest reaches nothing outside the directory, by no `..` and no symbolic link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DirGrant {
    host: PathBuf,
    guest: Box<str>,
}

impl DirGrant {
    /// Permits reading the directory at `host`, which the guest knows as `guest`.
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
        Ok(Self { guest: guest.into(), host })
    }

    /// Where it is on the host.
    pub fn host(&self) -> &Path {
        &self.host
    }

    /// What the guest calls it; without a slash at the end, but for `/` itself.
    pub fn guest(&self) -> &str {
        &self.guest
    }

    /// The same with its place on the host counted from `base`, if it is relative. The guest's name for it stays.
    #[must_use]
    pub fn below(self, base: &Path) -> Self {
        Self { host: base.join(&self.host), ..self }
    }

    /// What the key of the cache has of it. Names that could be mistaken for more than a name are in quotes, so that two
    /// grants never give one text.
    pub(super) fn fact(&self, by_content: bool) -> String {
        let is_plain = !self.guest.contains(|character: char| character.is_whitespace() || character == '"');
        let guest = if is_plain { self.guest.to_string() } else { format!("{:?}", self.guest) };
        if by_content {
            return format!("dir {guest} ro");
        }
        match self.host.to_str().filter(|host| !host.starts_with('"')) {
            Some(host) => format!("dir {guest} ro {host}"),
            None => format!("dir {guest} ro {:?}", self.host),
        }
    }
}

impl Display for DirGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.host.display())?;
        if self.host.to_str() != Some(&self.guest) {
            write!(f, "::{}", self.guest)?;
        }
        f.write_str(":ro")
    }
}

/// A text names no directory that can be granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseDirGrantError {
    /// The place on the host is missing.
    #[error(
        "`{text}` is no directory to grant: the path on the host is missing; expected HOST, or HOST::GUEST"
    )]
    NoHost {
        /// The text.
        text: String,
    },
    /// The guest's name for it is missing.
    #[error("`{text}` is no directory to grant: the guest's path is missing; expected HOST, or HOST::GUEST")]
    NoGuest {
        /// The text.
        text: String,
    },
    /// It asks for more than reading.
    #[error("`{text}` cannot be granted: only :ro is granted so far")]
    Writable {
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
        if text.ends_with(":rw") {
            return Err(ParseDirGrantError::Writable { text: text.to_owned() });
        }
        let paths = text.strip_suffix(":ro").unwrap_or(text);
        let (host, guest) = paths.split_once("::").unwrap_or((paths, paths));
        if host.is_empty() {
            return Err(ParseDirGrantError::NoHost { text: text.to_owned() });
        }
        if guest.is_empty() {
            return Err(ParseDirGrantError::NoGuest { text: text.to_owned() });
        }
        Self::new(host, guest)
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
            assert_eq!(grant.to_string(), written);
            assert_eq!(written.parse(), Ok(grant));
        };
        check(".", ".", ".", ".:ro");
        check("data", "data", "data", "data:ro");
        check("data:ro", "data", "data", "data:ro");
        check("data::/data", "data", "/data", "data::/data:ro");
        check("/srv/data::data/:ro", "/srv/data", "data", "/srv/data::data:ro");
        check("/::/", "/", "/", "/:ro");
        check("C:\\data::/data", "C:\\data", "/data", "C:\\data::/data:ro");
        check("a b::c d", "a b", "c d", "a b::c d:ro");
    }

    #[test]
    fn what_cannot_be_granted_is_refused() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.parse::<DirGrant>().unwrap_err().to_string(), expected);
        };
        let host = "the path on the host is missing; expected HOST, or HOST::GUEST";
        check("", &format!("`` is no directory to grant: {host}"));
        check("::/data", &format!("`::/data` is no directory to grant: {host}"));
        check(":ro", &format!("`:ro` is no directory to grant: {host}"));
        let guest = "the guest's path is missing; expected HOST, or HOST::GUEST";
        check("data::", &format!("`data::` is no directory to grant: {guest}"));
        check("data::/data:rw", "`data::/data:rw` cannot be granted: only :ro is granted so far");
        check("data:rw", "`data:rw` cannot be granted: only :ro is granted so far");
    }

    #[test]
    fn a_relative_place_can_be_made_a_fixed_one() {
        let check = |text: &str, written: &str| {
            let grant: DirGrant = text.parse().unwrap();
            assert_eq!(grant.below(Path::new("/home")).to_string(), written);
        };
        check("data", "/home/data::data:ro");
        check("/srv", "/srv:ro");
    }

    #[test]
    fn two_grants_never_give_one_fact() {
        let fact = |host: &str, guest: &str| DirGrant::new(host, guest).unwrap().fact(false);
        assert_eq!(fact("z", "x"), "dir x ro z");
        assert_ne!(fact("z", "x ro y"), fact("y ro z", "x"));
        assert_eq!(fact("z", "x ro y"), "dir \"x ro y\" ro z");
    }
}
