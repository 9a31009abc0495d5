//! `metadata`: name, labels, annotations.

use serde_json::{Value, json};

use super::{Cause, names};
use crate::kinds::Kind;
use crate::registry::value::text;

/// The maximum size of all annotations together.
const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

/// Returns what is wrong with the metadata of an object.
pub fn check(kind: &Kind, object: &Value) -> Vec<Cause> {
    let metadata = &object["metadata"];
    let mut causes = Vec::new();
    let name = text(metadata, "name");
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    } else {
        let faults = match kind.built_in() {
            "Namespace" => names::label(name),
            "Service" => names::dns_1035(name),
            "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" | "APIService" => names::path_segment(name),
            _ => names::subdomain(name),
        };
        causes.extend(faults.iter().map(|fault| Cause::bad("metadata.name", &json!(name), fault)));
    }
    causes.extend(labels(&metadata["labels"], "metadata.labels"));
    causes.extend(annotations(&metadata["annotations"]));
    causes
}

/// Returns what is wrong with labels.
pub fn labels(labels: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        causes.extend(names::qualified(key).iter().map(|fault| Cause::bad(path, &json!(key), fault)));
        let value = value.as_str().unwrap_or_default();
        causes.extend(names::label_value(value).iter().map(|fault| Cause::bad(path, &json!(value), fault)));
    }
    causes
}

fn annotations(annotations: &Value) -> Vec<Cause> {
    let path = "metadata.annotations";
    let mut causes = Vec::new();
    let mut bytes = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        let faults = names::qualified(&key.to_lowercase());
        causes.extend(faults.iter().map(|fault| Cause::bad(path, &json!(key), fault)));
        bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if bytes > ANNOTATIONS_BYTES_MAX {
        causes.push(Cause::too_long(path, ANNOTATIONS_BYTES_MAX as u64));
    }
    causes
}
