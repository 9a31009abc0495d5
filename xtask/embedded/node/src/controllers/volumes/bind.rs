//! Finds or requests a volume for each claim, and binds the two.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus};
use k8s_openapi::api::storage::v1::StorageClass;

use super::{COMPONENT, DEFAULT_CLASS, PROVISIONER, provision};
use crate::client::Client;
use crate::controllers::reconcile::touches;
use crate::controllers::scheduler::SELECTED_NODE;
use crate::controllers::{Controller, ControllerContext, Key, ReconcileResult, clock, events, owners};
use crate::selector;
use crate::status::Status;
use crate::store::{self, Change};
use resources::quantity;

/// Binds claims.
pub const CONTROLLER: Controller = Controller { name: "persistentvolume-binder", keys, reconcile };

/// A waiting claim is checked again after this, as in Kubernetes' binder.
const RESYNC_S: i64 = 15;

fn keys(client: &Client, change: &Change) -> Vec<Key> {
    match change.kind.built_in() {
        "PersistentVolumeClaim" if touches(change, &["/spec", "/metadata/annotations", "/status/phase"]) => {
            vec![store::key(&change.object)]
        }
        "PersistentVolume" | "StorageClass" => {
            let claims = client.list::<PersistentVolumeClaim>(None);
            claims.iter().filter(|claim| !is_bound(claim)).map(owners::key).collect()
        }
        _ => Vec::new(),
    }
}

fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Bound")
}

fn reconcile(context: &ControllerContext, (namespace, name): &Key) -> ReconcileResult {
    let client = &context.client;
    let Some(claim) = client.get::<PersistentVolumeClaim>(namespace, name) else { return Ok(None) };
    if is_bound(&claim) || claim.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let claim = with_class(client, claim)?;
    if let Some(volume) = find(client, &claim) {
        bind(client, &claim, &volume)?;
        return Ok(None);
    }
    if claim.spec.as_ref().and_then(|s| s.volume_name.as_deref()).is_some_and(|name| !name.is_empty()) {
        return Ok(None);
    }
    order(context, &claim)
}

/// Gives a claim without a class the default one, if there is one by now.
fn with_class(client: &Client, claim: PersistentVolumeClaim) -> Result<PersistentVolumeClaim, Status> {
    if claim.spec.as_ref().is_some_and(|s| s.storage_class_name.is_some()) {
        return Ok(claim);
    }
    let classes = client.list::<StorageClass>(None);
    let is_default = |class: &&StorageClass| {
        let annotations = class.metadata.annotations.as_ref();
        annotations.and_then(|a| a.get(DEFAULT_CLASS)).is_some_and(|value| value == "true")
    };
    let Some(class) = classes.iter().find(is_default) else { return Ok(claim) };
    client.modify(&claim, |claim: &mut PersistentVolumeClaim| {
        claim.spec.get_or_insert_default().storage_class_name.clone_from(&class.metadata.name);
        true
    })
}

/// Returns the smallest free volume that satisfies the claim.
fn find(client: &Client, claim: &PersistentVolumeClaim) -> Option<PersistentVolume> {
    let mut volumes = client.list::<PersistentVolume>(None);
    volumes.retain(|volume| fits(claim, volume));
    volumes.into_iter().min_by_key(capacity)
}

fn fits(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    let (Some(wanted), Some(offered)) = (&claim.spec, &volume.spec) else { return false };
    if volume.metadata.deletion_timestamp.is_some() {
        return false;
    }
    if let Some(reference) = &offered.claim_ref {
        let same_uid = reference.uid.is_none() || reference.uid == claim.metadata.uid;
        return same_uid && reference.name == claim.metadata.name && reference.namespace == claim.metadata.namespace;
    }
    if let Some(name) = wanted.volume_name.as_ref().filter(|name| !name.is_empty()) {
        return volume.metadata.name.as_ref() == Some(name);
    }
    let modes = |modes: &Option<Vec<String>>| modes.clone().unwrap_or_default();
    let request = wanted.resources.as_ref().and_then(|r| r.requests.as_ref()?.get("storage").and_then(quantity::whole));
    let class = |name: &Option<String>| name.clone().unwrap_or_default();
    class(&wanted.storage_class_name) == class(&offered.storage_class_name)
        && modes(&wanted.access_modes).iter().all(|mode| modes(&offered.access_modes).contains(mode))
        && capacity(volume) >= request
        && wanted.selector.as_ref().is_none_or(|s| selector::matches(s, volume.metadata.labels.as_ref()))
}

fn capacity(volume: &PersistentVolume) -> Option<i64> {
    volume.spec.as_ref()?.capacity.as_ref()?.get("storage").and_then(quantity::whole)
}

/// Binds volume to claim, claim to volume, then updates the claim's status.
fn bind(client: &Client, claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Result<(), Status> {
    let (_, volume_name) = owners::key(volume);
    client.modify(volume, |volume: &mut PersistentVolume| {
        let reference = events::reference(claim);
        let bound = &mut volume.spec.get_or_insert_default().claim_ref;
        let changed = bound.as_ref().and_then(|bound| bound.uid.as_ref()) != reference.uid.as_ref();
        bound.replace(reference);
        changed
    })?;
    client.modify(claim, |claim: &mut PersistentVolumeClaim| {
        let annotations = claim.metadata.annotations.get_or_insert_default();
        annotations.insert("pv.kubernetes.io/bind-completed".to_owned(), "yes".to_owned());
        annotations.insert("pv.kubernetes.io/bound-by-controller".to_owned(), "yes".to_owned());
        claim.spec.get_or_insert_default().volume_name = Some(volume_name.clone());
        true
    })?;
    let spec = volume.spec.clone().unwrap_or_default();
    client.modify_status(claim, |claim: &mut PersistentVolumeClaim| {
        claim.status = Some(PersistentVolumeClaimStatus {
            phase: Some("Bound".to_owned()),
            access_modes: spec.access_modes.clone(),
            capacity: spec.capacity.clone(),
            ..PersistentVolumeClaimStatus::default()
        });
        true
    })
}

/// Requests a volume of the claim's class, or reports what the claim waits for.
fn order(context: &ControllerContext, claim: &PersistentVolumeClaim) -> ReconcileResult {
    let client = &context.client;
    let again = Ok(Some(clock::seconds(RESYNC_S)));
    let say = |kind, reason, message: &str| client.event(&events::reference(claim), kind, reason, message, COMPONENT);
    let class = claim.spec.as_ref().and_then(|s| s.storage_class_name.as_deref()).unwrap_or_default();
    if class.is_empty() {
        say("Normal", "FailedBinding", "no persistent volumes available for this claim and no storage class is set");
        return again;
    }
    let Some(class) = client.get::<StorageClass>("", class) else {
        let message = format!("storageclass.storage.k8s.io \"{class}\" not found");
        say("Warning", "ProvisioningFailed", &message);
        return again;
    };
    let waits = class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer");
    if waits && claim.metadata.annotations.iter().flatten().all(|(key, _)| key != SELECTED_NODE) {
        say("Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding");
        return again;
    }
    say("Normal", "ExternalProvisioning", &external(&class.provisioner));
    let planted = context.faults.withholds_volume(claim.metadata.name.as_deref().unwrap_or_default());
    if planted || class.provisioner != PROVISIONER {
        return again;
    }
    provision::provision(context, claim, &class)
}

fn external(provisioner: &str) -> String {
    format!(
        "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the \
         system administrator. If volume creation is delayed, please verify that the provisioner is running and \
         correctly registered."
    )
}
