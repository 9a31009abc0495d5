//! Traffic of pods that a fault loses or delays.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Traffic of a pod that is lost or late. It is about pods that exist: one that replaces any of them has another address
/// and another network, and the fault is not about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisturbedTraffic {
    /// The pod's UID.
    pub pod_uid: String,
    /// Which of its traffic.
    pub direction: Direction,
    /// The other ends.
    pub others: Others,
    /// What happens to it.
    pub effect: Effect,
}

/// A direction of a pod's traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// What it sends.
    Sends,
    /// What it receives.
    Receives,
}

/// The other ends of a pod's traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// The pods with these addresses.
    Only(BTreeSet<IpAddr>),
    /// Everything but these pods and the kubelet: other pods, services, names.
    AllBut(BTreeSet<IpAddr>),
    /// Name servers: port 53 of anything.
    NameServers,
}

/// What happens to traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It is lost.
    Lost {
        /// How many of 100 packets.
        percent: u8,
    },
    /// It is late.
    Late {
        /// How late, in milliseconds.
        delay_ms: u32,
        /// How much later it may be, in milliseconds.
        jitter_ms: u32,
    },
}

impl Effect {
    /// All of it is lost.
    pub const CUT: Self = Self::Lost { percent: 100 };
}
