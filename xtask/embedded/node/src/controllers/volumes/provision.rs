//! The provisioner behind the class `standard`: a directory on the node for each claim.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use k8s_openapi::api::core::v1::{
    LocalVolumeSource, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PersistentVolume,
    PersistentVolumeClaim, PersistentVolumeSpec, VolumeNodeAffinity,
};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{PROVISIONER, VOLUME_PROTECTION};
use crate::controllers::reconcile::unless;
use crate::controllers::{ControllerContext, NODE, ReconcileResult, clock, events, owners};
use crate::status::Status;

/// The provisioner's own process on kind.
const MANAGER: &str = "local-path-provisioner";

/// Creates the directory and the volume of a claim; the binder then finds it.
pub fn provision(context: &ControllerContext, claim: &PersistentVolumeClaim, class: &StorageClass) -> ReconcileResult {
    let (namespace, name) = owners::key(claim);
    let client = &context.client.of(MANAGER);
    let about = events::reference(claim);
    let say = |kind, reason, message: &str| client.event(&about, kind, reason, message, PROVISIONER);
    let beginning = format!("External provisioner is provisioning volume for claim \"{namespace}/{name}\"");
    say("Normal", "Provisioning", &beginning);
    if let Err(why) = supported(claim) {
        let class = class.metadata.name.as_deref().unwrap_or_default();
        let message = format!("failed to provision volume with StorageClass \"{class}\": {why}");
        say("Warning", "ProvisioningFailed", &message);
        return Ok(Some(clock::seconds(15)));
    }
    let volume = volume(claim, class);
    let volume_name = volume.metadata.name.clone().unwrap_or_default();
    let directory = context.volumes.join(&volume_name);
    make_directory(&directory).map_err(|error| {
        Status::new(
            500,
            "InternalError",
            format!("can't create the volume's directory {}: {error}", directory.display()),
        )
    })?;
    say("Normal", "ProvisioningSucceeded", &format!("Successfully provisioned volume {volume_name}"));
    unless("AlreadyExists", client.create(&volume)).map(|()| None)
}

/// Rejects what kind's provisioner rejects.
fn supported(claim: &PersistentVolumeClaim) -> Result<(), &'static str> {
    let spec = claim.spec.as_ref();
    let modes = spec.and_then(|s| s.access_modes.as_deref()).unwrap_or_default();
    if !modes.iter().all(|mode| matches!(mode.as_str(), "ReadWriteOnce" | "ReadWriteOncePod")) {
        return Err("NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes");
    }
    if spec.is_some_and(|s| s.selector.is_some()) {
        return Err("claim.Spec.Selector is not supported");
    }
    if spec.and_then(|s| s.volume_mode.as_deref()) == Some("Block") {
        return Err("block volumes are not supported");
    }
    Ok(())
}

/// Creates a directory that any user may write to, as the provisioner does.
fn make_directory(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))
}

fn volume(claim: &PersistentVolumeClaim, class: &StorageClass) -> PersistentVolume {
    let (namespace, claim_name) = owners::key(claim);
    let name = format!("pvc-{}", claim.metadata.uid.as_deref().unwrap_or_default());
    let path = format!("/var/local-path-provisioner/{name}_{namespace}_{claim_name}");
    let wanted = claim.spec.clone().unwrap_or_default();
    PersistentVolume {
        metadata: ObjectMeta {
            name: Some(name),
            annotations: Some(BTreeMap::from([("pv.kubernetes.io/provisioned-by".to_owned(), PROVISIONER.to_owned())])),
            finalizers: Some(vec![VOLUME_PROTECTION.to_owned()]),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeSpec {
            capacity: wanted.resources.and_then(|r| r.requests),
            access_modes: wanted.access_modes,
            claim_ref: Some(events::reference(claim)),
            persistent_volume_reclaim_policy: class.reclaim_policy.clone().or_else(|| Some("Delete".to_owned())),
            storage_class_name: class.metadata.name.clone(),
            volume_mode: Some("Filesystem".to_owned()),
            local: Some(LocalVolumeSource { fs_type: None, path }),
            node_affinity: Some(VolumeNodeAffinity { required: Some(this_node()) }),
            ..PersistentVolumeSpec::default()
        }),
        status: None,
    }
}

fn this_node() -> NodeSelector {
    let hostname = NodeSelectorRequirement {
        key: "kubernetes.io/hostname".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![NODE.to_owned()]),
    };
    let term = NodeSelectorTerm { match_expressions: Some(vec![hostname]), match_fields: None };
    NodeSelector { node_selector_terms: vec![term] }
}
