//! Any text as a grant of any kind, and whether a grant allows what a simpler reading of it says.

use std::net::{Ipv4Addr, Ipv6Addr};

use hostel_core::{DirGrant, Grants, HttpGrant, HttpScheme};

use crate::{Target, input};

pub(super) const TARGET: Target = Target::new("grants", run, 150_000).words(WORDS).seeds(seeds);

/// What is tried with each kind of grant: two lines.
const KINDS: &[fn(&str, &str)] = &[http, dirs];

const WORDS: &[&str] = &[
    "http://",
    "https://",
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
            let expected = allows(&grant.to_string(), scheme, host, port);
            assert_eq!(grant.allows(scheme, host, port), expected, "{grant}: {scheme:?} {host:?} {port}");
        }
        if let Ok(exact) = HttpGrant::of(scheme, host, port) {
            assert!(exact.allows(scheme, host, port), "{exact} is of {host:?}");
            assert_eq!(input::read(&exact.to_string()), Some(exact));
        }
    }
}

/// The rule for grants of HTTP as text, as it stands in their documentation.
fn allows(grant: &str, scheme: HttpScheme, host: &str, port: u16) -> bool {
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
        assert_eq!(DirGrant::new(grant.host(), grant.guest()).as_ref(), Ok(&grant));
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

fn seeds() -> Vec<Vec<u8>> {
    let texts = [
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
