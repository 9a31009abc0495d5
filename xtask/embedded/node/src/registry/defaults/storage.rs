//! Claims, volumes and storage classes.

use serde_json::Value;

use crate::registry::value::{empty, fill};

/// Fills in a PersistentVolumeClaim.
pub fn claim(claim: &mut Value) {
    fill(claim, "spec", empty());
    fill(&mut claim["spec"], "volumeMode", "Filesystem");
    fill(claim, "status", empty());
    fill(&mut claim["status"], "phase", "Pending");
}

/// Fills in a PersistentVolume.
pub fn volume(volume: &mut Value) {
    fill(&mut volume["spec"], "persistentVolumeReclaimPolicy", "Retain");
    fill(&mut volume["spec"], "volumeMode", "Filesystem");
    fill(volume, "status", empty());
    fill(&mut volume["status"], "phase", "Pending");
}

/// Fills in a StorageClass.
pub fn class(class: &mut Value) {
    fill(class, "reclaimPolicy", "Delete");
    fill(class, "volumeBindingMode", "Immediate");
}

/// Fills in a `CSIDriver`.
pub fn csi_driver(driver: &mut Value) {
    let spec = &mut driver["spec"];
    fill(spec, "attachRequired", true);
    for field in ["podInfoOnMount", "requiresRepublish", "seLinuxMount", "storageCapacity"] {
        fill(spec, field, false);
    }
    fill(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    if spec["volumeLifecycleModes"].is_null() {
        spec["volumeLifecycleModes"] = serde_json::json!(["Persistent"]);
    }
}
