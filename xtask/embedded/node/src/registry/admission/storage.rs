//! Finalizers of claims and volumes, and the default class of a claim.

use serde_json::{Value, json};

use crate::kinds;
use crate::registry::{Registry, meta};
use crate::store;

/// Protects a new claim and gives it the default class.
pub fn admit_claim(registry: &Registry, claim: &mut Value) {
    protect(claim, "kubernetes.io/pvc-protection");
    if claim["spec"].get("storageClassName").is_some() {
        return;
    }
    let Some(kind) = kinds::find("storage.k8s.io", "v1", "storageclasses") else { return };
    let (classes, _) = registry.store.list(kind, None);
    let is_default =
        |class: &Value| class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true";
    if let Some(class) = classes.iter().find(|class| is_default(class)) {
        claim["spec"]["storageClassName"] = store::key(class).1.into();
    }
}

/// Protects a new volume.
pub fn admit_volume(volume: &mut Value) {
    protect(volume, "kubernetes.io/pv-protection");
}

fn protect(object: &mut Value, finalizer: &str) {
    let mut finalizers = meta::finalizers(object);
    if !finalizers.iter().any(|other| other == finalizer) {
        finalizers.push(finalizer.to_owned());
    }
    object["metadata"]["finalizers"] = json!(finalizers);
}
