//! The claims of a pod, and their volumes.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::Api;

use crate::deployed_topology::DeployedTopology;
use kubernetes::call;

/// Returns the API for the claims of the release under test.
pub fn api(deployed: &DeployedTopology) -> Api<PersistentVolumeClaim> {
    Api::namespaced(deployed.client.clone(), deployed.namespace())
}

/// Returns the names of a pod's claims.
pub fn names(pod: &Pod) -> Vec<String> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let claims = volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref());
    claims.map(|claim| claim.claim_name.clone()).collect()
}

/// Returns the names of the volumes of pods' claims.
///
/// # Errors
/// If a claim does not exist, or has no volume.
pub async fn volumes(deployed: &DeployedTopology, pods: &[Pod]) -> anyhow::Result<Vec<String>> {
    let mut volumes = Vec::new();
    for name in pods.iter().flat_map(names) {
        let claim = call(&format!("getting PersistentVolumeClaim/{name}"), api(deployed).get(&name)).await?;
        let volume = claim.spec.and_then(|spec| spec.volume_name);
        volumes.push(volume.with_context(|| format!("PersistentVolumeClaim/{name} has no volume"))?);
    }
    Ok(volumes)
}
