//! Grants of TCP and UDP: addresses, names and ports.

use core::net::IpAddr;
use std::fmt::{self, Display};
use std::str::FromStr;

use super::address::AddressRange;
use super::name::{NamePattern, Problem, ends_in_number, parse_pattern};
use crate::ErrorKind;

/// The protocol of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// A stream over a connection.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Transport {
    /// `tcp` or `udp`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// Permits connections over TCP, and datagrams over UDP, to addresses or to the addresses of a name, at one port or any.
///
/// As text: `HOST:PORT`. HOST is an IPv4 address, an IPv6 address in brackets, either with `/` and a number of bits for a
/// whole network (`10.0.0.0/8:443`, `[fd00::]/8:443`), `*` for any address, or a name: `db.example.org`, or
/// `*.example.org` for every name below it. PORT is a number, or `*` for any. `tcp://` or `udp://` may precede; without it
/// both protocols are permitted.
///
/// A name also permits looking it up, and leads to the addresses that are found for it while the task runs, if it
/// [may lead](crate::may_lead_to) there. An address does not permit looking up names that lead to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetGrant {
    host: Host,
    /// `None` for any.
    port: Option<u16>,
    transport: Option<Transport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Host {
    Any,
    Range(AddressRange),
    Name(NamePattern),
}

impl NetGrant {
    /// The narrowest grant for a connection to this address.
    pub fn of(transport: Transport, address: IpAddr, port: u16) -> Self {
        let host = Host::Range(AddressRange::one(address));
        Self { host, port: Some(port), transport: Some(transport) }
    }

    /// Whether it permits connections to this address, whatever names lead there.
    pub fn allows(&self, transport: Transport, address: IpAddr, port: u16) -> bool {
        self.allows_address(address) && self.allows_port(transport, port)
    }

    /// Whether it permits connections to the addresses of this name.
    pub fn allows_name(&self, transport: Transport, name: &str, port: u16) -> bool {
        self.names().is_some_and(|names| names.allows(name)) && self.allows_port(transport, port)
    }

    /// Whether it permits looking up this name.
    pub fn allows_lookup(&self, name: &str) -> bool {
        self.names().is_some_and(|names| names.allows(name))
    }

    /// Whether it permits connections to this address over some protocol, at some port.
    pub fn allows_address(&self, address: IpAddr) -> bool {
        match &self.host {
            Host::Any => true,
            Host::Range(range) => range.contains(address),
            Host::Name(_) => false,
        }
    }

    /// Whether it is for this protocol.
    pub fn is_for(&self, transport: Transport) -> bool {
        self.transport.is_none_or(|only| only == transport)
    }

    /// Its port as text: `443`, or `*` for any.
    pub fn port_text(&self) -> String {
        self.port.map_or_else(|| "*".to_owned(), |port| port.to_string())
    }

    /// Whether it permits everything that the other permits. A grant for any address includes no names: it permits no look-up.
    pub fn includes(&self, other: &Self) -> bool {
        let hosts = match (&self.host, &other.host) {
            (Host::Any, Host::Any | Host::Range(_)) => true,
            (Host::Range(range), Host::Range(other)) => range.includes(other),
            (Host::Name(names), Host::Name(other)) => names.includes(other),
            (Host::Any | Host::Range(_), Host::Name(_)) | (Host::Range(_) | Host::Name(_), _) => false,
        };
        hosts
            && (self.port.is_none() || self.port == other.port)
            && (self.transport.is_none() || self.transport == other.transport)
    }

    pub(super) const fn names(&self) -> Option<&NamePattern> {
        match &self.host {
            Host::Name(names) => Some(names),
            Host::Any | Host::Range(_) => None,
        }
    }

    fn allows_port(&self, transport: Transport, port: u16) -> bool {
        self.is_for(transport) && self.port.is_none_or(|only| only == port)
    }
}

impl Display for NetGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(transport) = self.transport {
            write!(f, "{}://", transport.name())?;
        }
        match &self.host {
            Host::Any => f.write_str("*"),
            Host::Range(range) => range.fmt(f),
            Host::Name(names) => names.fmt(f),
        }?;
        write!(f, ":{}", self.port_text())
    }
}

/// The error for a text that is not a TCP or UDP grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid HOST:PORT `{text}` for TCP or UDP: {problem}")]
pub struct ParseNetGrantError {
    text: String,
    problem: String,
}

impl ParseNetGrantError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl FromStr for NetGrant {
    type Err = ParseNetGrantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|problem| ParseNetGrantError { text: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<NetGrant, Problem> {
    let (transport, place) = match text.split_once("://") {
        Some((transport, place)) => (Some(parse_transport(transport)?), place),
        None => (None, text),
    };
    // Otherwise the colon belongs to an address in brackets.
    let ends = |(_, port): &(&str, &str)| !port.contains(']');
    let Some((host, port)) = place.rsplit_once(':').filter(ends) else {
        return Err("the port is missing; `:*` allows any".to_owned());
    };
    Ok(NetGrant { host: parse_host(host)?, port: parse_port(port)?, transport })
}

fn parse_transport(text: &str) -> Result<Transport, Problem> {
    let is_named = |transport: &Transport| text.eq_ignore_ascii_case(transport.name());
    let transport = [Transport::Tcp, Transport::Udp].into_iter().find(is_named);
    transport.ok_or_else(|| format!("expected tcp:// or udp:// before the host, found `{text}://`"))
}

/// Parses a port; `None` is any.
pub(super) fn parse_port(text: &str) -> Result<Option<u16>, Problem> {
    if text == "*" {
        return Ok(None);
    }
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let port = digits.and_then(|text| text.parse().ok()).filter(|port| *port != 0);
    port.map(Some).ok_or_else(|| format!("port `{text}`: expected 1 to 65535, or `*` for any"))
}

fn parse_host(text: &str) -> Result<Host, Problem> {
    if text == "*" {
        return Ok(Host::Any);
    }
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    if !address.starts_with('[') && address.contains(':') {
        return Err(COLON.to_owned());
    }
    if !address.starts_with('[') && !ends_in_number(address) {
        return match bits {
            None => parse_pattern(text).map(Host::Name),
            Some(_) => Err(format!("`{text}` is not a network: expected an address before the `/`")),
        };
    }
    let parsed =
        parse_address(address).ok_or_else(|| format!("`{address}` is neither an address nor a name"))?;
    let Some(bits) = bits else { return Ok(Host::Range(AddressRange::one(parsed))) };
    // Text that is not a number becomes a number that is too large.
    let range = AddressRange::new(parsed, bits.parse().unwrap_or(u8::MAX));
    range.map(Host::Range).map_err(|problem| format!("`{text}` is not a network: {problem}"))
}

/// The error for too many colons.
const COLON: &str = "only one `:` may precede the port; an IPv6 address needs brackets, as in [::1]:443, and a protocol \
                     needs `//`, as in tcp://";

fn parse_address(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => text.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> NetGrant {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_grant_allows_the_addresses_it_names_and_no_others() {
        use Transport::{Tcp, Udp};
        let check = |text: &str, transport, address: &str, port, expected| {
            let allowed = grant(text).allows(transport, address.parse().unwrap(), port);
            assert_eq!(allowed, expected, "{text}: {transport:?} {address} {port}");
        };
        check("10.0.0.1:5432", Tcp, "10.0.0.1", 5432, true);
        check("10.0.0.1:5432", Udp, "10.0.0.1", 5432, true);
        check("10.0.0.1:5432", Tcp, "10.0.0.1", 5433, false);
        check("10.0.0.1:5432", Tcp, "10.0.0.2", 5432, false);
        check("tcp://10.0.0.1:5432", Udp, "10.0.0.1", 5432, false);
        check("udp://10.0.0.1:53", Udp, "10.0.0.1", 53, true);
        check("udp://10.0.0.1:53", Tcp, "10.0.0.1", 53, false);
        check("10.0.0.0/8:*", Tcp, "10.255.0.1", 1, true);
        check("10.0.0.0/8:*", Tcp, "11.0.0.1", 1, false);
        check("[::1]:80", Tcp, "::1", 80, true);
        check("[::1]:80", Tcp, "::2", 80, false);
        check("[fd00::]/8:80", Tcp, "fd12::1", 80, true);
        check("[fd00::]/8:80", Tcp, "fe80::1", 80, false);
        check("*:443", Tcp, "1.1.1.1", 443, true);
        check("*:443", Tcp, "127.0.0.1", 443, true);
        check("*:443", Tcp, "::1", 443, true);
        check("*:443", Tcp, "1.1.1.1", 444, false);
        check("db.example.org:5432", Tcp, "1.1.1.1", 5432, false);
    }

    #[test]
    fn a_name_may_be_looked_up_and_leads_where_it_leads() {
        let check = |text: &str, name: &str, port, expected| {
            assert_eq!(
                grant(text).allows_name(Transport::Tcp, name, port),
                expected,
                "{text}: {name} {port}"
            );
        };
        check("db.example.org:5432", "DB.example.org", 5432, true);
        check("db.example.org:5432", "db.example.org", 5433, false);
        check("udp://db.example.org:5432", "db.example.org", 5432, false);
        check("*.example.org:*", "a.b.example.org", 1, true);
        check("*.example.org:*", "example.org", 1, false);
        check("*:*", "example.org", 1, false);
        check("10.0.0.1:*", "10.0.0.1", 1, false);
        assert!(grant("db.example.org:1").allows_lookup("db.example.org"));
        assert!(!grant("*:*").allows_lookup("db.example.org"));
    }

    #[test]
    fn a_grant_is_written_as_it_is_read() {
        let check = |text: &str, written: &str| {
            assert_eq!(grant(text).to_string(), written);
            assert_eq!(grant(written), grant(text));
        };
        check("10.0.0.1:5432", "10.0.0.1:5432");
        check("TCP://10.0.0.0/8:05432", "tcp://10.0.0.0/8:5432");
        check("10.0.0.1/32:1", "10.0.0.1:1");
        check("udp://[0:0::1]:*", "udp://[::1]:*");
        check("[FD00::]/8:443", "[fd00::]/8:443");
        check("*:443", "*:443");
        check("*.Example.org:*", "*.example.org:*");
        check("db.example.org:5432", "db.example.org:5432");
        assert_eq!(NetGrant::of(Transport::Udp, "::1".parse().unwrap(), 53).to_string(), "udp://[::1]:53");
    }

    #[test]
    fn what_is_no_place_is_told() {
        let check = |text: &str, problem: &str| {
            let error = text.parse::<NetGrant>().unwrap_err().to_string();
            assert_eq!(error, format!("invalid HOST:PORT `{text}` for TCP or UDP: {problem}"));
        };
        check("", "the port is missing; `:*` allows any");
        check("example.org", "the port is missing; `:*` allows any");
        check("[::1]", "the port is missing; `:*` allows any");
        check(":80", "the host is missing");
        check("example.org:", "port ``: expected 1 to 65535, or `*` for any");
        check("example.org:0", "port `0`: expected 1 to 65535, or `*` for any");
        check("example.org:65536", "port `65536`: expected 1 to 65535, or `*` for any");
        check("http://example.org:80", "expected tcp:// or udp:// before the host, found `http://`");
        check("::1:80", COLON);
        check("tcp:/a:80", COLON);
        check("[::1:80", "`[::1` is neither an address nor a name");
        check("127.1:80", "`127.1` is neither an address nor a name");
        check("0x7f000001:80", "`0x7f000001` is neither an address nor a name");
        check("example.org/8:80", "`example.org/8` is not a network: expected an address before the `/`");
        for (range, problem) in [
            ("10.0.0.1/8", "expected 10.0.0.0/8"),
            ("10.0.0.0/33", "expected /0 to /32 after the address"),
            ("10.0.0.0/", "expected /0 to /32 after the address"),
            ("255.255.255.255/0", "expected 0.0.0.0/0"),
            ("[::1]/64", "expected [::]/64"),
            ("[::]/129", "expected /0 to /128 after the address"),
        ] {
            check(&format!("{range}:80"), &format!("`{range}` is not a network: {problem}"));
        }
        check("**:80", "a `*` must be followed by a dot and a domain, as in *.example.org");
        check("user@example.org:80", "a host cannot contain '@'");
    }
}
