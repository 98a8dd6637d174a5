//! Where a server is, and the token for it.

use std::env;
use std::net::IpAddr;

use hostel::{ErrorKind, excerpt_within};
use hostel_server::{owner_token_file, read_owner_token};
use url::{Host, ParseError, Position, Url};

use crate::options::data_dir::data_dir;
use crate::options::server::NamedServer;
use crate::problem::Problem;

/// The most characters that are shown of an address.
const SHOWN_CHARS: usize = 200;

/// What an address lacks that has no scheme or no host.
const NO_HOST: &str = "expected http:// or https:// and a host";

/// The address of a server, and the token for it.
#[derive(Debug)]
pub(crate) struct Address {
    /// `http://HOST:PORT`, perhaps with a path below which a proxy has the server.
    pub(super) base: Url,
    pub(super) token: Token,
    /// Whether it is on this machine.
    pub(super) is_local: bool,
}

/// A token, and where it comes from.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) place: String,
}

/// Without the text, which is secret.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({})", self.place)
    }
}

impl Address {
    /// Reads the address, and finds the token.
    pub(super) fn read(named: &NamedServer) -> Result<Self, Problem> {
        let base = parse(named)?;
        let is_local = is_local(&base);
        let token = token(&base, is_local)?;
        Ok(Self { base, token, is_local })
    }

    /// Whether others on the way can read the token.
    pub(super) fn is_exposed(&self) -> bool {
        !self.is_local && self.base.scheme() == "http"
    }

    /// What to do if the server seems to expect the other scheme.
    pub(super) fn other_scheme(&self) -> String {
        let other = if self.base.scheme() == "http" { "https" } else { "http" };
        let rest = self.base[Position::BeforeHost..].trim_end_matches('/');
        format!("if the server uses {other}, its address is {other}://{rest}")
    }
}

fn parse(named: &NamedServer) -> Result<Url, Problem> {
    let NamedServer { url, place } = named;
    let wrong = |why: &str| {
        // It may have a password.
        let shown = if url.contains('@') { "…".to_owned() } else { excerpt_within(url, SHOWN_CHARS) };
        let problem = format!("{place}: invalid address {shown:?}: {why}");
        Problem::invalid(problem).hint("expected http://HOST:PORT or https://HOST, as hostel serve prints it")
    };
    let parsed = Url::parse(url).map_err(|error| {
        let is_without_scheme = error == ParseError::RelativeUrlWithoutBase;
        if is_without_scheme { wrong(NO_HOST) } else { wrong(&error.to_string()) }
    })?;
    if !["http", "https"].contains(&parsed.scheme()) || !parsed.has_host() {
        return Err(wrong(NO_HOST));
    }
    // Neither is shown, because it may be secret.
    let without_secrets = |why: &str| Problem::invalid(format!("{place}: {why}"));
    if !parsed.username().is_empty() || parsed.password().is_some() {
        let problem = "the address has a user or a password: expected none";
        return Err(without_secrets(problem).hint("HOSTEL_TOKEN has the token"));
    }
    if parsed.fragment().is_some_and(|fragment| fragment.starts_with("login=")) {
        let problem = "the address has a login code, which is for browsers";
        return Err(without_secrets(problem).hint("leave out everything from # on"));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(wrong("expected no ? and no #"));
    }
    Ok(parsed)
}

fn is_local(base: &Url) -> bool {
    match base.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// The token of the variable, or for a server on this machine that of its data directory.
fn token(base: &Url, is_local: bool) -> Result<Token, Problem> {
    if let Some(text) = env::var_os("HOSTEL_TOKEN").filter(|text| !text.is_empty()) {
        return checked(&text.to_string_lossy(), "HOSTEL_TOKEN".to_owned());
    }
    let missing =
        |why: String| Problem::new(ErrorKind::Denied, format!("there is no token for {base}: {why}"));
    if !is_local {
        return Err(missing("HOSTEL_TOKEN is not set".to_owned())
            .hint("create a token with POST /api/v1/tokens; docs/server.md has the scopes"));
    }
    let dir = data_dir(None).ok_or_else(|| missing("there is no data directory".to_owned()));
    let dir = dir.map_err(|problem| problem.hint("set HOSTEL_TOKEN"))?;
    let text = read_owner_token(&dir).map_err(|error| {
        let error = hostel_wire::message(&error);
        missing(format!("HOSTEL_TOKEN is not set, and {error}"))
            .hint("set HOSTEL_DATA_DIR to the data directory of the server, or HOSTEL_TOKEN")
    })?;
    Ok(Token { text, place: owner_token_file(&dir).display().to_string() })
}

fn checked(text: &str, place: String) -> Result<Token, Problem> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem = format!("{place} has no token: expected visible characters without blanks");
        return Err(Problem::new(ErrorKind::Denied, problem));
    }
    Ok(Token { text: text.to_owned(), place })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(url: &str) -> NamedServer {
        NamedServer { url: url.to_owned(), place: "--server" }
    }

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        for url in
            ["http://127.0.0.1:4700", "https://hostel.example", "http://[::1]:1/", "https://a.b/hostel"]
        {
            assert!(parse(&named(url)).is_ok(), "{url}");
        }
        let wrong = [
            ("127.0.0.1:4700", "expected http:// or https://"),
            ("localhost:4700", "expected http:// or https://"),
            ("ftp://a.b", "expected http:// or https://"),
            ("http://a.b?x=1", "expected no ?"),
            ("http://", "empty host"),
            ("http://me:secret@a.b", "a user or a password"),
            ("http://127.0.0.1:4700/#login=abc", "a login code"),
        ];
        for (url, part) in wrong {
            let problem = parse(&named(url)).unwrap_err().to_string();
            assert!(problem.contains(part) && !problem.contains("secret"), "{url}: {problem}");
        }
    }

    #[test]
    fn only_loopback_is_this_machine() {
        let check = |url: &str| is_local(&Url::parse(url).unwrap());
        assert!(check("http://localhost:1") && check("http://127.9.9.9") && check("http://[::1]:1"));
        assert!(!check("http://localhost.example") && !check("http://10.0.0.1") && !check("http://0.0.0.0"));
    }

    #[test]
    fn a_token_is_one_word() {
        assert_eq!(checked(" abc\n", "x".to_owned()).unwrap().text, "abc");
        assert!(checked("", "x".to_owned()).is_err() && checked("a b", "x".to_owned()).is_err());
    }
}
