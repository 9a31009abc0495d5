//! The eviction of a pod, as by `kubectl drain`.

use k8s_openapi::api::core::v1::Pod;
use kube::api::EvictParams;

use crate::deployed_topology::DeployedTopology;
use kubernetes::{Refused, call};

/// Evicts a pod; returns the reason if the disruption budget refuses it.
///
/// # Errors
/// If the request fails for any other reason.
pub async fn evict(deployed: &DeployedTopology, name: &str) -> anyhow::Result<Option<String>> {
    let pods: kube::Api<Pod> = deployed.pods();
    match call(&format!("evicting Pod/{name}"), pods.evict(name, &EvictParams::default())).await {
        Ok(_) => Ok(None),
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(Refused { status, .. }) if status.code == 429 => Ok(Some(status.message.clone())),
            _ => Err(error),
        },
    }
}
