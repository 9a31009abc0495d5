//! One error of a field, with the words of kube-apiserver.

use serde_json::{Value, json};

/// One error of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub(super) field: String,
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

    /// Returns the cause for a value of a wrong type.
    pub fn wrong_type(field: impl Into<String>, value: &Value, why: &str) -> Self {
        Self::new(field, "FieldValueTypeInvalid", format!("Invalid value: {value}: {why}"))
    }

    /// Returns the cause for a text of more than `max` bytes.
    pub fn too_long(field: impl Into<String>, max: u64) -> Self {
        Self::new(field, "FieldValueTooLong", format!("Too long: may not be more than {max} bytes"))
    }

    /// Returns the cause for a list of `count` items, of which `max` are allowed.
    pub fn too_many(field: impl Into<String>, count: u64, max: u64) -> Self {
        let items = if max == 1 { "item" } else { "items" };
        Self::new(field, "FieldValueTooMany", format!("Too many: {count}: must have at most {max} {items}"))
    }

    /// Returns it as the API writes it.
    pub fn to_json(&self) -> Value {
        json!({"reason": self.reason, "message": self.message, "field": self.field})
    }

    fn new(field: impl Into<String>, reason: &'static str, message: String) -> Self {
        Self { field: field.into(), reason, message }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}
