//! Validation of objects, with kube-apiserver's messages.

mod certificate;
mod container;
mod definition;
pub(crate) mod ephemeral;
mod immutable;
mod meta;
mod names;
mod pod;
mod service;
mod small;
mod storage;
pub(crate) mod unsupported;
mod volume;
mod workload;

use serde_json::{Value, json};

pub use super::cause::Cause;
use crate::kinds::Kind;
use crate::status::Status;

/// Returns 422 with its causes.
pub fn invalid(kind: &Kind, name: &str, causes: Vec<Cause>) -> Status {
    let shown: Vec<String> = causes.iter().map(ToString::to_string).collect();
    let shown = if shown.len() == 1 { shown.concat() } else { format!("[{}]", shown.join(", ")) };
    let mut details = json!({ "name": name });
    if !kind.group.is_empty() {
        details["group"] = kind.group.into();
    }
    details["kind"] = kind.kind.into();
    let causes = causes.into_iter();
    let causes = causes.map(|cause| cause.to_json());
    details["causes"] = causes.collect();
    let message = format!("{} \"{name}\" is invalid: {shown}", kind.qualified_kind());
    Status { details, ..Status::new(422, "Invalid", message) }
}

/// Returns what is wrong with a new object.
pub fn new(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut causes = meta::check(kind, object);
    causes.extend(body(kind, object));
    causes
}

/// Returns what is wrong with an object that replaces another.
pub fn changed(kind: &Kind, stored: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = meta::check(kind, object);
    causes.extend(match kind.built_in() {
        "Pod" => pod::changed(stored, object),
        "StatefulSet" => workload::stateful_set_changed(stored, object),
        "CertificateSigningRequest" => certificate::changed(stored, object),
        "Job" => workload::job_changed(stored, object),
        "Service" => service::changed(stored, object),
        "PersistentVolumeClaim" => storage::claim_changed(stored, object),
        "PersistentVolume" => immutable::volume_changed(stored, object),
        "PriorityClass" => immutable::priority_changed(stored, object),
        "StorageClass" => storage::class_changed(stored, object),
        "Secret" | "ConfigMap" => small::data_changed(stored, object),
        "RoleBinding" | "ClusterRoleBinding" => small::role_changed(stored, object),
        "CustomResourceDefinition" => definition::changed(stored, object),
        _ => Vec::new(),
    });
    causes.extend(immutable::changed(kind, stored, object));
    if kind.built_in() != "Pod" {
        causes.extend(body(kind, object));
    }
    causes
}

fn body(kind: &Kind, object: &Value) -> Vec<Cause> {
    match kind.built_in() {
        "Pod" => pod::spec(&object["spec"], "spec"),
        "StatefulSet" => workload::stateful_set(object),
        "Deployment" => workload::deployment(object),
        "ReplicaSet" => workload::replica_set(object),
        "DaemonSet" => workload::daemon_set(object),
        "CertificateSigningRequest" => certificate::request(object),
        "Job" => workload::job(object),
        "CronJob" => workload::cron_job(object),
        "Service" => service::service(object),
        "PersistentVolumeClaim" => storage::claim(object, "spec"),
        "Secret" | "ConfigMap" => small::keys(object),
        "PodDisruptionBudget" => small::budget(object),
        "Ingress" => small::ingress(object),
        "CustomResourceDefinition" => definition::check(object),
        "APIService" => small::api_service(object),
        _ => Vec::new(),
    }
}

/// Adds a cause if a number is negative.
fn not_negative(object: &Value, field: &str, path: &str, causes: &mut Vec<Cause>) {
    if object[field].as_i64().is_some_and(|number| number < 0) {
        causes.push(Cause::bad(format!("{path}.{field}"), &object[field], "must be greater than or equal to 0"));
    }
}

/// Adds a cause if a text is not one of the supported ones.
fn one_of(object: &Value, field: &str, path: &str, supported: &[&str], causes: &mut Vec<Cause>) {
    let value = &object[field];
    if value.as_str().is_some_and(|text| !text.is_empty() && !supported.contains(&text)) {
        causes.push(Cause::not_supported(format!("{path}.{field}"), value, supported));
    }
}
