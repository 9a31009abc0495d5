//! `additionalPrinterColumns`: what `kubectl get` shows of a custom resource.

use serde_json::{Value, json};

use super::json_path::JsonPath;
use crate::registry::value::{items, text};

/// One column.
#[derive(Debug)]
pub struct PrinterColumn {
    /// Its definition in a table.
    pub definition: Value,
    /// Its type: `date` is shown as an age.
    pub ty: String,
    path: Option<JsonPath>,
}

impl PrinterColumn {
    /// Returns the columns of a version; the age, if it has none of its own.
    pub fn of(version: &Value) -> Vec<Self> {
        let columns: Vec<Self> = items(version, "additionalPrinterColumns").map(Self::read).collect();
        let age = json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"});
        if columns.is_empty() { vec![Self::read(&age)] } else { columns }
    }

    /// Reads a column of a definition.
    fn read(column: &Value) -> Self {
        let path = text(column, "jsonPath");
        let description = match text(column, "description") {
            "" => format!("Custom resource definition column (in JSONPath format): {path}"),
            text => text.to_owned(),
        };
        let definition = json!({
            "name": column["name"], "type": column["type"], "format": text(column, "format"),
            "description": description, "priority": column["priority"].as_i64().unwrap_or(0),
        });
        Self { definition, ty: text(column, "type").to_owned(), path: JsonPath::parse(path) }
    }

    /// Returns the value that it shows of an object; null if there is none of its type.
    pub fn value(&self, object: &Value) -> Value {
        let found = self.path.as_ref().and_then(|path| path.find(object).first().copied().cloned());
        match (self.ty.as_str(), found.unwrap_or_default()) {
            (_, Value::Null) => Value::Null,
            ("string", Value::String(text)) => text.into(),
            ("string", value) => value.to_string().into(),
            ("integer", value) => value.as_i64().into(),
            ("number", value) if value.is_number() => value,
            ("boolean", value) if value.is_boolean() => value,
            ("date", value) if value.is_string() => value,
            _ => Value::Null,
        }
    }
}
