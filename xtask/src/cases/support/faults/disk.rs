//! The disks of replicas' claims fail, until they are repaired.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::cases::support::claims;
use crate::cases::support::disturb::Disturbance;
use crate::cases::support::lasting::Lasting;
use crate::cases::support::victim::Victim;
use crate::deployed_topology::DeployedTopology;
use cluster::NotApplicable;
use cluster::changes::{DiskFailure, FailedDisks, NodeChange};
use cluster::lease::Change;
use kubernetes::objects;

/// Lets the disk of a replica fail.
///
/// # Errors
/// If that fails.
pub async fn begin(
    disturbance: &Disturbance<'_>,
    victim: &Victim,
    failure: DiskFailure,
) -> anyhow::Result<Result<Lasting, NotApplicable>> {
    let changes = match changes(&disturbance.deployed, std::slice::from_ref(&victim.pod), failure).await? {
        Ok(changes) => changes,
        Err(why) => return Ok(Err(why)),
    };
    let what = match failure {
        DiskFailure::Full => "fill the disk",
        DiskFailure::ReadOnly => "make read-only the disk",
        DiskFailure::NoPower => "cut the power of the disk",
    };
    let what = format!("{what} of Pod/{} ({})", victim.name(), victim.role());
    Lasting::begin(disturbance, what, changes, BTreeSet::from([victim.name()])).await
}

/// Returns the changes that let the disks of pods fail, one for each node, or why none can.
///
/// # Errors
/// If a claim has no volume.
pub async fn changes(
    deployed: &DeployedTopology,
    pods: &[Pod],
    failure: DiskFailure,
) -> anyhow::Result<Result<Vec<Change>, NotApplicable>> {
    let mut changes = Vec::new();
    let nodes: BTreeSet<_> = pods.iter().filter_map(objects::node).collect();
    for node in nodes {
        let on_node: Vec<_> = pods.iter().filter(|pod| objects::node(pod) == Some(node)).cloned().collect();
        let volumes = claims::volumes(deployed, &on_node).await?;
        if volumes.is_empty() {
            return Ok(Err(NotApplicable("the replicas have no claims".to_owned())));
        }
        let pods = on_node.iter().filter_map(ResourceExt::uid).collect();
        let failed = FailedDisks { volumes, pods, failure };
        changes.push(Change::OnNode { node: node.to_owned(), change: NodeChange::Disks(failed) });
    }
    Ok(Ok(changes))
}
