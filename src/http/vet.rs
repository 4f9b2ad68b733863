//! Which addresses may be dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Who wrote an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// The operator did, in the config: loopback and private addresses are fine.
    Configured,
    /// It came in a delivery, from a platform's API or from an app: it must be public, or in `network.allow`.
    Named,
}

/// Where the clouds' metadata services answer, which hand out credentials: link-local (RFC 3927), and those of Alibaba
/// Cloud, Oracle Cloud and Azure elsewhere.
const METADATA_V4: &[(&str, &str)] = &[
    ("169.254.0.0/16", "it is link-local, where metadata services live"),
    ("100.100.100.200/32", "it is a metadata service"),
    ("192.0.0.192/32", "it is a metadata service"),
    ("168.63.129.16/32", "it is a metadata service"),
];

/// More IPv4 ranges that are dialled for nobody: this network, multicast, reserved and broadcast (RFC 6890, RFC 5771).
const NEVER_V4: &[(&str, &str)] = &[
    ("0.0.0.0/8", "it means this host"),
    ("224.0.0.0/4", "it is multicast"),
    ("240.0.0.0/4", "it is reserved"),
];

/// IPv4 ranges that only the operator may name (RFC 1918, RFC 6598, RFC 6890, RFC 5737, RFC 2544).
const PRIVATE_V4: &[(&str, &str)] = &[
    ("10.0.0.0/8", "it is private"),
    ("100.64.0.0/10", "it is shared address space"),
    ("127.0.0.0/8", "it is loopback"),
    ("172.16.0.0/12", "it is private"),
    ("192.0.0.0/24", "it is reserved for protocols"),
    ("192.0.2.0/24", "it is for documentation"),
    ("192.88.99.0/24", "it is a 6to4 relay"),
    ("192.168.0.0/16", "it is private"),
    ("198.18.0.0/15", "it is for benchmarks"),
    ("198.51.100.0/24", "it is for documentation"),
    ("203.0.113.0/24", "it is for documentation"),
];

/// IPv6 ranges that are dialled for nobody; metadata services are those of AWS, Oracle Cloud and Google Cloud.
const NEVER_V6: &[(&str, &str)] = &[
    ("::/128", "it means this host"),
    ("fe80::/10", "it is link-local"),
    ("fec0::/10", "it is site-local"),
    ("fd00:ec2::/32", "it is a metadata service"),
    ("fd00:c1::a9fe:a9fe/128", "it is a metadata service"),
    ("fd20:ce::254/128", "it is a metadata service"),
    ("ff00::/8", "it is multicast"),
];

/// IPv6 ranges that only the operator may name (RFC 4193, RFC 6666, RFC 3849, RFC 9637, RFC 4380, RFC 9602).
const PRIVATE_V6: &[(&str, &str)] = &[
    ("::1/128", "it is loopback"),
    ("64:ff9b:1::/48", "it is a local translation prefix"),
    ("100::/64", "it is discarded"),
    ("2001::/23", "it is reserved for protocols"),
    ("2001:db8::/32", "it is for documentation"),
    ("3fff::/20", "it is for documentation"),
    ("5f00::/16", "it is for segment routing"),
    ("fc00::/7", "it is private"),
];

/// Whether `ip` may be dialled.
///
/// IPv6 addresses that carry an IPv4 one (mapped, compatible, NAT64, 6to4) are judged by what they carry.
///
/// # Errors
/// Why not, as a clause for a person.
pub fn vet(ip: IpAddr, trust: Trust, allow: &[IpNet]) -> Result<(), &'static str> {
    let ip = carried(ip);
    let (never, private) = match ip {
        IpAddr::V4(_) => (NEVER_V4, PRIVATE_V4),
        IpAddr::V6(_) => (NEVER_V6, PRIVATE_V6),
    };
    if let Some(why) = within(ip, never).or_else(|| metadata(ip)) {
        return Err(why);
    }
    if trust == Trust::Configured || allow.iter().any(|net| net.contains(&ip)) {
        return Ok(());
    }
    within(ip, private).map_or(Ok(()), Err)
}

/// Why `ip` is a metadata service's, if it is or may lead to one.
fn metadata(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(_) => within(ip, METADATA_V4),
        IpAddr::V6(v6) => may_carry(v6).find_map(|v4| within(IpAddr::V4(v4), METADATA_V4)),
    }
}

fn within(ip: IpAddr, table: &[(&str, &'static str)]) -> Option<&'static str> {
    let inside = |net: &str| net.parse::<IpNet>().is_ok_and(|net| net.contains(&ip));
    table.iter().find(|(net, _)| inside(net)).map(|(_, why)| *why)
}

/// The IPv4 address that an IPv6 address stands for, if it does.
fn carried(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    match carried_v4(v6) {
        Some(v4) => IpAddr::V4(v4),
        None => ip,
    }
}

/// What an address of the local translation prefix (RFC 8215) may carry: it may be cut in each way of RFC 6052 §2.2, and
/// only the network knows which. And what one of ISATAP carries, whatever its prefix (RFC 5214 §6.1).
fn may_carry(ip: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    const LOCAL: [u8; 6] = [0x00, 0x64, 0xff, 0x9b, 0x00, 0x01];
    let o = ip.octets();
    let local = o.starts_with(&LOCAL).then_some([
        [o[6], o[7], o[9], o[10]],
        [o[7], o[9], o[10], o[11]],
        [o[9], o[10], o[11], o[12]],
        [o[12], o[13], o[14], o[15]],
    ]);
    let isatap = matches!(o, [.., 0x00 | 0x02, 0x00, 0x5e, 0xfe, _, _, _, _]).then_some([o[12], o[13], o[14], o[15]]);
    local.into_iter().flatten().chain(isatap).map(Ipv4Addr::from)
}

fn carried_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let from = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        // Unspecified and loopback are no carried addresses.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Mapped (RFC 4291 §2.5.5.2), compatible (§2.5.5.1), translated (RFC 2765).
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => from(high, low),
        // NAT64 (RFC 6052).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => from(high, low),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => from(high, low),
        _ => None,
    }
}
