//! Which addresses are of the internet, and so of nobody in particular: all but those that IANA's registries of special-purpose addresses
//! say are not globally reachable (RFC 6890), and those that stand for such an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is one that everybody reaches alike. What is only reached from here is nobody else's to name.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Networks that are not the internet's, and how many of their bits are the network's.
const SPECIAL: [([u8; 4], u32); 20] = [
    // This network, private ones, loopback, link-local.
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    // Shared address space, protocol assignments, documentation, 6to4's relays, benchmarks.
    ([100, 64, 0, 0], 10),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    // AS112 and AMT: answered by whoever is nearest.
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 175, 48, 0], 24),
    // Multicast, and what is kept for later.
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
    // What clouds answer inside their machines.
    ([168, 63, 129, 16], 32),
    ([255, 255, 255, 255], 32),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let address = u32::from(address);
    let in_it = |(network, bits): &([u8; 4], u32)| {
        let host = u32::MAX.checked_shr(*bits).unwrap_or(0);
        address & !host == u32::from_be_bytes(*network)
    };
    !SPECIAL.iter().any(in_it)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let last = |upper: u16, lower: u16| {
        let ([a, b], [c, d]) = (upper.to_be_bytes(), lower.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the address that is in them.
        [0x64, 0xff9b, 0, 0, 0, 0, upper, lower] | [0x2002, upper, lower, ..] => last(upper, lower),
        // Teredo, ORCHID, documentation, SRv6, benchmarks and other assignments that are no places.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Of what is left, only global unicast is in use (RFC 4291, section 2.4).
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_everybody_reaches_is_public() {
        for good in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2001:200::1",
            "2606:4700::1111",
            "2a00:1450::1",
            "2002:808:808::1",
            "64:ff9b::808:808",
            "3fff:1000::1",
        ] {
            assert!(is_public(good.parse().unwrap()), "{good}");
        }
        for bad in [
            // Itself, by all its names.
            "127.0.0.1",
            "127.0.0.2",
            "127.255.255.255",
            "0.0.0.0",
            "0.1.2.3",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:0:127.0.0.1",
            "::127.0.0.1",
            "::ffff:0.0.0.0",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::127.0.0.1",
            "64:ff9b::0.0.0.0",
            "2002:7f00:1::1",
            "2002:0:0::1",
            // The cloud's metadata.
            "169.254.169.254",
            "169.254.170.2",
            "169.254.0.0",
            "169.254.255.255",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "fd00:ec2::254",
            "fe80::a9fe:a9fe",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            // Private networks.
            "10.0.0.1",
            "10.255.255.255",
            "10.96.0.1",
            "172.16.0.1",
            "172.17.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "192.168.255.255",
            "::ffff:10.0.0.1",
            "::ffff:172.16.0.1",
            "::ffff:192.168.1.1",
            "::10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::192.168.0.1",
            "2002:a00:1::1",
            "2002:c0a8:1::1",
            "2002:ac10:1::1",
            "fc00::1",
            "fd00::1",
            "fdff:ffff::1",
            "fec0::1",
            // Links and groups.
            "fe80::1",
            "febf::1",
            "224.0.0.1",
            "239.255.255.250",
            "ff02::1",
            "ff05::2",
            "ff0e::1",
            "::ffff:224.0.0.1",
            // Shared, assigned, documentation, benchmarks, later.
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.1",
            "192.0.0.8",
            "192.0.0.170",
            "192.0.2.1",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.99.1",
            "192.175.48.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "240.0.0.1",
            "255.255.255.255",
            "::ffff:255.255.255.255",
            "100::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:30::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
            "4000::1",
            "::2",
            "::ffff:0:0",
        ] {
            assert!(!is_public(bad.parse().unwrap()), "{bad}");
        }
    }
}
