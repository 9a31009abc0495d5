//! Small changes of documents.

use serde_json::{Map, Value};

/// Sets a field that is not there, null, or an empty string.
pub fn fill(object: &mut Value, field: &str, value: impl Into<Value>) {
    if is_missing(&object[field]) {
        object[field] = value.into();
    }
}

/// Whether there is nothing: null or an empty string.
pub fn is_missing(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// A field that is text, empty where it is not there.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The elements of a field that is a list.
pub fn items<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// The elements of a field that is a list, to change them.
pub fn items_mut<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

/// A field that is there and not null, to change it.
pub fn there<'a>(object: &'a mut Value, field: &str) -> Option<&'a mut Value> {
    object.get_mut(field).filter(|value| !value.is_null())
}

/// Takes a field away.
pub fn remove(object: &mut Value, field: &str) -> Option<Value> {
    object.as_object_mut().and_then(|fields| fields.shift_remove(field))
}

/// An empty document.
pub fn empty() -> Value {
    Map::new().into()
}
