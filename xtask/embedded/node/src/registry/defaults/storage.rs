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
