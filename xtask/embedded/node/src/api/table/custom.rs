//! Columns of custom resources: the name, and what their definition adds.

use serde_json::{Value, json};

use super::age;
use crate::registry::custom::CustomVersion;

/// Returns the definitions of the columns.
pub fn definitions(version: &CustomVersion) -> Vec<Value> {
    let name = json!({"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0});
    [name].into_iter().chain(version.columns.iter().map(|column| column.definition.clone())).collect()
}

/// Returns the values of an object.
pub fn cells(version: &CustomVersion, object: &Value) -> Vec<Value> {
    let columns = version.columns.iter().map(|column| match column.value(object) {
        time if column.ty == "date" && time.is_string() => age::since(&time).into(),
        value => value,
    });
    [object["metadata"]["name"].clone()].into_iter().chain(columns).collect()
}
