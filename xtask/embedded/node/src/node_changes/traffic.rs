//! Traffic of a pod that is lost or late.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use embedded::traffic::{self, DisturbedTraffic, Effect};
use runtime::{Direction, Disturbance, Others, RuntimeError, Sandbox};

use super::Undo;
use crate::kubelet::Handle;
use crate::status::Status;

const NAME_SERVERS: u16 = 53;

/// Begins to lose or delay the traffic.
pub(super) async fn make(kubelet: &Handle, traffic: &DisturbedTraffic) -> Result<Undo, Status> {
    let sandbox = kubelet.sandbox_of(&traffic.pod_uid)?;
    let disturbance = disturbance(sandbox.ip(), traffic);
    sandbox.disturb(disturbance.clone()).await.map_err(|error| failed(&error))?;
    Ok(Undo::Restore(sandbox, disturbance))
}

/// Ends it.
pub(super) async fn undo(sandbox: &Sandbox, disturbance: &Disturbance) -> Result<(), Status> {
    sandbox.restore(disturbance).await.map_err(|error| failed(&error))
}

fn failed(error: &RuntimeError) -> Status {
    Status::new(500, "InternalError", error.to_string())
}

fn disturbance(pod: Ipv4Addr, traffic: &DisturbedTraffic) -> Disturbance {
    let direction = match traffic.direction {
        traffic::Direction::Sends => Direction::Sends,
        traffic::Direction::Receives => Direction::Receives,
    };
    let (others, port) = match &traffic.others {
        traffic::Others::Only(ips) => (Others::Only(of_version_4(ips)), None),
        traffic::Others::AllBut(ips) => (Others::AllBut(of_version_4(ips)), None),
        traffic::Others::NameServers => (Others::AllBut(BTreeSet::new()), Some(NAME_SERVERS)),
    };
    let (loss_percent, delay_ms, jitter_ms) = match traffic.effect {
        Effect::Lost { percent } => (percent, 0, 0),
        Effect::Late { delay_ms, jitter_ms } => (0, delay_ms, jitter_ms),
    };
    let [delay, jitter] = [delay_ms, jitter_ms].map(|ms| Duration::from_millis(ms.into()));
    Disturbance { pod, direction, others, port, loss_percent, delay, jitter }
}

/// Pods of this node have no other addresses.
fn of_version_4(ips: &BTreeSet<IpAddr>) -> BTreeSet<Ipv4Addr> {
    let of = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => Some(*ip),
        IpAddr::V6(_) => None,
    };
    ips.iter().filter_map(of).collect()
}
