//! The addresses that every cluster has.

use std::net::Ipv4Addr;

/// The network of service addresses, and its prefix length.
pub const SERVICES: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 96, 0, 0), 16);
/// The address of the service `kubernetes`.
pub const KUBERNETES_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// The bridge: the pods' gateway, the node's own address, and one of the name server's two addresses.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);
/// The port on which the node serves the API to pods.
pub const API_PORT: u16 = 6443;
/// The address of the name server, as in kind.
pub const DNS_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
