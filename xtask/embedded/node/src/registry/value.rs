//! Small operations on JSON documents.

use serde_json::{Map, Value};

/// Sets a field that is missing, null, or an empty string.
pub fn fill(object: &mut Value, field: &str, value: impl Into<Value>) {
    if is_missing(&object[field]) {
        object[field] = value.into();
    }
}

/// Returns whether a value is missing: null or an empty string.
pub fn is_missing(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// Returns a text field, empty if it is missing.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the elements of a list field.
pub fn items<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// Returns the elements of a list field, mutably.
pub fn items_mut<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Returns a field that is present and not null, mutably.
pub fn there<'a>(object: &'a mut Value, field: &str) -> Option<&'a mut Value> {
    object.get_mut(field).filter(|value| !value.is_null())
}

/// Removes a field.
pub fn remove(object: &mut Value, field: &str) -> Option<Value> {
    object.as_object_mut().and_then(|fields| fields.shift_remove(field))
}

/// Returns an empty document.
pub fn empty() -> Value {
    Map::new().into()
}
