//! Grants of outgoing HTTP: hosts and methods.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt::{self, Display};
use std::str::FromStr;

use super::name::{NamePattern, Problem, ends_in_number, parse_pattern};
use super::net::parse_port;
use crate::ErrorKind;

/// The scheme of an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HttpScheme {
    /// Unencrypted.
    Http,
    /// Over TLS.
    Https,
}

impl HttpScheme {
    /// `http` or `https`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The default port: 80 or 443.
    pub const fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Permits outgoing HTTP requests to a host, or to all hosts below a domain.
///
/// As text: `example.org`, `127.0.0.1`, `[::1]`, or `*.example.org` for every name below `example.org`, at any depth,
/// but not for itself. `:8080` may follow for that port, or `:*` for any; without it the grant is for the default port of
/// the scheme, 80 or 443. `http://` or `https://` may precede; without it both schemes are permitted. Methods may come first,
/// in upper case and separated by commas: `GET,HEAD https://example.org`; without them every method except `CONNECT` is
/// permitted.
///
/// Hosts are compared as they are written in a URL, ignoring case: a name is permitted where it
/// [may lead](crate::may_lead_to), and an address does not permit the names that lead to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HttpGrant {
    host: Host,
    port: Port,
    scheme: Option<HttpScheme>,
    /// Sorted, without duplicates; empty for all methods.
    methods: Box<[Box<str>]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Host {
    Name(NamePattern),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Port {
    Usual,
    Only(u16),
    Any,
}

impl HttpGrant {
    /// The narrowest grant for a request to this destination; `host` as in a URL, an IPv6 address in brackets.
    ///
    /// # Errors
    ///
    /// [`ParseHttpGrantError`] for an invalid host.
    pub fn of(scheme: HttpScheme, host: &str, port: u16) -> Result<Self, ParseHttpGrantError> {
        let host = parse_host(host)
            .and_then(Host::single)
            .map_err(|problem| ParseHttpGrantError { text: host.to_owned(), problem })?;
        let port = if port == scheme.usual_port() { Port::Usual } else { Port::Only(port) };
        Ok(Self { host, port, scheme: None, methods: [].into() })
    }

    /// The same for one method only.
    ///
    /// # Errors
    ///
    /// [`ParseHttpGrantError`] for a method with other characters than upper case letters, digits and `-`.
    pub fn only(self, method: &str) -> Result<Self, ParseHttpGrantError> {
        let is_usual = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        if method.is_empty() || !method.bytes().all(is_usual) {
            let problem = "expected a method of upper case letters, digits and `-`".to_owned();
            return Err(ParseHttpGrantError { text: method.to_owned(), problem });
        }
        Ok(Self { methods: [method.into()].into(), ..self })
    }

    /// Whether an outgoing request may go there; `host` as in a URL, an IPv6 address in brackets.
    pub fn allows(&self, method: &str, scheme: HttpScheme, host: &str, port: u16) -> bool {
        self.allows_method(method) && self.allows_place(scheme, host, port)
    }

    /// Whether an outgoing request with some method may go there.
    pub fn allows_place(&self, scheme: HttpScheme, host: &str, port: u16) -> bool {
        self.is_for(scheme) && self.host.allows(host) && self.port.allows(scheme, port)
    }

    /// Whether an outgoing request may go to this address, whatever names lead there.
    pub fn allows_address(&self, method: &str, scheme: HttpScheme, address: IpAddr, port: u16) -> bool {
        let is_there = match &self.host {
            Host::Name(_) => false,
            Host::V4(only) => address == *only,
            Host::V6(only) => address == *only,
        };
        is_there && self.allows_method(method) && self.is_for(scheme) && self.port.allows(scheme, port)
    }

    /// Whether it permits everything that the other permits.
    pub fn includes(&self, other: &Self) -> bool {
        let hosts = match (&self.host, &other.host) {
            (Host::Name(names), Host::Name(other)) => names.includes(other),
            (one, other) => one == other,
        };
        let schemes = [HttpScheme::Http, HttpScheme::Https].into_iter();
        let places = schemes
            .filter(|scheme| other.is_for(*scheme))
            .all(|scheme| self.is_for(scheme) && self.port.includes(scheme, other.port));
        let methods = if other.methods.is_empty() {
            self.methods.is_empty()
        } else {
            other.methods.iter().all(|method| self.allows_method(method))
        };
        hosts && places && methods
    }

    fn is_for(&self, scheme: HttpScheme) -> bool {
        self.scheme.is_none_or(|only| only == scheme)
    }

    /// `CONNECT` asks a host to connect to another one, so it is allowed only if it is named.
    fn allows_method(&self, method: &str) -> bool {
        let is_usual = self.methods.is_empty() && method != "CONNECT";
        is_usual || self.methods.iter().any(|only| **only == *method)
    }
}

impl Host {
    /// Returns this if it is a single host, as a request needs.
    fn single(self) -> Result<Self, Problem> {
        if let Self::Name(NamePattern::Below(_)) = self {
            Err("a host cannot contain '*'".to_owned())
        } else {
            Ok(self)
        }
    }

    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Name(names) => names.allows(host),
            Self::V4(address) => host.parse() == Ok(*address),
            Self::V6(address) => in_brackets(host).is_some_and(|host| host.parse() == Ok(*address)),
        }
    }
}

impl Port {
    fn allows(self, scheme: HttpScheme, port: u16) -> bool {
        self.number(scheme).is_none_or(|only| only == port)
    }

    fn includes(self, scheme: HttpScheme, other: Self) -> bool {
        self.number(scheme).is_none_or(|only| other.number(scheme) == Some(only))
    }

    /// The only permitted port; `None` for any.
    const fn number(self, scheme: HttpScheme) -> Option<u16> {
        match self {
            Self::Usual => Some(scheme.usual_port()),
            Self::Only(port) => Some(port),
            Self::Any => None,
        }
    }
}

impl Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.methods.is_empty() {
            write!(f, "{} ", self.methods.join(","))?;
        }
        if let Some(scheme) = self.scheme {
            write!(f, "{}://", scheme.name())?;
        }
        match &self.host {
            Host::Name(names) => names.fmt(f)?,
            Host::V4(address) => address.fmt(f)?,
            Host::V6(address) => write!(f, "[{address}]")?,
        }
        match self.port {
            Port::Usual => Ok(()),
            Port::Only(port) => write!(f, ":{port}"),
            Port::Any => f.write_str(":*"),
        }
    }
}

/// The error for a text that is not an HTTP grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid HTTP host `{text}`: {problem}")]
pub struct ParseHttpGrantError {
    text: String,
    problem: String,
}

impl ParseHttpGrantError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl FromStr for HttpGrant {
    type Err = ParseHttpGrantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|problem| ParseHttpGrantError { text: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<HttpGrant, Problem> {
    let (methods, place) = match text.split_once(' ') {
        Some((methods, place)) if is_token_list(methods) => (parse_methods(methods)?, place.trim_start()),
        _ => ([].into(), text),
    };
    let (scheme, place) = match place.split_once("://") {
        Some((scheme, place)) => (Some(parse_scheme(scheme)?), place),
        None => (None, place),
    };
    // A pasted URL of the whole host.
    let place = if scheme.is_some() { place.strip_suffix('/').unwrap_or(place) } else { place };
    if scheme.is_some() && place.contains('/') {
        return Err("a grant covers a whole host: remove the path".to_owned());
    }
    if let Some(wrong) = place.chars().find(|character| "/?#@".contains(*character)) {
        return Err(format!("expected HOST or HOST:PORT and nothing else, found `{wrong}`"));
    }
    let (host, port) = match place.rsplit_once(':') {
        // Otherwise the colon belongs to an address in brackets.
        Some((host, port)) if !host.starts_with('[') || host.ends_with(']') => {
            (host, parse_port(port)?.map_or(Port::Any, Port::Only))
        }
        _ => (place, Port::Usual),
    };
    if host.contains(':') && !host.starts_with('[') {
        return Err("an IPv6 address needs brackets, such as [::1]".to_owned());
    }
    let host = parse_host(host)?;
    let is_usual = |scheme: HttpScheme| port == Port::Only(scheme.usual_port());
    let port = if scheme.is_some_and(is_usual) { Port::Usual } else { port };
    Ok(HttpGrant { host, port, scheme, methods })
}

/// Whether a text consists of methods and commas (RFC 9110, section 5.6.2).
fn is_token_list(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~,".contains(&byte))
}

/// Parses methods; the result is sorted, without duplicates.
fn parse_methods(text: &str) -> Result<Box<[Box<str>]>, Problem> {
    let mut methods: Vec<Box<str>> = text.split(',').map(Box::from).collect();
    let is_wrong = |method: &str| method.is_empty() || method.bytes().any(|byte| byte.is_ascii_lowercase());
    if let Some(wrong) = methods.iter().find(|method| is_wrong(method)) {
        return Err(format!("method `{wrong}`: expected upper case, as in `GET,HEAD https://example.org`"));
    }
    methods.sort_unstable();
    methods.dedup();
    Ok(methods.into())
}

fn parse_scheme(text: &str) -> Result<HttpScheme, Problem> {
    let is_named = |scheme: &HttpScheme| text.eq_ignore_ascii_case(scheme.name());
    let scheme = [HttpScheme::Http, HttpScheme::Https].into_iter().find(is_named);
    scheme.ok_or_else(|| format!("expected http:// or https:// before the host, found `{text}://`"))
}

fn parse_host(text: &str) -> Result<Host, Problem> {
    if text.starts_with('[') {
        let address = in_brackets(text).and_then(|address| address.parse().ok());
        return address.map(Host::V6).ok_or_else(|| format!("`{text}` is not an IPv6 address"));
    }
    if ends_in_number(text) {
        let address = text.parse().ok();
        return address
            .map(Host::V4)
            .ok_or_else(|| format!("`{text}` is neither an IPv4 address nor a name"));
    }
    parse_pattern(text).map(Host::Name)
}

fn in_brackets(text: &str) -> Option<&str> {
    text.strip_prefix('[')?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> HttpGrant {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_pasted_url_of_a_host_is_taken_and_one_of_a_page_is_not() {
        assert_eq!(grant("https://example.org/"), grant("https://example.org"));
        assert_eq!(grant("GET http://example.org:8080/").to_string(), "GET http://example.org:8080");
        let refused = |text: &str| text.parse::<HttpGrant>().unwrap_err().to_string();
        assert_eq!(
            refused("https://example.org/index.html"),
            "invalid HTTP host `https://example.org/index.html`: a grant covers a whole host: remove the path"
        );
        assert!(refused("https://example.org//").contains("whole host"));
        assert!(refused("https:///").contains("invalid HTTP host"));
        assert!(refused("example.org/").contains("found `/`"));
    }

    #[test]
    fn a_grant_allows_what_it_names_and_nothing_else() {
        use HttpScheme::{Http, Https};
        let check = |text: &str, scheme, host: &str, port, expected| {
            let allowed = grant(text).allows("GET", scheme, host, port);
            assert_eq!(allowed, expected, "{text}: {scheme:?} {host} {port}");
        };
        check("example.org", Http, "example.org", 80, true);
        check("example.org", Https, "example.org", 443, true);
        check("example.org", Http, "example.org", 443, false);
        check("example.org", Https, "example.org", 80, false);
        check("example.org", Http, "example.org", 8080, false);
        check("example.org", Http, "EXAMPLE.org", 80, true);
        check("Example.ORG", Http, "example.org", 80, true);
        check("example.org", Http, "example.org.", 80, false);
        check("example.org", Http, "a.example.org", 80, false);
        check("example.org", Http, "xexample.org", 80, false);
        check("example.org", Http, "example.com", 80, false);
        check("example.org", Http, "", 80, false);

        check("example.org:8080", Http, "example.org", 8080, true);
        check("example.org:8080", Https, "example.org", 8080, true);
        check("example.org:8080", Http, "example.org", 80, false);
        check("example.org:*", Http, "example.org", 1, true);
        check("example.org:*", Https, "example.org", 65_535, true);
        check("example.org:*", Https, "example.com", 443, false);

        check("https://example.org", Https, "example.org", 443, true);
        check("https://example.org", Http, "example.org", 80, false);
        check("https://example.org", Http, "example.org", 443, false);
        check("http://example.org:*", Http, "example.org", 443, true);
        check("http://example.org:*", Https, "example.org", 443, false);

        check("*.example.org", Http, "a.example.org", 80, true);
        check("*.example.org", Http, "B.a.Example.Org", 80, true);
        check("*.example.org", Http, "example.org", 80, false);
        check("*.example.org", Http, ".example.org", 80, false);
        check("*.example.org", Http, "a..example.org", 80, false);
        check("*.example.org", Http, "xexample.org", 80, false);
        check("*.example.org", Http, "a.example.org.evil.com", 80, false);
        check("*.example.org", Http, "evil.com/a.example.org", 80, false);
        check("*.example.org:8080", Http, "a.example.org", 8080, true);
        check("*.org", Http, "example.org", 80, true);

        check("127.0.0.1:8080", Http, "127.0.0.1", 8080, true);
        for other in ["127.1", "127.0.0.2", "2130706433", "0x7f.0.0.1", "localhost", "127.000.000.001"] {
            check("127.0.0.1:8080", Http, other, 8080, false);
        }
        check("[::1]", Http, "[::1]", 80, true);
        check("[::1]", Http, "[0:0:0:0:0:0:0:1]", 80, true);
        check("[FE80::A]:*", Http, "[fe80::a]", 80, true);
        check("[::1]", Http, "::1", 80, false);
        check("[::1]", Http, "[::2]", 80, false);
        check("[::ffff:127.0.0.1]", Http, "127.0.0.1", 80, false);
    }

    #[test]
    fn connect_is_allowed_where_it_is_named() {
        let any: HttpGrant = "example.org".parse().unwrap();
        let named: HttpGrant = "CONNECT,GET example.org".parse().unwrap();
        for (grant, expected) in [(&any, false), (&named, true)] {
            assert_eq!(grant.allows("CONNECT", HttpScheme::Http, "example.org", 80), expected, "{grant}");
        }
        assert!(!any.includes(&named) && any.includes(&any) && named.includes(&named));
    }

    #[test]
    fn a_grant_of_methods_allows_these_alone() {
        let check = |text: &str, method: &str, expected| {
            let grant = grant(text);
            assert_eq!(
                grant.allows(method, HttpScheme::Http, "example.org", 80),
                expected,
                "{text}: {method}"
            );
            assert!(grant.allows_place(HttpScheme::Http, "example.org", 80));
        };
        check("example.org", "DELETE", true);
        check("GET,HEAD example.org", "GET", true);
        check("GET,HEAD example.org", "HEAD", true);
        check("GET,HEAD example.org", "POST", false);
        check("GET,HEAD example.org", "get", false);
        check("GET,HEAD http://example.org", "", false);
    }

    #[test]
    fn a_grant_is_narrowed_to_a_usual_method_alone() {
        let only = |method: &str| grant("example.org").only(method).map(|grant| grant.to_string());
        assert_eq!(only("PUT").as_deref(), Ok("PUT example.org"));
        assert_eq!(only("M-SEARCH").as_deref(), Ok("M-SEARCH example.org"));
        for method in ["", "get", "A'`id`'", "GET,PUT", "A B"] {
            let error = only(method).unwrap_err().to_string();
            let expected = "expected a method of upper case letters, digits and `-`";
            assert_eq!(error, format!("invalid HTTP host `{method}`: {expected}"));
        }
    }

    #[test]
    fn only_a_grant_of_an_address_allows_what_leads_there() {
        let check = |text: &str, expected| {
            let address = "10.0.0.1".parse().unwrap();
            assert_eq!(
                grant(text).allows_address("GET", HttpScheme::Https, address, 443),
                expected,
                "{text}"
            );
        };
        check("10.0.0.1", true);
        check("https://10.0.0.1:*", true);
        check("GET 10.0.0.1", true);
        check("POST 10.0.0.1", false);
        check("http://10.0.0.1", false);
        check("10.0.0.1:80", false);
        check("10.0.0.2", false);
        check("example.org", false);
    }

    #[test]
    fn a_grant_is_written_in_its_shortest_form_and_read_again() {
        let check = |text: &str, written: &str| {
            assert_eq!(grant(text).to_string(), written);
            assert_eq!(grant(written), grant(text));
        };
        check("example.org", "example.org");
        check("Example.ORG:8080", "example.org:8080");
        check("example.org:80", "example.org:80");
        check("HTTP://example.org:80", "http://example.org");
        check("https://example.org:443", "https://example.org");
        check("https://example.org:80", "https://example.org:80");
        check("example.org:*", "example.org:*");
        check("*.example.org:0443", "*.example.org:443");
        check("[0:0::1]:8080", "[::1]:8080");
        check("https://[::1]", "https://[::1]");
        check("127.0.0.1", "127.0.0.1");
        check("GET example.org", "GET example.org");
        check("HEAD,GET,GET  https://example.org:443", "GET,HEAD https://example.org");
        check("M-SEARCH 10.0.0.1:*", "M-SEARCH 10.0.0.1:*");
        check("my_host-1", "my_host-1");
        check("xn--bcher-kva.example", "xn--bcher-kva.example");
    }

    #[test]
    fn what_a_request_needs_is_told_as_a_grant() {
        let check = |scheme, host: &str, port, expected: &str| {
            let grant = HttpGrant::of(scheme, host, port).unwrap();
            assert_eq!(grant.to_string(), expected);
            assert!(grant.allows("GET", scheme, host, port));
        };
        check(HttpScheme::Http, "Example.org", 80, "example.org");
        check(HttpScheme::Https, "example.org", 443, "example.org");
        check(HttpScheme::Https, "example.org", 80, "example.org:80");
        check(HttpScheme::Http, "[::1]", 8080, "[::1]:8080");
        for host in ["127.1", "*.example.org"] {
            assert!(HttpGrant::of(HttpScheme::Http, host, 80).is_err(), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_told() {
        let check = |text: &str, problem: &str| {
            let error = text.parse::<HttpGrant>().unwrap_err();
            assert_eq!(error.to_string(), format!("invalid HTTP host `{text}`: {problem}"));
        };
        let nothing_else = |found| format!("expected HOST or HOST:PORT and nothing else, found `{found}`");
        check("", "the host is missing");
        check(":80", "the host is missing");
        check("https://", "the host is missing");
        check("*.", "the host is missing");
        check("example.org/path", &nothing_else('/'));
        check("example.org?x", &nothing_else('?'));
        check("user@example.org", &nothing_else('@'));
        check("ftp://example.org", "expected http:// or https:// before the host, found `ftp://`");
        check("://example.org", "expected http:// or https:// before the host, found `://`");
        check("example.org:", "port ``: expected 1 to 65535, or `*` for any");
        check("example.org:0", "port `0`: expected 1 to 65535, or `*` for any");
        check("example.org:65536", "port `65536`: expected 1 to 65535, or `*` for any");
        check("example.org:+80", "port `+80`: expected 1 to 65535, or `*` for any");
        check("example.org:http", "port `http`: expected 1 to 65535, or `*` for any");
        let star = "a `*` must be followed by a dot and a domain, as in *.example.org";
        for text in ["*", "*:80", "a.*.org", "*example.org", "*.*.org"] {
            check(text, star);
        }
        check("::1", "an IPv6 address needs brackets, such as [::1]");
        check("fe80::1:80", "an IPv6 address needs brackets, such as [::1]");
        check("[::1", "`[::1` is not an IPv6 address");
        check("[::g]", "`[::g]` is not an IPv6 address");
        check("[fe80::1%eth0]", "`[fe80::1%eth0]` is not an IPv6 address");
        for text in ["127.1", "1.2.3.4.5", "300.1.1.1", "2130706433", "0x7f000001", "a.1", "*.0.0.1"] {
            check(text, &format!("`{text}` is neither an IPv4 address nor a name"));
        }
        check("[two words]", "`[two words]` is not an IPv6 address");
        let method =
            |found| format!("method `{found}`: expected upper case, as in `GET,HEAD https://example.org`");
        check("two words", &method("two"));
        check("GET,get example.org", &method("get"));
        check("GET, example.org", &method(""));
        check(" example.org", &method(""));
        check("GET example .org", "a host cannot contain ' '");
        check("a%62.org", "a host cannot contain '%'");
        check(
            "bücher.example",
            "a name with non-ASCII letters must be in its ASCII form, beginning with xn--",
        );
        let length = "a name has at most 253 characters, and 1 to 63 between two dots";
        for text in ["example.org.", ".example.org", "a..b", &"x".repeat(64), &"abc.".repeat(64)[..255]] {
            check(text, length);
        }
    }
}
