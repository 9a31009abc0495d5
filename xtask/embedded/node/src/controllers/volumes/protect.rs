//! Keeps a claim that is being deleted until no pod uses it any more.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};

use super::CLAIM_PROTECTION;
use crate::client::Client;
use crate::controllers::reconcile::unless;
use crate::controllers::{Controller, ControllerContext, Key, ReconcileResult, pods};
use crate::store::{self, Change};

/// Removes the finalizer of unused claims.
pub const CONTROLLER: Controller = Controller { name: "pvc-protection", keys, reconcile };

fn keys(_: &Client, change: &Change) -> Vec<Key> {
    let (namespace, name) = store::key(&change.object);
    match change.kind.built_in() {
        "PersistentVolumeClaim" => vec![(namespace, name)],
        "Pod" => {
            let volumes = change.object["spec"]["volumes"].as_array();
            let claims = volumes.into_iter().flatten().filter_map(|v| v["persistentVolumeClaim"]["claimName"].as_str());
            claims.map(|claim| (namespace.clone(), claim.to_owned())).collect()
        }
        _ => Vec::new(),
    }
}

fn reconcile(context: &ControllerContext, (namespace, name): &Key) -> ReconcileResult {
    let client = &context.client;
    let Some(claim) = client.get::<PersistentVolumeClaim>(namespace, name) else { return Ok(None) };
    let deleting = claim.metadata.deletion_timestamp.is_some();
    let uses = |pod: &Pod| pods::node(pod).is_some() && !pods::is_finished(pod) && pods::claims(pod).any(|c| c == name);
    if deleting && client.list::<Pod>(Some(namespace)).iter().any(uses) {
        return Ok(None);
    }
    let written = client.modify(&claim, |claim: &mut PersistentVolumeClaim| {
        let finalizers = claim.metadata.finalizers.get_or_insert_default();
        let protected = finalizers.iter().any(|f| f == CLAIM_PROTECTION);
        if deleting {
            finalizers.retain(|f| f != CLAIM_PROTECTION);
        } else if !protected {
            finalizers.push(CLAIM_PROTECTION.to_owned());
        }
        deleting == protected
    });
    unless("NotFound", written).map(|()| None)
}
