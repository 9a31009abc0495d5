//! Columns of claims, volumes and storage classes.

use serde_json::Value;

use super::{AGE, Column, NAME, column, items, text, wide};

fn modes(modes: &Value) -> String {
    let short = |mode: &str| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "",
    };
    items(modes, "").filter_map(Value::as_str).map(short).collect::<Vec<_>>().join(",")
}

const MODE: Column = wide("VolumeMode", |object| text(object, "/spec/volumeMode").into());
const CLASS_NAME: Column = column("StorageClass", |object| text(object, "/spec/storageClassName").into());
const ATTRIBUTES: Column = column("VolumeAttributesClass", |object| {
    let name = text(object, "/spec/volumeAttributesClassName");
    if name.is_empty() { "<unset>".into() } else { name.into() }
});

/// Columns of a `PersistentVolumeClaim`.
pub const CLAIM: &[Column] = &[
    NAME,
    column("Status", |claim| {
        let is_deleting = claim["metadata"]["deletionTimestamp"].is_string();
        if is_deleting { "Terminating".into() } else { claim["status"]["phase"].clone() }
    }),
    column("Volume", |claim| text(claim, "/spec/volumeName").into()),
    column("Capacity", |claim| text(claim, "/status/capacity/storage").into()),
    column("Access Modes", |claim| modes(&claim["status"]["accessModes"]).into()),
    CLASS_NAME,
    ATTRIBUTES,
    AGE,
    MODE,
];

/// Columns of a `PersistentVolume`.
pub const VOLUME: &[Column] = &[
    NAME,
    column("Capacity", |volume| text(volume, "/spec/capacity/storage").into()),
    column("Access Modes", |volume| modes(&volume["spec"]["accessModes"]).into()),
    column("Reclaim Policy", |volume| text(volume, "/spec/persistentVolumeReclaimPolicy").into()),
    column("Status", |volume| {
        let is_deleting = volume["metadata"]["deletionTimestamp"].is_string();
        if is_deleting { "Terminating".into() } else { volume["status"]["phase"].clone() }
    }),
    column("Claim", |volume| {
        let claim = &volume["spec"]["claimRef"];
        if claim.is_object() {
            format!("{}/{}", text(claim, "/namespace"), text(claim, "/name")).into()
        } else {
            "".into()
        }
    }),
    CLASS_NAME,
    ATTRIBUTES,
    column("Reason", |volume| text(volume, "/status/reason").into()),
    AGE,
    MODE,
];

/// Columns of a `StorageClass`.
pub const CLASS: &[Column] = &[
    column("Name", |class| {
        let name = text(class, "/metadata/name");
        let is_default = class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true";
        if is_default { format!("{name} (default)").into() } else { name.into() }
    }),
    column("Provisioner", |class| class["provisioner"].clone()),
    column("ReclaimPolicy", |class| class["reclaimPolicy"].clone()),
    column("VolumeBindingMode", |class| class["volumeBindingMode"].clone()),
    column("AllowVolumeExpansion", |class| (class["allowVolumeExpansion"] == true).into()),
    AGE,
];
