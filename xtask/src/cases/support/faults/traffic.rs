//! Traffic of replicas that is lost or late: the changes that partitions and slow networks are made of.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::cases::support::disturb::Disturbance;
use crate::cases::support::lasting::Lasting;
use cluster::lease::Change;
use cluster::traffic::{self, Direction, DisturbedTraffic, Effect, Others};
use kubernetes::objects;

/// Returns the change that loses or delays this traffic of a pod.
///
/// # Errors
/// If the pod does not run.
pub fn of(pod: &Pod, direction: Direction, others: Others, effect: Effect) -> anyhow::Result<Change> {
    let missing = || format!("Pod/{} does not run", pod.name_any());
    let (node, pod_uid) = (objects::node(pod).with_context(missing)?, pod.uid().with_context(missing)?);
    Ok(traffic::disturb(node, DisturbedTraffic { pod_uid, direction, others, effect }))
}

/// Returns all addresses of these pods.
pub fn ips<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> BTreeSet<IpAddr> {
    let statuses = pods.into_iter().filter_map(|pod| pod.status.as_ref());
    let ips = statuses.flat_map(|status| status.pod_ips.iter().flatten());
    ips.filter_map(|one| one.ip.parse().ok()).collect()
}

/// Returns how many packets a fault in force has lost or delayed so far.
///
/// # Errors
/// If a node does not respond.
pub async fn packets_hit(disturbance: &Disturbance<'_>, fault: &Lasting) -> anyhow::Result<u64> {
    let mut packets = 0;
    for change in fault.changes() {
        packets += disturbance.cx.run.cluster.packets_hit(change).await?;
    }
    Ok(packets)
}

/// Records how many packets a fault has hit, which shows that it happened.
///
/// # Errors
/// If it has hit none.
pub async fn prove(disturbance: &Disturbance<'_>, fault: &Lasting, hit: &str) -> anyhow::Result<()> {
    let packets = packets_hit(disturbance, fault).await?;
    ensure!(packets > 0, "no packet was {hit}: the replicas send each other nothing, so the fault proves nothing");
    disturbance.recorder.evidence(fault.fault, format!("{packets} packets {hit}"));
    Ok(())
}
