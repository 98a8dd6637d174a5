//! Outgoing HTTP: which hosts a task may talk to.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt::{self, Display};
use std::str::FromStr;

use crate::ErrorKind;

/// The longest name that the name system has, and the longest part of one (RFC 1035, section 2.3.4).
const NAME_BYTES: usize = 253;
const LABEL_BYTES: usize = 63;

/// How an HTTP request travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HttpScheme {
    /// In the clear.
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

    /// The port that is meant where none is named: 80 or 443.
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
/// but not for itself. Then perhaps `:8080` for that port, or `:*` for any; without it the usual port of the scheme is
/// meant, 80 or 443. In front perhaps `http://` or `https://`; without it both are.
///
/// Hosts are compared as they are written in a URL, but for upper and lower case: a name is permitted wherever it leads,
/// and an address does not permit the names that lead to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HttpGrant {
    host: Host,
    port: Port,
    scheme: Option<HttpScheme>,
}

/// Names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Host {
    Name(Box<str>),
    /// All names that end in a dot and this.
    Below(Box<str>),
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
    /// Permits what a request to this place needs, and no more; `host` as in a URL, an IPv6 address in brackets.
    ///
    /// # Errors
    ///
    /// [`ParseHttpGrantError`] for a host that no grant can name.
    pub fn of(scheme: HttpScheme, host: &str, port: u16) -> Result<Self, ParseHttpGrantError> {
        let host = parse_host(host)
            .and_then(Host::single)
            .map_err(|problem| ParseHttpGrantError { text: host.to_owned(), problem })?;
        let port = if port == scheme.usual_port() { Port::Usual } else { Port::Only(port) };
        Ok(Self { host, port, scheme: None })
    }

    /// Whether an outgoing request may go there; `host` as in a URL, an IPv6 address in brackets.
    pub fn allows(&self, scheme: HttpScheme, host: &str, port: u16) -> bool {
        self.scheme.is_none_or(|only| only == scheme)
            && self.host.includes(host)
            && self.port.includes(scheme, port)
    }
}

impl Host {
    /// Returns this if it is one host: a request goes to one.
    fn single(self) -> Result<Self, Problem> {
        if let Self::Below(_) = self { Err("a host has no '*' in it".to_owned()) } else { Ok(self) }
    }

    fn includes(&self, host: &str) -> bool {
        match self {
            Self::Name(name) => host.eq_ignore_ascii_case(name),
            Self::Below(domain) => {
                let host = host.to_ascii_lowercase();
                let below = host.strip_suffix(&**domain).and_then(|rest| rest.strip_suffix('.'));
                below.is_some_and(|labels| parse_name(labels).is_ok())
            }
            Self::V4(address) => host.parse() == Ok(*address),
            Self::V6(address) => in_brackets(host).is_some_and(|host| host.parse() == Ok(*address)),
        }
    }
}

impl Port {
    fn includes(self, scheme: HttpScheme, port: u16) -> bool {
        match self {
            Self::Usual => port == scheme.usual_port(),
            Self::Only(only) => port == only,
            Self::Any => true,
        }
    }
}

impl Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = self.scheme {
            write!(f, "{}://", scheme.name())?;
        }
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Below(domain) => write!(f, "*.{domain}")?,
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

/// A text names no host that HTTP could be permitted to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no host for HTTP: {problem}")]
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

/// What is wrong with a text, in words.
type Problem = String;

fn parse(text: &str) -> Result<HttpGrant, Problem> {
    let (scheme, place) = match text.split_once("://") {
        Some((scheme, place)) => (Some(parse_scheme(scheme)?), place),
        None => (None, text),
    };
    if let Some(wrong) = place.chars().find(|character| "/?#@".contains(*character)) {
        return Err(format!("expected HOST or HOST:PORT and nothing else, found `{wrong}`"));
    }
    let (host, port) = match place.rsplit_once(':') {
        // Otherwise it is a colon of an address in brackets.
        Some((host, port)) if !host.starts_with('[') || host.ends_with(']') => (host, parse_port(port)?),
        _ => (place, Port::Usual),
    };
    if host.contains(':') && !host.starts_with('[') {
        return Err("an IPv6 address stands in brackets, such as [::1]".to_owned());
    }
    let host = parse_host(host)?;
    let is_usual = |scheme: HttpScheme| port == Port::Only(scheme.usual_port());
    let port = if scheme.is_some_and(is_usual) { Port::Usual } else { port };
    Ok(HttpGrant { host, port, scheme })
}

fn parse_scheme(text: &str) -> Result<HttpScheme, Problem> {
    let is_named = |scheme: &HttpScheme| text.eq_ignore_ascii_case(scheme.name());
    let scheme = [HttpScheme::Http, HttpScheme::Https].into_iter().find(is_named);
    scheme.ok_or_else(|| format!("expected http:// or https:// in front of the host, found `{text}://`"))
}

fn parse_port(text: &str) -> Result<Port, Problem> {
    if text == "*" {
        return Ok(Port::Any);
    }
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let port = digits.and_then(|text| text.parse().ok()).filter(|port| *port != 0);
    port.map(Port::Only).ok_or_else(|| format!("port `{text}`: expected 1 to 65535, or `*` for any"))
}

fn parse_host(text: &str) -> Result<Host, Problem> {
    if text.starts_with('[') {
        let address = in_brackets(text).and_then(|address| address.parse().ok());
        return address.map(Host::V6).ok_or_else(|| format!("`{text}` is no IPv6 address"));
    }
    let (domain, is_below) = match text.strip_prefix("*.") {
        Some(domain) => (domain, true),
        None => (text, false),
    };
    if domain.contains('*') {
        return Err("a `*` stands in front of a domain, as in *.example.org".to_owned());
    }
    // What ends in a number is an address to everyone who resolves names (URL Standard, section 3.5).
    if domain.rsplit('.').next().is_some_and(is_number) {
        let address = domain.parse().ok().filter(|_| !is_below);
        return address.map(Host::V4).ok_or_else(|| format!("`{text}` is no IPv4 address, and no name"));
    }
    parse_name(domain)?;
    let name = domain.to_ascii_lowercase().into();
    Ok(if is_below { Host::Below(name) } else { Host::Name(name) })
}

fn parse_name(name: &str) -> Result<(), Problem> {
    if name.is_empty() {
        return Err("the host is missing".to_owned());
    }
    if !name.is_ascii() {
        return Err(
            "a name with other than ASCII letters is written as it is sent, beginning with xn--".to_owned()
        );
    }
    let is_part_of_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if let Some(wrong) = name.bytes().find(|byte| !is_part_of_label(*byte) && *byte != b'.') {
        return Err(format!("a host has no {:?} in it", char::from(wrong)));
    }
    let is_label = |label: &str| !label.is_empty() && label.len() <= LABEL_BYTES;
    if name.len() > NAME_BYTES || !name.split('.').all(is_label) {
        return Err(format!(
            "a name has at most {NAME_BYTES} characters, and 1 to {LABEL_BYTES} between two dots"
        ));
    }
    Ok(())
}

fn is_number(label: &str) -> bool {
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let all_digits = !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    all_digits || label.strip_prefix("0x").or(label.strip_prefix("0X")).is_some_and(is_hex)
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
    fn a_grant_allows_what_it_names_and_nothing_else() {
        use HttpScheme::{Http, Https};
        let check = |text: &str, scheme, host: &str, port, expected| {
            let allowed = grant(text).allows(scheme, host, port);
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
        check("my_host-1", "my_host-1");
        check("xn--bcher-kva.example", "xn--bcher-kva.example");
    }

    #[test]
    fn what_a_request_needs_is_told_as_a_grant() {
        let check = |scheme, host: &str, port, expected: &str| {
            let grant = HttpGrant::of(scheme, host, port).unwrap();
            assert_eq!(grant.to_string(), expected);
            assert!(grant.allows(scheme, host, port));
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
            assert_eq!(error.to_string(), format!("`{text}` is no host for HTTP: {problem}"));
        };
        let nothing_else = |found| format!("expected HOST or HOST:PORT and nothing else, found `{found}`");
        check("", "the host is missing");
        check(":80", "the host is missing");
        check("https://", "the host is missing");
        check("*.", "the host is missing");
        check("example.org/path", &nothing_else('/'));
        check("http://example.org/", &nothing_else('/'));
        check("example.org?x", &nothing_else('?'));
        check("user@example.org", &nothing_else('@'));
        check("ftp://example.org", "expected http:// or https:// in front of the host, found `ftp://`");
        check("://example.org", "expected http:// or https:// in front of the host, found `://`");
        check("example.org:", "port ``: expected 1 to 65535, or `*` for any");
        check("example.org:0", "port `0`: expected 1 to 65535, or `*` for any");
        check("example.org:65536", "port `65536`: expected 1 to 65535, or `*` for any");
        check("example.org:+80", "port `+80`: expected 1 to 65535, or `*` for any");
        check("example.org:http", "port `http`: expected 1 to 65535, or `*` for any");
        let star = "a `*` stands in front of a domain, as in *.example.org";
        for text in ["*", "*:80", "a.*.org", "*example.org", "*.*.org"] {
            check(text, star);
        }
        check("::1", "an IPv6 address stands in brackets, such as [::1]");
        check("fe80::1:80", "an IPv6 address stands in brackets, such as [::1]");
        check("[::1", "`[::1` is no IPv6 address");
        check("[::g]", "`[::g]` is no IPv6 address");
        check("[fe80::1%eth0]", "`[fe80::1%eth0]` is no IPv6 address");
        for text in ["127.1", "1.2.3.4.5", "300.1.1.1", "2130706433", "0x7f000001", "a.1", "*.0.0.1"] {
            check(text, &format!("`{text}` is no IPv4 address, and no name"));
        }
        check("two words", "a host has no ' ' in it");
        check("a%62.org", "a host has no '%' in it");
        check(
            "bücher.example",
            "a name with other than ASCII letters is written as it is sent, beginning with xn--",
        );
        let length = "a name has at most 253 characters, and 1 to 63 between two dots";
        for text in ["example.org.", ".example.org", "a..b", &"x".repeat(64), &"abc.".repeat(64)[..255]] {
            check(text, length);
        }
    }
}
