//! Reads the addresses of the proxies before the server. Networks are kept as peers are compared: IPv4 as IPv4, however it is written.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::settings::values::Read;

/// The addresses of proxies, or networks of them, with commas between them.
pub(crate) fn read(text: &str) -> Read<Vec<IpNet>> {
    let networks: Option<Vec<IpNet>> = text
        .split(',')
        .map(|part| {
            let part = part.trim();
            let address = || {
                let ip: IpAddr = part.parse().ok()?;
                Some(IpNet::from(ip.to_canonical()))
            };
            part.parse::<IpNet>()
                .map(|network| canonical(network.trunc()))
                .ok()
                .or_else(address)
        })
        .collect();
    let has_all_of_ipv4 = |network: &IpNet| network.contains(&IpNet::from(IPV4_IN_IPV6));
    match networks {
        None => Err(
            "are no addresses of proxies. Write IP addresses or networks with commas between them, such as 10.0.0.5,10.0.7.0/24",
        ),
        Some(networks)
            if networks
                .iter()
                .any(|network| network.prefix_len() == 0 || has_all_of_ipv4(network)) =>
        {
            Err("would let everybody in. Write the addresses of the proxies alone, such as 10.0.0.5")
        }
        Some(networks) => Ok(networks),
    }
}

/// All IPv4 addresses as sockets for both kinds write them: `::ffff:0:0/96`.
const IPV4_IN_IPV6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);

/// A network of IPv4 addresses as one, however it is written: peers are compared so.
fn canonical(network: IpNet) -> IpNet {
    let as_ipv4 = |network: Ipv6Net| {
        let ip = network.addr().to_ipv4_mapped()?;
        let length = network.prefix_len().checked_sub(IPV4_IN_IPV6.prefix_len())?;
        Ipv4Net::new(ip, length).ok()
    };
    match network {
        IpNet::V6(written) => as_ipv4(written).map_or(network, IpNet::V4),
        IpNet::V4(_) => network,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.0.0.5, 10.0.7.9/24", Some("10.0.0.5/32,10.0.7.0/24"))]
    #[case("fd00::1,fd00::/8", Some("fd00::1/128,fd00::/8"))]
    #[case("::ffff:10.0.0.5", Some("10.0.0.5/32"))]
    #[case("::ffff:10.0.0.5/128", Some("10.0.0.5/32"))]
    #[case("::ffff:10.0.0.9/104", Some("10.0.0.0/8"))]
    #[case("::ffff:0:0/96", None)]
    #[case("::/64", None)]
    #[case("0.0.0.0/0", None)]
    #[case("::/0", None)]
    #[case("desk.example", None)]
    fn a_proxy_is_of_one_kind_however_it_is_written(#[case] text: &str, #[case] read: Option<&str>) {
        let networks = super::read(text).ok();
        let written = networks.map(|networks| {
            let networks: Vec<String> = networks.iter().map(IpNet::to_string).collect();
            networks.join(",")
        });
        assert_eq!(written.as_deref(), read);
    }
}
