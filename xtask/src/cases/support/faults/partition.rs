//! A partition: no packet passes between some replicas and the others, or between the replicas and everyone else. It is
//! silent: connections are neither reset nor closed.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::traffic::{ips, of};
use crate::cases::support::disturb::Disturbance;
use crate::cases::support::lasting::Lasting;
use cluster::NotApplicable;
use cluster::traffic::{BOTH, Direction, Effect, Others};

/// Loses all packets between these replicas and the others, or only those in one direction.
///
/// # Errors
/// If a packet filter can't be set.
pub async fn between(
    disturbance: &Disturbance<'_>,
    (apart, role): (BTreeSet<String>, &str),
    direction: Option<Direction>,
) -> anyhow::Result<Result<Lasting, NotApplicable>> {
    let replicas = disturbance.deployed.replicas();
    let (inside, outside): (Vec<&Pod>, Vec<&Pod>) = replicas.iter().partition(|pod| apart.contains(&pod.name_any()));
    let directions = direction.map_or(BOTH.to_vec(), |one| vec![one]);
    let mut changes = Vec::new();
    for pod in &inside {
        for direction in &directions {
            changes.push(of(pod, *direction, Others::Only(ips(outside.iter().copied())), Effect::CUT)?);
        }
    }
    let what = what(&names(&inside), role, &names(&outside), direction);
    Lasting::begin(disturbance, what, changes, apart).await
}

/// Loses all packets between the replicas and everyone else: clients, Services, name servers. Only the kubelet still
/// reaches them.
///
/// # Errors
/// If a packet filter can't be set.
pub async fn from_everyone_else(disturbance: &Disturbance<'_>) -> anyhow::Result<Result<Lasting, NotApplicable>> {
    let replicas = disturbance.deployed.replicas();
    let mut changes = Vec::new();
    for pod in &replicas {
        for direction in BOTH {
            changes.push(of(pod, direction, Others::AllBut(ips(&replicas)), Effect::CUT)?);
        }
    }
    let what = "cut all replicas off from everyone but each other".to_owned();
    Lasting::begin(disturbance, what, changes, BTreeSet::new()).await
}

fn names(pods: &[&Pod]) -> String {
    pods.iter().map(|pod| pod.name_any()).collect::<Vec<_>>().join(", ")
}

fn what(inside: &str, role: &str, outside: &str, direction: Option<Direction>) -> String {
    match direction {
        None => format!("cut {inside} ({role}) off from {outside}"),
        Some(Direction::Sends) => format!("lose what {inside} ({role}) sends to {outside}"),
        Some(Direction::Receives) => format!("lose what {outside} sends to {inside} ({role})"),
    }
}
