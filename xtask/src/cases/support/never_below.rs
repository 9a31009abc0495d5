//! Checks the minimum number of ready replicas during a case, which a topology's `never_below` requires of every case
//! after `ready`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::ensure;

use super::case::Conclusion;
use super::context::CaseContext;
use crate::deployed_topology::DeployedTopology;
use kubernetes::objects;

/// Runs a case and, if its topology sets `never_below`, counts the ready replicas meanwhile.
///
/// # Errors
/// The case's error, or too few ready replicas.
pub async fn watched(
    cx: &CaseContext,
    case: impl Future<Output = anyhow::Result<Conclusion>>,
) -> anyhow::Result<Conclusion> {
    let needed = cx.variant().ok().and_then(|variant| variant.topology.never_below);
    // It is about the first workload, whichever the case is about.
    let deployed = cx.deployed().map(|deployed| Arc::new(deployed.about(None)));
    let (Some(needed), Ok(deployed), true) = (needed, deployed, cx.spec.kind.keeps_replicas) else {
        return case.await;
    };
    let least = Arc::new(AtomicUsize::new(ready(&deployed)));
    let counting = tokio::spawn(count(deployed, least.clone()));
    let outcome = case.await;
    counting.abort();
    let conclusion = outcome?;
    let least = least.load(Ordering::Relaxed);
    ensure!(least >= needed as usize, "the number of ready replicas fell to {least}; `never_below` requires {needed}");
    Ok(conclusion)
}

async fn count(deployed: Arc<DeployedTopology>, least: Arc<AtomicUsize>) {
    let mut changes = deployed.watch.changes();
    while changes.changed().await.is_ok() {
        least.fetch_min(ready(&deployed), Ordering::Relaxed);
    }
}

fn ready(deployed: &DeployedTopology) -> usize {
    deployed.replicas().iter().filter(|pod| objects::is_ready(pod)).count()
}
