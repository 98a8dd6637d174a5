//! Any text as a grant of any kind, and whether a grant allows what a simpler reading of it says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hostel_core::{DirGrant, EnvGrant, Grants, HttpGrant, HttpScheme, LookupGrant, NetGrant, Transport};

use crate::{Target, input};

pub(super) const TARGET: Target = Target::new("grants", run, 150_000).words(WORDS).seeds(seeds);

/// What is tried with each kind of grant: two lines.
const KINDS: &[fn(&str, &str)] = &[http, dirs, net, lookup, env, all];

const WORDS: &[&str] = &[
    "http://",
    "https://",
    "tcp://",
    "udp://",
    "GET ",
    "GET,POST ",
    "/8",
    "=",
    "HTTP://",
    "*.",
    "*",
    ":",
    ":*",
    ":80",
    ":443",
    ":8080",
    ":0",
    ":65535",
    ":65536",
    "[",
    "]",
    "[::1]",
    "::",
    "::ffff:1.2.3.4",
    "127.0.0.1",
    "0x7f",
    "example.org",
    "EXAMPLE",
    "a",
    "A",
    ".",
    "-",
    "_",
    "xn--",
    "@",
    "/",
    "?",
    "#",
    "%",
    "\u{e4}",
    "::",
    ":ro",
    ":rw",
    "/data",
    "data",
    "..",
    "\"",
    " ",
];

fn run(bytes: &[u8]) {
    let [Some(one), other] = input::lines(bytes) else { return };
    for kind in KINDS {
        kind(one, other.unwrap_or_default());
    }
}

/// A grant and a host.
fn http(text: &str, host: &str) {
    let grant = input::read::<HttpGrant>(text);
    for (scheme, port) in [
        (HttpScheme::Http, 80),
        (HttpScheme::Http, 443),
        (HttpScheme::Https, 443),
        (HttpScheme::Https, 80),
        (HttpScheme::Https, 8080),
    ] {
        if let Some(grant) = &grant {
            for method in ["GET", "POST"] {
                let expected = allows(&grant.to_string(), method, scheme, host, port);
                let allowed = grant.allows(method, scheme, host, port);
                assert_eq!(allowed, expected, "{grant}: {method} {scheme:?} {host:?} {port}");
            }
        }
        if let Ok(exact) = HttpGrant::of(scheme, host, port) {
            assert!(exact.allows("PUT", scheme, host, port), "{exact} is of {host:?}");
            let only = exact.clone().only("GET").unwrap();
            assert!(
                exact.includes(&only) && !only.includes(&exact) && !only.allows("PUT", scheme, host, port)
            );
            assert_eq!(input::read(&exact.to_string()), Some(exact));
        }
    }
}

/// The rule for grants of HTTP as text, as it stands in their documentation.
fn allows(grant: &str, method: &str, scheme: HttpScheme, host: &str, port: u16) -> bool {
    let (methods, grant) = grant.split_once(' ').map_or(("", grant), |(methods, grant)| (methods, grant));
    if !methods.is_empty() && !methods.split(',').any(|only| only == method) {
        return false;
    }
    let (only, place) = grant.split_once("://").map_or((None, grant), |(only, place)| (Some(only), place));
    if only.is_some_and(|only| only != scheme.name()) {
        return false;
    }
    let colon = place.rfind(':').filter(|colon| place.rfind(']').is_none_or(|bracket| bracket < *colon));
    let (name, allowed_port) = colon.map_or((place, ""), |colon| (&place[..colon], &place[colon + 1..]));
    let is_port = match allowed_port {
        "" => port == scheme.usual_port(),
        "*" => true,
        number => number == port.to_string(),
    };
    is_port && is_host(name, &host.to_ascii_lowercase())
}

fn is_host(name: &str, host: &str) -> bool {
    let v6 = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    if let Some(address) = v6(name) {
        return v6(host) == Some(address);
    }
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        return host.parse() == Ok(address);
    }
    let Some(domain) = name.strip_prefix('*') else { return name == host };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
    };
    let below = host.strip_suffix(domain);
    below.is_some_and(|below| below.len() <= 253 && below.split('.').all(is_label))
}

/// Two grants.
fn dirs(one: &str, other: &str) {
    let read = |text: &str| {
        let grant = input::read::<DirGrant>(text)?;
        assert!(
            !grant.guest().is_empty() && (grant.guest() == "/" || !grant.guest().ends_with('/')),
            "{grant}"
        );
        let again = DirGrant::new(grant.host(), grant.guest()).map(|again| again.with_access(grant.access()));
        assert_eq!(again.as_ref(), Ok(&grant));
        Some(grant)
    };
    let (Some(one), Some(other)) = (read(one), read(other)) else { return };
    let only = |dir: &DirGrant| Grants { dirs: vec![dir.clone()], ..Grants::default() };
    if only(&one).facts(false) == only(&other).facts(false) {
        assert_eq!(one, other, "the key of the cache tells two grants apart");
    }
    let both = Grants { dirs: vec![one.clone(), other.clone()], ..Grants::default() };
    assert_eq!(both.check().is_err(), one != other && one.guest() == other.guest(), "{one} and {other}");
    assert!(both.dirs_by_name().is_sorted_by_key(|dir| dir.guest()));
}

/// Addresses that differ in what is special about them.
const ADDRESSES: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3)),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)),
];

/// Two grants: what includes another permits all that the other does.
fn net(one: &str, other: &str) {
    let (Some(one), Some(other)) = (input::read::<NetGrant>(one), input::read::<NetGrant>(other)) else {
        return;
    };
    assert!(one.includes(&one) && other.includes(&other));
    for transport in [Transport::Tcp, Transport::Udp] {
        for port in [0, 53, 443, u16::MAX] {
            let allowed = ADDRESSES.map(|address| {
                (one.allows(transport, address, port), other.allows(transport, address, port))
            });
            if one.includes(&other) {
                assert!(allowed.iter().all(|(one, other)| *one || !other), "{one} includes {other}");
            }
        }
    }
    for address in ADDRESSES {
        let exact = NetGrant::of(Transport::Tcp, address, 443);
        assert_eq!(input::read(&exact.to_string()), Some(exact.clone()));
        if one.includes(&exact) {
            assert!(one.allows(Transport::Tcp, address, 443), "{one} includes {exact}");
        }
    }
}

/// Two grants, of which the second may be a name.
fn lookup(one: &str, other: &str) {
    let Some(one) = input::read::<LookupGrant>(one) else { return };
    assert!(one.includes(&one));
    let Some(name) = input::read::<LookupGrant>(other) else { return };
    if one.includes(&name) && !other.contains('*') {
        assert!(one.allows(other), "{one} includes {name}");
    }
}

/// A variable: what it is set to is told to nobody.
fn env(one: &str, _: &str) {
    let Ok(grant) = one.parse::<EnvGrant>() else { return };
    assert_eq!(EnvGrant::new(grant.name(), grant.value()).as_ref(), Ok(&grant));
    assert_eq!(one, format!("{}={}", grant.name(), grant.value()));
    let told = grant.to_string();
    let is_told = told.strip_prefix(grant.name()).is_some_and(|rest| rest.contains(grant.value()));
    assert!(!is_told || grant.value().len() <= 3, "{told}");
    assert!(grant.includes(&grant));
}

/// All that a text can be, together: it includes itself and nothing, and nothing includes it.
fn all(one: &str, other: &str) {
    let mut grants = Grants::default();
    for text in [one, other] {
        grants.dirs.extend(text.parse::<DirGrant>());
        grants.env.extend(text.parse::<EnvGrant>());
        grants.http.extend(text.parse::<HttpGrant>());
        grants.net.extend(text.parse::<NetGrant>());
        grants.lookup.extend(text.parse::<LookupGrant>());
    }
    assert!(grants.includes(&grants) && grants.includes(&Grants::default()));
    assert_eq!(Grants::default().includes(&grants), grants.is_empty());
    assert!(grants.facts(false).is_sorted());
}

fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "GET,HEAD https://example.org\nexample.org",
        "tcp://10.0.0.0/8:443\n10.1.2.3:443",
        "[fd00::]/8:*\nudp://[fd00::1]:53",
        "*:443\ntcp://127.0.0.1:443",
        "*.example.org:5432\ndb.example.org:5432",
        "*.example.org\na.example.org",
        "NAME=value\nNAME=",
        "example.org\nexample.org",
        "*.example.org:8080\nA.b.Example.org",
        "http://[::1]:*\n[0:0::1]",
        "127.0.0.1:80\n127.0.0.1",
        "https://a_b:443\na_b",
        "/srv/data::/data:ro\n/data",
        "data\ndata/",
        ".::/\n/::/",
        "a::b::c\na b",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
