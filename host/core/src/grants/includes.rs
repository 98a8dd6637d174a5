//! Whether some grants permit everything that others permit.

use super::Grants;

impl Grants {
    /// Whether these permit everything that the others do.
    ///
    /// `true` is always right. `false` may be wrong if one of the other grants is covered only by several of these together:
    /// two halves of a network do not include the whole, `http://example.org` and `https://example.org` do not include
    /// `example.org`, and looking up a name and connecting to any address do not include connecting by that name.
    pub fn includes(&self, others: &Self) -> bool {
        let Self { http, dirs, env, net, lookup } = self;
        let may_look_up = |pattern| {
            lookup
                .iter()
                .map(|grant| Some(grant.pattern()))
                .chain(net.iter().map(|grant| grant.names()))
                .flatten()
                .any(|names| names.includes(pattern))
        };
        others.http.iter().all(|other| http.iter().any(|grant| grant.includes(other)))
            && others.dirs.iter().all(|other| dirs.iter().any(|dir| dir.includes(other)))
            && others.env.iter().all(|other| env.iter().any(|grant| grant.includes(other)))
            && others.net.iter().all(|other| net.iter().any(|grant| grant.includes(other)))
            && others.lookup.iter().all(|other| may_look_up(other.pattern()))
    }
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::{HttpGrant, HttpScheme, LookupGrant, NetGrant, Transport};

    const HTTP: [&str; 16] = [
        "a.org",
        "*.org",
        "*.a.org",
        "b.a.org",
        "http://a.org",
        "https://a.org",
        "http://a.org:443",
        "a.org:443",
        "a.org:*",
        "http://*.org:*",
        "GET a.org",
        "GET,HEAD *.org",
        "POST *.org:*",
        "10.0.0.1",
        "[::1]:80",
        "10.0.0.1:*",
    ];
    const NET: [&str; 14] = [
        "*:*",
        "*:80",
        "tcp://*:80",
        "10.0.0.0/8:80",
        "10.0.0.1:80",
        "udp://10.0.0.1:80",
        "10.0.0.1:*",
        "[::]/0:80",
        "[::1]:80",
        "a.org:80",
        "*.org:*",
        "tcp://*.org:80",
        "b.a.org:80",
        "0.0.0.0/0:*",
    ];
    const LOOKUP: [&str; 4] = ["a.org", "*.org", "*.a.org", "b.a.org"];
    const NAMES: [&str; 6] = ["a.org", "b.a.org", "c.b.a.org", "org", "a.com", "10.0.0.1"];
    const ADDRESSES: [&str; 5] = ["10.0.0.1", "10.1.0.1", "11.0.0.1", "::1", "fd00::1"];
    const PORTS: [u16; 3] = [80, 443, 81];

    fn grants() -> impl Strategy<Value = Grants> {
        fn some(texts: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
            prop::collection::vec(select(texts), 0..4)
        }
        (some(&HTTP), some(&NET), some(&LOOKUP)).prop_map(|(http, net, lookup)| Grants {
            http: http.into_iter().map(|text| text.parse().unwrap()).collect(),
            net: net.into_iter().map(|text| text.parse().unwrap()).collect(),
            lookup: lookup.into_iter().map(|text| text.parse().unwrap()).collect(),
            ..Grants::default()
        })
    }

    /// Whether something is permitted, for each of many things.
    fn permitted(grants: &Grants) -> Vec<bool> {
        let mut answers = Vec::new();
        let addresses: Vec<IpAddr> = ADDRESSES.iter().map(|text| text.parse().unwrap()).collect();
        for port in PORTS {
            for transport in [Transport::Tcp, Transport::Udp] {
                answers
                    .extend(addresses.iter().map(|address| grants.allows_address(transport, *address, port)));
                answers.extend(NAMES.iter().map(|name| grants.allows_name(transport, name, port)));
            }
            for (scheme, method) in [
                (HttpScheme::Http, "GET"),
                (HttpScheme::Https, "GET"),
                (HttpScheme::Http, "POST"),
                (HttpScheme::Https, "HEAD"),
            ] {
                answers.extend(NAMES.iter().map(|name| grants.allows_http(method, scheme, name, port)));
                answers.push(grants.allows_http(method, scheme, "[::1]", port));
                let allows = |address: &IpAddr| {
                    grants.http.iter().any(|grant| grant.allows_address(method, scheme, *address, port))
                };
                answers.extend(addresses.iter().map(allows));
            }
        }
        answers.extend(NAMES.iter().map(|name| grants.allows_lookup(name)));
        answers
    }

    proptest! {
        #[test]
        fn what_is_included_permits_no_more(one in grants(), other in grants()) {
            prop_assert!(one.includes(&one) && one.includes(&Grants::default()));
            let both = Grants {
                http: [&*one.http, &*other.http].concat(),
                net: [&*one.net, &*other.net].concat(),
                lookup: [&*one.lookup, &*other.lookup].concat(),
                ..Grants::default()
            };
            prop_assert!(both.includes(&one) && both.includes(&other));
            if one.includes(&other) {
                let more = permitted(&one);
                prop_assert!(permitted(&other).into_iter().zip(more).all(|(other, one)| one || !other));
            }
        }
    }

    /// Every pair, since random ones seldom include each other.
    #[test]
    fn what_one_grant_includes_it_permits() {
        let http = HTTP.map(|text| Grants { http: vec![text.parse().unwrap()], ..Grants::default() });
        let net = NET.map(|text| Grants { net: vec![text.parse().unwrap()], ..Grants::default() });
        let lookup = LOOKUP.map(|text| Grants { lookup: vec![text.parse().unwrap()], ..Grants::default() });
        let all: Vec<Grants> = http.into_iter().chain(net).chain(lookup).collect();
        for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other))) {
            let permits_all =
                permitted(other).into_iter().zip(permitted(one)).all(|(other, one)| one || !other);
            assert!(permits_all || !one.includes(other), "{:?} {:?}", one.texts(), other.texts());
        }
    }

    #[test]
    fn wider_grants_include_narrower_ones() {
        fn check<T: std::str::FromStr<Err: std::fmt::Debug>>(
            includes: fn(&T, &T) -> bool,
            one: &str,
            other: &str,
            expected: bool,
        ) {
            assert_eq!(includes(&one.parse().unwrap(), &other.parse().unwrap()), expected, "{one} {other}");
        }
        let http = |one, other, expected| check(HttpGrant::includes, one, other, expected);
        http("a.org", "http://a.org", true);
        http("a.org:80", "http://a.org", true);
        http("a.org", "a.org:80", false);
        http("a.org:*", "GET a.org:80", true);
        http("GET a.org", "a.org", false);
        http("GET,HEAD a.org", "HEAD a.org", true);
        http("*.org", "*.a.org", true);
        http("*.org", "*.org", true);
        http("*.a.org", "a.org", false);
        http("10.0.0.1", "10.0.0.1:80", false);
        // A domain ends at a dot.
        http("*.a.org", "*.b.a.org", true);
        http("*.a.org", "*.xa.org", false);
        http("*.a.org", "xa.org", false);
        let net = |one, other, expected| check(NetGrant::includes, one, other, expected);
        net("*:*", "tcp://10.0.0.0/8:80", true);
        net("*:*", "a.org:80", false);
        net("10.0.0.0/8:80", "tcp://10.0.0.1:80", true);
        net("10.0.0.1:80", "10.0.0.0/8:80", false);
        net("tcp://a.org:80", "a.org:80", false);
        net("*.org:*", "udp://a.org:80", true);
        net("*.a.org:80", "*.xa.org:80", false);
        let lookup = |one, other, expected| check(LookupGrant::includes, one, other, expected);
        lookup("*.org", "a.org", true);
        lookup("a.org", "*.a.org", false);
        lookup("*.a.org", "*.xa.org", false);
        let of_net = Grants { net: vec!["*.org:80".parse().unwrap()], ..Grants::default() };
        let of_lookup = Grants { lookup: vec!["a.org".parse().unwrap()], ..Grants::default() };
        assert!(of_net.includes(&of_lookup) && !of_lookup.includes(&of_net));
        let env = |text: &str| Grants { env: vec![text.parse().unwrap()], ..Grants::default() };
        assert!(env("A=1").includes(&env("A=1")) && !env("A=1").includes(&env("A=2")));
        let dir = |text: &str| Grants { dirs: vec![text.parse().unwrap()], ..Grants::default() };
        assert!(dir("a").includes(&dir("a:ro")) && !dir("a").includes(&dir("b")));
    }
}
