//! The life of volumes: available, bound, released, deleted with their content.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeStatus};
use nix::mount::{MntFlags, umount2};

use super::{PROVISIONER, VOLUME_PROTECTION};
use crate::client::Client;
use crate::controllers::reconcile::unless;
use crate::controllers::{Controller, ControllerContext, Key, ReconcileResult, clock};
use crate::registry::DeleteOptions;
use crate::status::Status;
use crate::store::{self, Change, ChangeType};

/// Maintains the phase of volumes, and deletes those whose claim is gone.
pub const CONTROLLER: Controller = Controller { name: "persistentvolume-reclaimer", keys, reconcile };

fn keys(_: &Client, change: &Change) -> Vec<Key> {
    match change.kind.built_in() {
        "PersistentVolume" if change.change != ChangeType::Deleted => vec![store::key(&change.object)],
        "PersistentVolumeClaim" => {
            let volume = change.object["spec"]["volumeName"].as_str();
            volume.map(|volume| (String::new(), volume.to_owned())).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn reconcile(context: &ControllerContext, (_, name): &Key) -> ReconcileResult {
    let client = &context.client;
    let Some(volume) = client.get::<PersistentVolume>("", name) else { return Ok(None) };
    let phase = phase(client, &volume);
    write_phase(client, &volume, phase)?;
    let policy = volume.spec.as_ref().and_then(|s| s.persistent_volume_reclaim_policy.as_deref());
    let ours = volume.metadata.annotations.iter().flatten().any(|(_, value)| value == PROVISIONER);
    let reclaimed = phase == "Released" && policy == Some("Delete") && ours;
    if reclaimed {
        remove_directory(context, name)?;
    }
    if reclaimed || volume.metadata.deletion_timestamp.is_some() && phase != "Bound" {
        remove(client, name)?;
    }
    Ok(None)
}

fn phase(client: &Client, volume: &PersistentVolume) -> &'static str {
    let Some(reference) = volume.spec.as_ref().and_then(|s| s.claim_ref.as_ref()) else { return "Available" };
    let Some(uid) = &reference.uid else { return "Available" };
    let namespace = reference.namespace.as_deref().unwrap_or_default();
    let claim = client.get::<PersistentVolumeClaim>(namespace, reference.name.as_deref().unwrap_or_default());
    let alive = claim.is_some_and(|claim| claim.metadata.uid.as_ref() == Some(uid));
    if alive { "Bound" } else { "Released" }
}

fn write_phase(client: &Client, volume: &PersistentVolume, phase: &str) -> Result<(), Status> {
    client.modify_status(volume, |volume: &mut PersistentVolume| {
        let status = volume.status.get_or_insert_default();
        if status.phase.as_deref() == Some(phase) {
            return false;
        }
        *status = PersistentVolumeStatus {
            phase: Some(phase.to_owned()),
            last_phase_transition_time: Some(clock::now()),
            ..PersistentVolumeStatus::default()
        };
        true
    })
}

fn remove_directory(context: &ControllerContext, volume: &str) -> Result<(), Status> {
    let path = context.volumes.join(volume);
    // Most are not mounts, and unmounting those fails, as expected.
    let _ = umount2(&path, MntFlags::MNT_DETACH);
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let message = format!("can't remove the volume's directory {}: {error}", path.display());
            Err(Status::new(500, "InternalError", message))
        }
        _ => Ok(()),
    }
}

/// Deletes a volume, including its finalizer.
fn remove(client: &Client, name: &str) -> Result<(), Status> {
    let Some(volume) = client.get::<PersistentVolume>("", name) else { return Ok(()) };
    if volume.metadata.deletion_timestamp.is_none() {
        unless("NotFound", client.delete(&volume, &DeleteOptions::default()))?;
    }
    let released = client.modify(&volume, |volume: &mut PersistentVolume| {
        let finalizers = volume.metadata.finalizers.get_or_insert_default();
        let before = finalizers.len();
        finalizers.retain(|f| f != VOLUME_PROTECTION);
        finalizers.len() != before
    });
    unless("NotFound", released)
}
