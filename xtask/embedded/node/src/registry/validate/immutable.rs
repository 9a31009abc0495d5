//! Fields that can't be changed. `tests/immutable` checks them against the table of `chart::upgradable`.

use serde_json::{Value, json};

use super::Cause;
use crate::kinds::Kind;
use crate::registry::value::{is_missing, text};

const WHY: &str = "field is immutable";

/// Returns the fields of a kind that never change.
fn fields(kind: &Kind) -> &'static [&'static str] {
    match kind.kind {
        "Deployment" | "ReplicaSet" | "DaemonSet" => &["spec.selector"],
        "Job" => &[
            "spec.selector",
            "spec.completionMode",
            "spec.podFailurePolicy",
            "spec.backoffLimitPerIndex",
            "spec.managedBy",
            "spec.successPolicy",
        ],
        "CSIDriver" => &["spec.attachRequired", "spec.volumeLifecycleModes"],
        "EndpointSlice" => &["addressType"],
        "IngressClass" => &["spec.controller"],
        "PersistentVolumeClaim" => &["spec.volumeMode"],
        "PriorityClass" => &["preemptionPolicy"],
        "ResourceQuota" => &["spec.scopes"],
        "RuntimeClass" => &["handler"],
        "StorageClass" => &["volumeBindingMode"],
        "VolumeAttributesClass" => &["driverName", "parameters"],
        _ => &[],
    }
}

/// Checks the fields of an object that replaces another.
pub fn changed(kind: &Kind, stored: &Value, object: &Value) -> Vec<Cause> {
    let of = |object: &Value, field: &str| match object.pointer(&format!("/{}", field.replace('.', "/"))) {
        Some(value) if !value.is_null() => value.clone(),
        _ => default(field),
    };
    let changed = fields(kind).iter().filter_map(|field| {
        let (before, after) = (of(stored, field), of(object, field));
        (!is_same(&before, &after)).then(|| Cause::bad(*field, &after, WHY))
    });
    changed.collect()
}

/// Returns the value of a field that is not set.
fn default(field: &str) -> Value {
    match field {
        "spec.attachRequired" => json!(true),
        "spec.volumeLifecycleModes" => json!(["Persistent"]),
        _ => Value::Null,
    }
}

/// Whether two values are the same apart from what is empty.
pub fn is_same(before: &Value, after: &Value) -> bool {
    full(before) == full(after)
}

/// Returns a value without the fields that are empty.
fn full(value: &Value) -> Value {
    let is_empty = |value: &Value| {
        is_missing(value)
            || value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(serde_json::Map::is_empty)
    };
    match value {
        Value::Object(map) => {
            let fields = map.iter().map(|(key, value)| (key.clone(), full(value)));
            fields.filter(|(_, value)| !is_empty(value)).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(list) => list.iter().map(full).collect(),
        other => other.clone(),
    }
}

/// Checks a PersistentVolume that replaces another.
pub fn volume_changed(stored: &Value, volume: &Value) -> Vec<Cause> {
    const CHANGEABLE: [&str; 9] = [
        "capacity",
        "accessModes",
        "claimRef",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "mountOptions",
        "volumeAttributesClassName",
        "nodeAffinity",
        "volumeMode",
    ];
    let source = |volume: &Value| {
        let spec = volume["spec"].as_object().cloned().unwrap_or_default();
        Value::Object(spec.into_iter().filter(|(field, _)| !CHANGEABLE.contains(&field.as_str())).collect())
    };
    let mut causes = Vec::new();
    if !is_same(&source(stored), &source(volume)) {
        let why = "spec.persistentvolumesource is immutable after creation";
        causes.push(Cause::forbidden("spec.persistentvolumesource", why));
    }
    if stored["spec"]["volumeMode"] != volume["spec"]["volumeMode"] {
        causes.push(Cause::bad("volumeMode", &volume["spec"]["volumeMode"], WHY));
    }
    let affinity = |volume: &Value| volume["spec"]["nodeAffinity"].clone();
    if !affinity(stored).is_null() && !is_same(&affinity(stored), &affinity(volume)) {
        causes.push(Cause::bad("nodeAffinity", &affinity(volume), WHY));
    }
    causes
}

/// Checks a PriorityClass that replaces another.
pub fn priority_changed(stored: &Value, class: &Value) -> Vec<Cause> {
    if stored["value"] == class["value"] {
        return Vec::new();
    }
    vec![Cause::forbidden("value", "may not be changed in an update.")]
}

/// Checks the families and the load balancer of a Service that replaces another.
pub fn service_changed(stored: &Value, service: &Value) -> Vec<Cause> {
    let (before, after) = (&stored["spec"], &service["spec"]);
    let is = |spec: &Value, kind: &str| text(spec, "type") == kind;
    let mut causes = Vec::new();
    let why = "may not change once set";
    let is_balanced = is(before, "LoadBalancer") && is(after, "LoadBalancer");
    if is_balanced && before["loadBalancerClass"] != after["loadBalancerClass"] {
        causes.push(Cause::bad("spec.loadBalancerClass", &after["loadBalancerClass"], why));
    }
    let is_open = |spec: &Value| is(spec, "ExternalName") || text(spec, "clusterIP") == "None";
    let first = |spec: &Value| spec["ipFamilies"][0].clone();
    if !is_open(before) && !is_open(after) && !first(before).is_null() && first(before) != first(after) {
        causes.push(Cause::bad("spec.ipFamilies[0]", &after["ipFamilies"], why));
    }
    causes
}
