//! `metadata`: names, fields that only the server sets, generations.

use serde_json::{Map, Value};

use super::schema;
use crate::kinds::Kind;
use crate::status::Status;

/// Kinds whose `metadata.generation` counts changes of their spec.
const COUNTED: &[&str] = &[
    "Pod",
    "StatefulSet",
    "Deployment",
    "ReplicaSet",
    "DaemonSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "PodDisruptionBudget",
    "Ingress",
    "NetworkPolicy",
    "EndpointSlice",
    "PriorityClass",
    "CustomResourceDefinition",
];

/// Fields that clients may send but only the server sets.
const SET_BY_THE_SERVER: &[&str] =
    &["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink"];

const NAME_CHARACTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Sets the server's fields of a new object.
pub fn stamp(kind: &Kind, object: &mut Value) {
    drop_fields(object, SET_BY_THE_SERVER);
    object["metadata"]["uid"] = uuid::Uuid::new_v4().to_string().into();
    object["metadata"]["creationTimestamp"] = super::now();
    if is_counted(kind) {
        object["metadata"]["generation"] = 1.into();
    }
}

/// Copies the fields that no client may change from the stored object.
pub fn carry_over(stored: &Value, object: &mut Value) {
    for field in SET_BY_THE_SERVER {
        set_or_drop(object, field, stored["metadata"].get(*field));
    }
}

/// Increments the generation if the spec has changed.
pub fn count(kind: &Kind, stored: &Value, object: &mut Value) {
    let body = |object: &Value| match kind.built_in() {
        "EndpointSlice" => object.get("endpoints").cloned().into_iter().chain(object.get("ports").cloned()).collect(),
        "" => custom_body(kind, object),
        _ => object["spec"].clone(),
    };
    if is_counted(kind) && body(stored) != body(object) {
        let generation = stored["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
        object["metadata"]["generation"] = generation.into();
    }
}

/// Returns what a generation of a custom resource counts: all but the metadata, and the status if it is a subresource.
fn custom_body(kind: &Kind, object: &Value) -> Value {
    let mut body = object.clone();
    if let Some(fields) = body.as_object_mut() {
        let is_counted =
            |name: &str| name != "metadata" && (name != "status" || !kind.subresources.contains(&"status"));
        fields.retain(|name, _| is_counted(name));
    }
    body
}

/// Returns whether the kind has generations.
pub fn is_counted(kind: &Kind) -> bool {
    kind.custom.is_some() || COUNTED.contains(&kind.kind)
}

/// Generates a name from `generateName` if there is none.
pub fn name_it(object: &mut Value) {
    if object["metadata"]["name"].as_str().is_some_and(|name| !name.is_empty()) {
        return;
    }
    if let Some(prefix) = object["metadata"]["generateName"].as_str().filter(|prefix| !prefix.is_empty()) {
        let prefix: String = prefix.chars().take(58).collect();
        let random = uuid::Uuid::new_v4().into_bytes();
        let suffix = random.iter().take(5).map(|byte| NAME_CHARACTERS[usize::from(*byte) % NAME_CHARACTERS.len()]);
        object["metadata"]["name"] = suffix.fold(prefix, |name, byte| name + &char::from(byte).to_string()).into();
    }
}

/// Returns 409 if the client means an object that existed before this one.
pub fn check_uid(kind: &Kind, stored: &Value, object: &Value) -> Result<(), Status> {
    let (sent, kept) = (&object["metadata"]["uid"], &stored["metadata"]["uid"]);
    let Some(sent) = sent.as_str().filter(|sent| !sent.is_empty()) else { return Ok(()) };
    if Some(sent) == kept.as_str() {
        return Ok(());
    }
    let name = stored["metadata"]["name"].as_str().unwrap_or_default();
    let kept = kept.as_str().unwrap_or_default();
    let why = format!("Precondition failed: UID in precondition: {sent}, UID in object meta: {kept}");
    Err(Status::conflict(kind, name, &why))
}

/// Returns the finalizers of an object.
pub fn finalizers(object: &Value) -> Vec<String> {
    let listed = object["metadata"]["finalizers"].as_array().into_iter().flatten();
    listed.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns whether an object is being deleted.
pub fn is_deleting(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some_and(|time| !time.is_null())
}

/// Puts the fields of an object into the order in which kube-apiserver writes them: kind, version, metadata, and the
/// metadata's own in the order of their numbers.
pub fn put_in_order(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else { return };
    let mut metadata = fields.shift_remove("metadata").unwrap_or_default();
    if let (Some(fields), Some(message)) = (metadata.as_object_mut(), schema::message("ObjectMeta")) {
        let mut sorted: Vec<(String, Value)> = std::mem::take(fields).into_iter().collect();
        sorted.sort_by_key(|(name, _)| message.field(name).map(|field| field.number));
        fields.extend(sorted);
    }
    let mut first = Map::new();
    for name in ["kind", "apiVersion"] {
        first.extend(fields.shift_remove(name).map(|value| (name.to_owned(), value)));
    }
    first.insert("metadata".to_owned(), metadata);
    first.append(fields);
    *fields = first;
}

/// Sets a field of the metadata, or removes it.
pub fn set_or_drop(object: &mut Value, field: &str, value: Option<&Value>) {
    match value {
        Some(value) => object["metadata"][field] = value.clone(),
        None => drop_fields(object, &[field]),
    }
}

fn drop_fields(object: &mut Value, fields: &[&str]) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in fields {
            metadata.shift_remove(*field);
        }
    }
}
