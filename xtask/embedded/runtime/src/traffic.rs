//! Which traffic of the pods is lost or late: plain data, and what follows from it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

/// The type of service of the packets that the service proxy sends to pods. Kubelet's probes come from the same
/// address, and also reach a pod that is cut off from everything beyond its node.
pub const TOS_OF_SERVICES: u8 = 0x04;

const ETHERNET_BYTES: usize = 14;
const IP_BYTES: usize = 20;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Traffic of one pod that is lost or late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disturbance {
    /// The pod's address.
    pub pod: Ipv4Addr,
    /// Which of its traffic.
    pub direction: Direction,
    /// The other ends.
    pub others: Others,
    /// The port that it is sent to; any port if absent.
    pub port: Option<u16>,
    /// How many of 100 packets are lost.
    pub loss_percent: u8,
    /// How late the others are.
    pub delay: Duration,
    /// How much later they may be, at random.
    pub jitter: Duration,
}

/// A direction of a pod's traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What it sends.
    Sends,
    /// What it receives.
    Receives,
}

/// The other ends of a pod's traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Others {
    /// These pods.
    Only(BTreeSet<Ipv4Addr>),
    /// Everything but these pods and the kubelet: other pods, services, names.
    AllBut(BTreeSet<Ipv4Addr>),
}

/// An end of a link: a pod, or the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The node, which is the way to everything that is not a pod.
    Node,
    /// The pod with this address.
    Pod(Ipv4Addr),
}

/// The parts of a packet that decide what happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Its source.
    pub from: Ipv4Addr,
    /// Its destination.
    pub to: Ipv4Addr,
    port: Option<u16>,
    tos: u8,
}

impl Packet {
    /// Reads an Ethernet frame; returns `None` if it has no IPv4 packet.
    pub fn of(frame: &[u8]) -> Option<Self> {
        let packet = frame.get(ETHERNET_BYTES..)?;
        if packet.len() < IP_BYTES || packet[0] >> 4 != 4 {
            return None;
        }
        let address = |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
        let ports = packet.get(usize::from(packet[0] & 0xf) * 4..);
        let port = ports.filter(|ports| ports.len() >= 4 && [TCP, UDP].contains(&packet[9]));
        Some(Self {
            from: address(12),
            to: address(16),
            port: port.map(|ports| u16::from_be_bytes([ports[2], ports[3]])),
            tos: packet[1],
        })
    }
}

impl Disturbance {
    /// Returns whether packets on this way may be meant, so that each of them has to be looked at.
    pub fn concerns(&self, from: End, to: End) -> bool {
        let (own, other) = match self.direction {
            Direction::Sends => (from, to),
            Direction::Receives => (to, from),
        };
        own == End::Pod(self.pod)
            && match other {
                End::Node => matches!(self.others, Others::AllBut(_)),
                End::Pod(ip) => self.includes(ip),
            }
    }

    /// Returns whether this packet is meant. `node` is the address from which kubelet and service proxy connect.
    pub fn hits(&self, packet: &Packet, node: Ipv4Addr) -> bool {
        let (own, other) = match self.direction {
            Direction::Sends => (packet.from, packet.to),
            Direction::Receives => (packet.to, packet.from),
        };
        let is_of_kubelet = other == node && packet.tos & TOS_OF_SERVICES == 0;
        own == self.pod
            && !is_of_kubelet
            && self.includes(other)
            && self.port.is_none_or(|port| packet.port == Some(port))
    }

    fn includes(&self, other: Ipv4Addr) -> bool {
        match &self.others {
            Others::Only(these) => these.contains(&other),
            Others::AllBut(these) => !these.contains(&other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);
    const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
    const POD: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);
    const PEER: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 3);
    const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 4);

    fn cut(direction: Direction, others: Others) -> Disturbance {
        let (delay, jitter) = (Duration::ZERO, Duration::ZERO);
        Disturbance { pod: POD, direction, others, port: None, loss_percent: 100, delay, jitter }
    }

    fn packet(from: Ipv4Addr, to: Ipv4Addr) -> Packet {
        Packet { from, to, port: Some(80), tos: 0 }
    }

    #[test]
    fn one_direction_between_two_pods() {
        let cut = cut(Direction::Sends, Others::Only([PEER].into()));
        assert!(cut.hits(&packet(POD, PEER), NODE));
        assert!(!cut.hits(&packet(PEER, POD), NODE), "the other direction");
        assert!(!cut.hits(&packet(POD, CLIENT), NODE), "another pod");
        assert!(cut.concerns(End::Pod(POD), End::Pod(PEER)));
        assert!(!cut.concerns(End::Pod(PEER), End::Pod(POD)) && !cut.concerns(End::Pod(POD), End::Node));
    }

    #[test]
    fn a_pod_that_only_its_peers_reach_is_still_probed() {
        let all_but = || Others::AllBut([PEER].into());
        let (sends, receives) = (cut(Direction::Sends, all_but()), cut(Direction::Receives, all_but()));
        assert!(receives.hits(&packet(CLIENT, POD), NODE) && sends.hits(&packet(POD, CLIENT), NODE));
        assert!(sends.hits(&packet(POD, SERVICE), NODE) && receives.hits(&packet(SERVICE, POD), NODE));
        assert!(receives.hits(&Packet { tos: TOS_OF_SERVICES, ..packet(NODE, POD) }, NODE), "through a Service");
        assert!(!receives.hits(&packet(NODE, POD), NODE), "a probe");
        assert!(!sends.hits(&packet(POD, NODE), NODE), "its response");
        assert!(!receives.hits(&packet(PEER, POD), NODE) && !sends.hits(&packet(POD, PEER), NODE), "a peer");
        assert!(receives.concerns(End::Node, End::Pod(POD)), "each packet has to be looked at");
        assert!(!receives.concerns(End::Pod(PEER), End::Pod(POD)));
    }

    #[test]
    fn a_port_is_that_of_the_receiver() {
        let names = Disturbance { port: Some(53), ..cut(Direction::Sends, Others::AllBut([].into())) };
        assert!(names.hits(&Packet { port: Some(53), ..packet(POD, SERVICE) }, NODE));
        assert!(!names.hits(&packet(POD, SERVICE), NODE));
    }

    #[test]
    fn a_packet_is_read_from_its_frame() {
        let mut frame = vec![0; 14 + 20 + 8];
        frame[14] = 0x45;
        frame[15] = 4;
        frame[14 + 9] = UDP;
        frame[14 + 12..14 + 16].copy_from_slice(&POD.octets());
        frame[14 + 16..14 + 20].copy_from_slice(&SERVICE.octets());
        frame[14 + 22..14 + 24].copy_from_slice(&53_u16.to_be_bytes());
        let read = Packet { from: POD, to: SERVICE, port: Some(53), tos: 4 };
        assert_eq!(Packet::of(&frame), Some(read));
        frame[14] = 0x60;
        assert_eq!(Packet::of(&frame), None, "IPv6");
        assert_eq!(Packet::of(&frame[..20]), None);
    }
}
