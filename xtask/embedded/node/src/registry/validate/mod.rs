//! Validation of objects, with kube-apiserver's messages.

mod certificate;
mod container;
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

use crate::kinds::Kind;
use crate::status::Status;

/// One error of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    field: String,
    reason: &'static str,
    message: String,
}

impl Cause {
    /// Returns the cause for an invalid value.
    pub fn bad(field: impl Into<String>, value: &Value, why: &str) -> Self {
        Self::new(field, "FieldValueInvalid", format!("Invalid value: {value}: {why}"))
    }

    /// Returns the cause for a missing value.
    pub fn required(field: impl Into<String>, why: &str) -> Self {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        Self::new(field, "FieldValueRequired", format!("Required value{why}"))
    }

    /// Returns the cause for a field that must not be set, or not be changed.
    pub fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self::new(field, "FieldValueForbidden", format!("Forbidden: {why}"))
    }

    /// Returns the cause for a value that refers to a missing object.
    pub fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Self::new(field, "FieldValueNotFound", format!("Not found: {value}"))
    }

    /// Returns the cause for a duplicate value.
    pub fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self::new(field, "FieldValueDuplicate", format!("Duplicate value: {value}"))
    }

    /// Returns the cause for a value other than the supported ones.
    pub fn not_supported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|value| format!("\"{value}\"")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", supported.join(", "));
        Self::new(field, "FieldValueNotSupported", message)
    }

    /// Returns `spec.hostPID: Forbidden: …`.
    pub fn line(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }

    fn new(field: impl Into<String>, reason: &'static str, message: String) -> Self {
        Self { field: field.into(), reason, message }
    }
}

/// Returns 422 with its causes.
pub fn invalid(kind: &Kind, name: &str, causes: Vec<Cause>) -> Status {
    let shown: Vec<String> = causes.iter().map(Cause::line).collect();
    let shown = if shown.len() == 1 { shown.concat() } else { format!("[{}]", shown.join(", ")) };
    let mut details = json!({ "name": name });
    if !kind.group.is_empty() {
        details["group"] = kind.group.into();
    }
    details["kind"] = kind.kind.into();
    let causes = causes.into_iter();
    let causes = causes.map(|c| json!({"reason": c.reason, "message": c.message, "field": c.field}));
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
    causes.extend(match kind.kind {
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
        _ => Vec::new(),
    });
    causes.extend(immutable::changed(kind, stored, object));
    if kind.kind != "Pod" {
        causes.extend(body(kind, object));
    }
    causes
}

fn body(kind: &Kind, object: &Value) -> Vec<Cause> {
    match kind.kind {
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
