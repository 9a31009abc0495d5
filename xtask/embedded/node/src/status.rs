//! Errors of the API: a `v1.Status`, with kube-apiserver's messages.

use serde_json::{Value, json};

use crate::kinds::Kind;

/// An error: HTTP code, `reason`, `message`, `details` of a `v1.Status`.
#[derive(Debug, Clone)]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason: `NotFound`, `Conflict` …
    pub reason: &'static str,
    /// Human-readable message.
    pub message: String,
    /// `details` of the response; null if the API server leaves it out.
    pub details: Value,
}

impl Status {
    /// Returns an error without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Value::Null }
    }

    /// Returns 404: the object does not exist.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.qualified_plural());
        Self { details: details(kind, name), ..Self::new(404, "NotFound", message) }
    }

    /// Returns 409: the name is taken.
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.qualified_plural());
        Self { details: details(kind, name), ..Self::new(409, "AlreadyExists", message) }
    }

    /// Returns 403: admission rejects it.
    pub fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.qualified_plural());
        Self { details: details(kind, name), ..Self::new(403, "Forbidden", message) }
    }

    /// Returns 409: the sent resource version is not the stored one.
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified_plural());
        Self { details: details(kind, name), ..Self::new(409, "Conflict", message) }
    }

    /// Returns the `v1.Status` document.
    pub fn to_json(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason,
        });
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status["code"] = self.code.into();
        status
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

fn details(kind: &Kind, name: &str) -> Value {
    let mut details = json!({ "name": name });
    if !kind.group.is_empty() {
        details["group"] = kind.group.into();
    }
    details["kind"] = kind.plural.into();
    details
}
