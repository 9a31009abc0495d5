//! The claims of a set's pods: created before the pod, kept or deleted according to the retention policy.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::{COMPONENT, identity};
use crate::client::Client;
use crate::controllers::reconcile::{is_namespace_ending, unless};
use crate::controllers::{events, owners};
use crate::status::Status;

/// Creates the missing claims of the set's n-th pod.
///
/// # Errors
/// If one can't be created, or is still being deleted.
pub fn create_missing(client: &Client, set: &StatefulSet, spec: &StatefulSetSpec, ordinal: i32) -> Result<(), Status> {
    for claim in identity::claims(set, spec, ordinal) {
        let (namespace, name) = owners::key(&claim);
        match client.get::<PersistentVolumeClaim>(&namespace, &name) {
            None => create(client, set, claim, ordinal)?,
            Some(stored) if stored.metadata.deletion_timestamp.is_some() => {
                return Err(Status::new(409, "Conflict", format!("pvc {name} is being deleted")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn create(client: &Client, set: &StatefulSet, mut claim: PersistentVolumeClaim, ordinal: i32) -> Result<(), Status> {
    let owner = owner(set, None);
    claim.metadata.owner_references = owner.map(|owner| vec![owner]);
    let created = client.create(&claim);
    let (_, name) = owners::key(&claim);
    let set_name = set.metadata.name.as_deref().unwrap_or_default();
    let what = format!("Create Claim {name} Pod {} in StatefulSet {set_name}", identity::pod_name(set, ordinal));
    let about = events::reference(set);
    match created {
        Ok(_) => client.event(&about, "Normal", "SuccessfulCreate", &format!("{what} success"), COMPONENT),
        Err(refused) if is_namespace_ending(&refused) => return Err(refused),
        Err(refused) => {
            client.event(&about, "Warning", "FailedCreate", &format!("{what} failed error: {refused}"), COMPONENT);
            return Err(refused);
        }
    }
    Ok(())
}

/// Returns whether a claim of the n-th pod still belongs to a deleted pod of that name: the garbage collector deletes
/// it first.
pub fn stale(client: &Client, set: &StatefulSet, spec: &StatefulSetSpec, ordinal: i32) -> bool {
    identity::claims(set, spec, ordinal).iter().map(owners::key).any(|(namespace, name)| {
        let stored = client.get::<PersistentVolumeClaim>(&namespace, &name);
        stored.is_some_and(|claim| claim.metadata.owner_references.iter().flatten().any(|owner| owner.kind == "Pod"))
    })
}

/// Sets the owner of a pod's claims according to the retention policy.
///
/// # Errors
/// If a claim can't be written.
pub fn keep_owner(
    client: &Client,
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    pod: &Pod,
    condemned: bool,
) -> Result<(), Status> {
    let Some(ordinal) = identity::ordinal(set, pod) else { return Ok(()) };
    let wanted = owner(set, condemned.then_some(pod));
    for claim in identity::claims(set, spec, ordinal) {
        let (namespace, name) = owners::key(&claim);
        let Some(claim) = client.get::<PersistentVolumeClaim>(&namespace, &name) else { continue };
        let written = client.modify(&claim, |claim: &mut PersistentVolumeClaim| {
            let before = claim.metadata.owner_references.clone().unwrap_or_default();
            let mut after = before.clone();
            after.retain(|owner| !(is_set(owner, set) || is_pod(owner, pod)));
            after.extend(wanted.clone());
            let changed = after != before;
            claim.metadata.owner_references = (!after.is_empty()).then_some(after);
            changed
        });
        unless("NotFound", written)?;
    }
    Ok(())
}

fn is_set(owner: &OwnerReference, set: &StatefulSet) -> bool {
    Some(&owner.uid) == set.metadata.uid.as_ref()
}

fn is_pod(owner: &OwnerReference, pod: &Pod) -> bool {
    owner.kind == "Pod" && Some(&owner.name) == pod.metadata.name.as_ref()
}

/// Returns the owner of a claim according to the retention policy: a condemned pod, the set, or none.
fn owner(set: &StatefulSet, condemned: Option<&Pod>) -> Option<OwnerReference> {
    let policy = set.spec.as_ref()?.persistent_volume_claim_retention_policy.as_ref()?;
    match condemned {
        Some(pod) if policy.when_scaled.as_deref() == Some("Delete") => Some(owners::reference(pod)),
        _ if policy.when_deleted.as_deref() == Some("Delete") => Some(owners::controller_reference(set)),
        _ => None,
    }
}
