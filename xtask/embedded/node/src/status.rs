//! What the API answers when it refuses: a `v1.Status`, worded as kube-apiserver words it.

use serde_json::{Value, json};

use crate::kinds::Kind;

/// A refused request: HTTP code, `reason`, `message`, `details` of a `v1.Status`.
#[derive(Debug, Clone)]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason: `NotFound`, `Conflict` …
    pub reason: &'static str,
    /// What a person reads.
    pub message: String,
    /// `details` of the answer; null where the API server leaves it out.
    pub details: Value,
}

impl Status {
    /// A refusal without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Value::Null }
    }

    /// 404: the object is not there.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.qualified_plural());
        Self { details: details(kind, name), ..Self::new(404, "NotFound", message) }
    }

    /// 409: the name is taken.
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.qualified_plural());
        Self { details: details(kind, name), ..Self::new(409, "AlreadyExists", message) }
    }

    /// 403: admission refuses it.
    pub fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.qualified_plural());
        Self { details: details(kind, name), ..Self::new(403, "Forbidden", message) }
    }

    /// 409: the resource version sent is not the stored one.
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified_plural());
        Self { details: details(kind, name), ..Self::new(409, "Conflict", message) }
    }

    /// The `v1.Status` document.
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
