//! Permissions of a task beyond computing: none, unless a grant names it. Each kind of grant has a file here.

mod address;
mod dir;
mod env;
mod http;
mod includes;
mod lookup;
mod name;
mod net;

pub use address::{is_public, may_lead_to};
pub use dir::*;
pub use env::*;
pub use http::*;
pub use lookup::*;
pub use net::*;

use core::net::IpAddr;

use crate::ErrorKind;

/// The name of the file with options and grants. The `hostel` command finds it automatically, so no guest may write to a
/// file of that name, in any directory.
pub const CONFIG_FILE_NAME: &str = "hostel.toml";

/// The permissions of a task. The default is none.
///
/// ```
/// # use hostel_core::{Grants, HttpScheme};
/// let grants = Grants { http: vec!["*.example.org".parse()?], ..Grants::default() };
/// assert!(grants.allows_http("GET", HttpScheme::Https, "api.example.org", 443));
/// assert!(!grants.allows_http("GET", HttpScheme::Https, "api.example.org", 8443));
/// # Ok::<(), hostel_core::ParseHttpGrantError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Grants {
    /// Hosts for outgoing HTTP requests.
    pub http: Vec<HttpGrant>,
    /// Directories. The guest sees them sorted by name, whatever the order here.
    pub dirs: Vec<DirGrant>,
    /// Environment variables. The guest sees them sorted by name.
    pub env: Vec<EnvGrant>,
    /// Destinations for TCP and UDP.
    pub net: Vec<NetGrant>,
    /// Names that may be looked up, in addition to those in [`Grants::net`].
    pub lookup: Vec<LookupGrant>,
}

/// The kind of a grant.
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
    /// Every kind, in the order of reports.
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
        self.http.is_empty()
            && self.dirs.is_empty()
            && self.env.is_empty()
            && self.net.is_empty()
            && self.lookup.is_empty()
    }

    /// Whether an outgoing request may go there; `host` as in a URL, an IPv6 address in brackets.
    pub fn allows_http(&self, method: &str, scheme: HttpScheme, host: &str, port: u16) -> bool {
        self.http.iter().any(|grant| grant.allows(method, scheme, host, port))
    }

    /// Whether the task may connect to this address, whatever names lead there.
    pub fn allows_address(&self, transport: Transport, address: IpAddr, port: u16) -> bool {
        self.net.iter().any(|grant| grant.allows(transport, address, port))
    }

    /// Whether the task may connect to the addresses of a name, as far as the name [may lead](may_lead_to) to them.
    pub fn allows_name(&self, transport: Transport, name: &str, port: u16) -> bool {
        self.net.iter().any(|grant| grant.allows_name(transport, name, port))
    }

    /// Whether a name may be looked up, to connect to it or not.
    pub fn allows_lookup(&self, name: &str) -> bool {
        self.lookup.iter().any(|grant| grant.allows(name))
            || self.net.iter().any(|grant| grant.allows_lookup(name))
    }

    /// The environment variables in the order for the guest: by the bytes of their names.
    pub fn env_by_name(&self) -> Vec<&EnvGrant> {
        let mut env: Vec<_> = self.env.iter().collect();
        env.sort_unstable();
        env.dedup();
        env
    }

    /// The directories in the order for the guest: by the bytes of their names.
    pub fn dirs_by_name(&self) -> Vec<&DirGrant> {
        let mut dirs: Vec<_> = self.dirs.iter().collect();
        dirs.sort_by(|one, other| one.guest().cmp(other.guest()));
        dirs.dedup();
        dirs
    }

    /// Checks that no two directories have the same path for the guest, and no variable has two values. The same grant may
    /// be given twice.
    ///
    /// # Errors
    ///
    /// [`GrantsError`] with the first ambiguous name.
    pub fn check(&self) -> Result<(), GrantsError> {
        let dirs = self.dirs_by_name();
        let twice = dirs.iter().zip(dirs.iter().skip(1)).find(|(one, other)| one.guest() == other.guest());
        if let Some((one, other)) = twice {
            return Err(GrantsError::SameName {
                name: one.guest().to_owned(),
                one: one.to_string(),
                other: other.to_string(),
            });
        }
        let env = self.env_by_name();
        let twice = env.iter().zip(env.iter().skip(1)).find(|(one, other)| one.name() == other.name());
        twice.map_or(Ok(()), |(one, _)| Err(GrantsError::TwoValues { name: one.name().to_owned() }))
    }

    /// Each grant as text, with its kind before it (`http example.org`, `env NAME=…`): by kind, and within each kind in the
    /// given order. For output and records: the values of variables are hidden.
    pub fn texts(&self) -> Vec<String> {
        fn of<'a, T: ToString>(
            kind: GrantKind,
            grants: &'a [T],
        ) -> impl Iterator<Item = String> + use<'a, T> {
            grants.iter().map(move |grant| format!("{} {}", kind.name(), grant.to_string()))
        }
        let texts = of(GrantKind::Dir, &self.dirs).chain(of(GrantKind::Env, &self.env));
        let texts = texts.chain(of(GrantKind::Http, &self.http)).chain(of(GrantKind::Net, &self.net));
        texts.chain(of(GrantKind::Lookup, &self.lookup)).collect()
    }

    /// Each grant as text, with its kind before it (`http example.org`), sorted, without duplicates, for the cache key.
    ///
    /// A directory counts only by its path for the guest (`dir /data ro`) if reads in it are verified `by_content`, by a
    /// trace, and otherwise also by its path on the host (`dir /data ro /srv/data`). A variable counts with the digest of
    /// its value.
    pub fn facts(&self, by_content: bool) -> Vec<String> {
        let http = self.http.iter().map(|grant| format!("http {grant}"));
        let dirs = self.dirs.iter().map(|grant| grant.fact(by_content));
        let env = self.env.iter().map(EnvGrant::fact);
        let net = self.net.iter().map(|grant| format!("net {grant}"));
        let lookup = self.lookup.iter().map(|grant| format!("lookup {grant}"));
        let mut facts: Vec<_> = http.chain(dirs).chain(env).chain(net).chain(lookup).collect();
        facts.sort_unstable();
        facts.dedup();
        facts
    }
}

/// Grants contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantsError {
    /// Two directories have the same path.
    #[error(
        "`{name}` cannot be two directories: {one} and {other} (give one of them another name, as HOST::GUEST)"
    )]
    SameName {
        /// The path for the guest.
        name: String,
        /// One grant.
        one: String,
        /// The other grant.
        other: String,
    },
    /// One environment variable has two values.
    #[error("the environment variable `{name}` cannot have two values (give it once)")]
    TwoValues {
        /// Its name.
        name: String,
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
            ..Grants::default()
        }
    }

    #[test]
    fn grants_are_empty_only_if_there_is_none_of_any_kind() {
        assert!(Grants::default().is_empty());
        let all = of_each_kind();
        let parts = [
            Grants { http: all.http.clone(), ..Grants::default() },
            Grants { dirs: all.dirs.clone(), ..Grants::default() },
            Grants { env: all.env.clone(), ..Grants::default() },
            Grants { net: all.net.clone(), ..Grants::default() },
            Grants { lookup: all.lookup.clone(), ..Grants::default() },
        ];
        for part in parts {
            assert_ne!(part, Grants::default(), "there is one of each kind");
            assert!(!part.is_empty(), "{part:?}");
        }
    }

    #[test]
    fn one_grant_that_allows_it_is_enough_and_none_is_not() {
        let net = |text: &str| text.parse().unwrap();
        let grants = Grants {
            net: vec![net("10.0.0.1:80"), net("db.example.org:5432")],
            lookup: vec!["other.example.org".parse().unwrap()],
            ..Grants::default()
        };
        let address = |text: &str| grants.allows_address(Transport::Tcp, text.parse().unwrap(), 80);
        assert!(address("10.0.0.1"));
        assert!(!address("10.0.0.2"));
        let name = |text: &str| grants.allows_name(Transport::Tcp, text, 5432);
        assert!(name("db.example.org"));
        assert!(!name("other.example.org"));
        for looked_up in ["db.example.org", "other.example.org"] {
            assert!(grants.allows_lookup(looked_up), "{looked_up}");
        }
        assert!(!grants.allows_lookup("third.example.org"));
    }

    /// One of each kind.
    fn of_each_kind() -> Grants {
        Grants {
            env: vec!["B=2".parse().unwrap(), "A=secret".parse().unwrap()],
            net: vec!["tcp://10.0.0.1:5432".parse().unwrap()],
            lookup: vec!["example.org".parse().unwrap()],
            ..grants(&["GET https://example.org"], &["data::/data"])
        }
    }

    #[test]
    fn grants_are_told_by_kind_and_without_secrets() {
        assert_eq!(
            of_each_kind().texts(),
            [
                "dir data::/data:ro",
                "env B=…",
                "env A=…",
                "http GET https://example.org",
                "net tcp://10.0.0.1:5432",
                "lookup example.org",
            ]
        );
        assert!(!format!("{:?} {:?}", of_each_kind(), of_each_kind().facts(false)).contains("secret"));
    }

    #[test]
    fn every_grant_is_a_fact() {
        let digest = |value: &str| crate::Digest::of(value.as_bytes());
        assert_eq!(
            of_each_kind().facts(true),
            [
                "dir /data ro".to_owned(),
                format!("env {} A", digest("secret")),
                format!("env {} B", digest("2")),
                "http GET https://example.org".to_owned(),
                "lookup example.org".to_owned(),
                "net tcp://10.0.0.1:5432".to_owned(),
            ]
        );
    }

    #[test]
    fn a_variable_has_one_value() {
        let check = |env: &[&str], expected: Result<(), &str>| {
            let env = env.iter().map(|text| text.parse().unwrap()).collect();
            let checked = Grants { env, ..Grants::default() }.check();
            assert_eq!(checked.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        };
        check(&["A=1", "B=1", "A=1"], Ok(()));
        check(
            &["A=1", "B=1", "A=2"],
            Err("the environment variable `A` cannot have two values (give it once)"),
        );
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
