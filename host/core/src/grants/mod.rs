//! What a task is permitted beyond computing: nothing, unless a grant names it. Each kind of grant has a file here.

mod dir;
mod http;

pub use dir::*;
pub use http::*;

use crate::ErrorKind;

/// What a task is permitted. The default is nothing.
///
/// ```
/// # use hostel_core::{Grants, HttpScheme};
/// let grants = Grants { http: vec!["*.example.org".parse()?], ..Grants::default() };
/// assert!(grants.allows_http(HttpScheme::Https, "api.example.org", 443));
/// assert!(!grants.allows_http(HttpScheme::Https, "api.example.org", 8443));
/// # Ok::<(), hostel_core::ParseHttpGrantError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Grants {
    /// Where outgoing HTTP requests may go.
    pub http: Vec<HttpGrant>,
    /// Which directories are there. The guest sees them in the order of their names, whatever theirs is here.
    pub dirs: Vec<DirGrant>,
}

/// What kind of thing a grant permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum GrantKind {
    /// A directory.
    Dir,
    /// An environment variable.
    Env,
    /// Outgoing HTTP requests.
    Http,
    /// TCP and UDP.
    Net,
    /// The addresses of a name.
    Lookup,
}

impl GrantKind {
    /// Every kind, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::Dir, Self::Env, Self::Http, Self::Net, Self::Lookup];

    /// Its name, which is that of the option that grants it: `http` for `--http`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dir => "dir",
            Self::Env => "env",
            Self::Http => "http",
            Self::Net => "net",
            Self::Lookup => "lookup",
        }
    }
}

impl Grants {
    /// Whether nothing is permitted.
    pub fn is_empty(&self) -> bool {
        self.http.is_empty() && self.dirs.is_empty()
    }

    /// Whether an outgoing request may go there; `host` as in a URL, an IPv6 address in brackets.
    pub fn allows_http(&self, scheme: HttpScheme, host: &str, port: u16) -> bool {
        self.http.iter().any(|grant| grant.allows(scheme, host, port))
    }

    /// The directories in the order in which a guest sees them: by the bytes of their names.
    pub fn dirs_by_name(&self) -> Vec<&DirGrant> {
        let mut dirs: Vec<_> = self.dirs.iter().collect();
        dirs.sort_by(|one, other| one.guest().cmp(other.guest()));
        dirs.dedup();
        dirs
    }

    /// Checks that no two directories have one name for the guest. The same grant may be given twice.
    ///
    /// # Errors
    ///
    /// [`GrantsError`] with the first name that stands for two directories.
    pub fn check(&self) -> Result<(), GrantsError> {
        let dirs = self.dirs_by_name();
        let twice = dirs.iter().zip(dirs.iter().skip(1)).find(|(one, other)| one.guest() == other.guest());
        twice.map_or(Ok(()), |(one, other)| {
            Err(GrantsError::SameName {
                name: one.guest().to_owned(),
                one: one.to_string(),
                other: other.to_string(),
            })
        })
    }

    /// Each grant as text, with its kind before it (`http example.org`), sorted and each once: what the key of the
    /// cache is derived from.
    ///
    /// A directory counts by its name for the guest alone (`dir /data ro`) if what is read in it is verified
    /// `by_content`, by a trace, and with its place on the host (`dir /data ro /srv/data`) if not.
    pub fn facts(&self, by_content: bool) -> Vec<String> {
        let http = self.http.iter().map(|grant| format!("http {grant}"));
        let dirs = self.dirs.iter().map(|grant| grant.fact(by_content));
        let mut facts: Vec<_> = http.chain(dirs).collect();
        facts.sort_unstable();
        facts.dedup();
        facts
    }
}

/// Grants contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantsError {
    /// Two directories have one name.
    #[error(
        "`{name}` cannot be two directories: {one} and {other} (give one of them another name, as HOST::GUEST)"
    )]
    SameName {
        /// What the guest would call both.
        name: String,
        /// The one grant.
        one: String,
        /// The other.
        other: String,
    },
}

impl GrantsError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(http: &[&str], dirs: &[&str]) -> Grants {
        Grants {
            http: http.iter().map(|text| text.parse().unwrap()).collect(),
            dirs: dirs.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn facts_are_sorted_and_each_is_told_once() {
        assert!(Grants::default().is_empty());
        assert!(Grants::default().facts(true).is_empty());
        let grants = grants(&["b.org", "a.org:80", "B.org", "http://a.org:80"], &["b::/b", "a", "a:ro"]);
        assert!(!grants.is_empty());
        let http = ["http a.org:80", "http b.org", "http http://a.org"];
        let facts = |dirs: [&'static str; 2]| dirs.into_iter().chain(http).collect::<Vec<_>>();
        assert_eq!(grants.facts(false), facts(["dir /b ro b", "dir a ro a"]));
        assert_eq!(grants.facts(true), facts(["dir /b ro", "dir a ro"]));
    }

    #[test]
    fn one_name_is_one_directory() {
        assert_eq!(grants(&[], &["a", "b", "a", "c::/a"]).check(), Ok(()));
        let error = grants(&[], &["a", "b::/data", "c::/data/"]).check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`/data` cannot be two directories: b::/data:ro and c::/data:ro (give one of them another name, as \
             HOST::GUEST)"
        );
    }

    #[test]
    fn directories_are_seen_in_the_order_of_their_names() {
        let grants = grants(&[], &["x::b", "y::/a", "z::B", "x::b"]);
        let names: Vec<_> = grants.dirs_by_name().iter().map(|grant| grant.guest()).collect();
        assert_eq!(names, ["/a", "B", "b"]);
    }
}
