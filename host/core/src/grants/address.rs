//! Public addresses, and ranges of addresses.

use super::name::Problem;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt::{self, Display};

/// The ranges of IPv4 outside of the public network, from IANA's registries of special-purpose and of multicast addresses.
/// Ranges in these registries that are public or serve only the name system are left out.
const SPECIAL_V4: [(Ipv4Addr, u8); 17] = [
    // This host, and this network (RFC 791, section 3.2).
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    // Private use (RFC 1918).
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Shared by carriers and their customers (RFC 6598).
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // Loopback (RFC 1122, section 3.2.1.3).
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local, where clouds serve credentials (RFC 3927).
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Where Azure serves credentials, although it is an ordinary address.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Protocol assignments (RFC 6890, section 2.1).
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation (RFC 5737).
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Relays of 6to4, deprecated (RFC 7526).
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Benchmarks (RFC 2544).
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Multicast (RFC 5771).
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved (RFC 1112, section 4), and limited broadcast (RFC 919).
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    (Ipv4Addr::BROADCAST, 32),
];

/// The IPv6 range of addresses for one host in the public network (RFC 4291, section 2.4). Outside of it are loopback,
/// the unspecified address, IPv4-compatible, unique-local, link-local and multicast addresses.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// The special ranges within it.
const SPECIAL_V6: [(Ipv6Addr, u8); 3] = [
    // Protocol assignments, Teredo among them (RFC 2928, RFC 4380).
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation (RFC 3849, RFC 9637).
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Prefixes under which IPv4 addresses are reached through IPv6, and the bit offset of the IPv4 address: mapped (RFC 4291,
/// section 2.5.5.2), NAT64 (RFC 6052), 6to4 (RFC 3056).
const EMBEDDING: [(Ipv6Addr, u8, u32); 3] = [
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, 96),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, 96),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 16),
];

/// Interface identifiers of ISATAP (RFC 5214, section 6.1), before the IPv4 address, for all networks of IPv6. The second one claims
/// that the IPv4 address is globally unique.
const ISATAP: [u32; 2] = [0x0000_5efe, 0x0200_5efe];

/// Whether an address belongs to a host in the public network, as opposed to this machine, its neighbours, a private
/// network, many hosts or none.
///
/// ```
/// # use hostel_core::is_public;
/// assert!(is_public("1.1.1.1".parse().unwrap()));
/// assert!(!is_public("169.254.169.254".parse().unwrap()));
/// assert!(!is_public("::ffff:127.0.0.1".parse().unwrap()));
/// assert!(!is_public("2606:4700::5efe:10.1.2.3".parse().unwrap()));
/// ```
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|&(base, bits)| within_v4(address, base, bits)),
        IpAddr::V6(address) => {
            let is_global = match embedded(address) {
                Some(inner) => is_public(inner.into()),
                None => {
                    let within = |(base, bits)| within_v6(address, base, bits);
                    within(GLOBAL_V6) && !SPECIAL_V6.into_iter().any(within)
                }
            };
            is_global && isatap(address).is_none_or(|inner| is_public(inner.into()))
        }
    }
}

/// Whether a name means this machine, whatever the name system returns (RFC 6761, section 6.3).
pub(super) fn is_local_name(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
}

/// Whether a name may lead to an address without a grant for that address: a name for this machine may lead to loopback,
/// any other name to public addresses.
pub fn may_lead_to(name: &str, address: IpAddr) -> bool {
    if is_local_name(name) { address.to_canonical().is_loopback() } else { is_public(address) }
}

/// The IPv4 address that is embedded in an IPv6 address.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let under = EMBEDDING.into_iter().find(|&(base, bits, _)| within_v6(address, base, bits));
    let (_, _, before) = under?;
    let bits = (address.to_bits() << before) >> 96;
    u32::try_from(bits).ok().map(Ipv4Addr::from_bits)
}

/// The IPv4 address to which an ISATAP address leads, whatever its network.
fn isatap(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [_, _, identifier, inner] = words(address);
    ISATAP.contains(&identifier).then(|| Ipv4Addr::from_bits(inner))
}

/// The address as four numbers of 32 bits.
fn words(address: Ipv6Addr) -> [u32; 4] {
    let bits = address.to_bits();
    [96, 64, 32, 0].map(|after| u32::try_from((bits >> after) & u128::from(u32::MAX)).unwrap_or(u32::MAX))
}

fn within_v4(address: Ipv4Addr, base: Ipv4Addr, bits: u8) -> bool {
    first_bits((address.to_bits() ^ base.to_bits()).into(), bits, u32::BITS)
}

fn within_v6(address: Ipv6Addr, base: Ipv6Addr, bits: u8) -> bool {
    first_bits(address.to_bits() ^ base.to_bits(), bits, u128::BITS)
}

/// Whether the leading bits are all zero.
fn first_bits(difference: u128, bits: u8, of: u32) -> bool {
    difference.checked_shr(of.saturating_sub(bits.into())).unwrap_or_default() == 0
}

/// Addresses with a common prefix: one address, or a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct AddressRange {
    base: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// The network with a prefix of this many bits at this address. It is an error if there are not that many bits, or if
    /// the address has bits set after them.
    pub(super) fn new(address: IpAddr, bits: u8) -> Result<Self, Problem> {
        let most = all_bits(address);
        let past =
            most.checked_sub(bits).ok_or_else(|| format!("expected /0 to /{most} after the address"))?;
        let past = u32::from(past);
        let base = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(past).unwrap_or_default();
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(past).unwrap_or_default();
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        };
        let range = Self { base, bits };
        if base == address { Ok(range) } else { Err(format!("expected {range}")) }
    }

    pub(super) fn one(address: IpAddr) -> Self {
        Self { base: address, bits: all_bits(address) }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match (address, self.base) {
            (IpAddr::V4(address), IpAddr::V4(base)) => within_v4(address, base, self.bits),
            (IpAddr::V6(address), IpAddr::V6(base)) => within_v6(address, base, self.bits),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    pub(super) fn includes(&self, other: &Self) -> bool {
        self.bits <= other.bits && self.contains(other.base)
    }
}

impl Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.base {
            IpAddr::V4(base) => write!(f, "{base}"),
            IpAddr::V6(base) => write!(f, "[{base}]"),
        }?;
        if self.bits == all_bits(self.base) { Ok(()) } else { write!(f, "/{}", self.bits) }
    }
}

const fn all_bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_told_from_special_ones() {
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00::1",
            "2001:200::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
            "2606:4700::5efe:1.1.1.1",
            "2606:4700::200:5efe:1.1.1.1",
            "2606:4700::100:5efe:10.1.2.3",
            "2606:4700::5eff:10.1.2.3",
        ];
        let special = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.169.254",
            "168.63.129.16",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::1.1.1.1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1.1.1.1",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::",
            "2002:a00:1::1",
            "2606:4700::5efe:a01:203",
            "2606:4700:1:2:200:5efe:127.0.0.1",
            "2606:4700::5efe:169.254.169.254",
            "2002:101:101::5efe:10.1.2.3",
            "2001:db8::5efe:1.1.1.1",
            "fe80::5efe:1.1.1.1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2001:1ff::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in special {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn only_names_of_this_machine_lead_to_it() {
        let check = |name: &str, address: &str, expected: bool| {
            assert_eq!(may_lead_to(name, address.parse().unwrap()), expected, "{name} {address}");
        };
        for local in ["localhost", "LocalHost", "a.localhost"] {
            check(local, "127.0.0.1", true);
            check(local, "127.8.8.8", true);
            check(local, "::1", true);
            check(local, "::ffff:127.0.0.1", true);
            check(local, "::ffff:10.0.0.1", false);
            check(local, "10.0.0.1", false);
            check(local, "1.1.1.1", false);
        }
        for other in ["example.org", "localhost.example.org", "xlocalhost"] {
            check(other, "127.0.0.1", false);
            check(other, "::1", false);
            check(other, "::ffff:127.0.0.1", false);
            check(other, "1.1.1.1", true);
        }
    }

    #[test]
    fn a_range_contains_what_begins_with_its_bits() {
        let range = |base: &str, bits| AddressRange::new(base.parse().unwrap(), bits);
        let check = |base: &str, bits, address: &str, expected: bool| {
            assert_eq!(
                range(base, bits).unwrap().contains(address.parse().unwrap()),
                expected,
                "{base}/{bits} {address}"
            );
        };
        check("10.0.0.0", 8, "10.255.0.1", true);
        check("10.0.0.0", 8, "11.0.0.0", false);
        check("0.0.0.0", 0, "255.1.2.3", true);
        check("0.0.0.0", 0, "::1", false);
        check("1.2.3.4", 32, "1.2.3.4", true);
        check("1.2.3.4", 32, "1.2.3.5", false);
        check("fd00::", 8, "fdff::1", true);
        check("fd00::", 8, "fe00::1", false);
        check("::", 0, "::ffff:1.2.3.4", true);
        check("::1", 128, "::1", true);
        check("::1", 128, "::2", false);
        let wrong = |base: &str, bits, expected: &str| assert_eq!(range(base, bits).unwrap_err(), expected);
        wrong("10.0.0.1", 8, "expected 10.0.0.0/8");
        wrong("10.0.0.0", 33, "expected /0 to /32 after the address");
        wrong("fd00::1", 64, "expected [fd00::]/64");
        wrong("::1", 0, "expected [::]/0");
        wrong("::", 129, "expected /0 to /128 after the address");
        let includes = |one: (&str, u8), other: (&str, u8)| {
            range(one.0, one.1).unwrap().includes(&range(other.0, other.1).unwrap())
        };
        assert!(includes(("10.0.0.0", 8), ("10.1.0.0", 16)) && includes(("10.0.0.0", 8), ("10.0.0.0", 8)));
        assert!(!includes(("10.1.0.0", 16), ("10.0.0.0", 8)) && !includes(("0.0.0.0", 0), ("::", 0)));
    }
}
