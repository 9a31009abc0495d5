//! Removes what a schema does not declare, and adds its defaults.

use serde_json::{Map, Value};

use super::structural::{Additional, Structural};

/// The fields of every object, which are not checked by its schema.
pub const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Removes the undeclared fields of an object, and returns their paths.
pub fn prune(schema: &Structural, object: &mut Value) -> Vec<String> {
    let mut pruner = Pruner { unknown: Vec::new() };
    if let Value::Object(fields) = object {
        pruner.fields(schema, fields, true, "");
    }
    pruner.unknown
}

struct Pruner {
    unknown: Vec<String>,
}

impl Pruner {
    /// Prunes a value; without a schema, nothing in it is declared.
    fn value(&mut self, schema: Option<&Structural>, value: &mut Value, path: &str) {
        match (value, schema) {
            (Value::Object(fields), Some(schema)) => self.fields(schema, fields, schema.is_embedded, path),
            (Value::Object(fields), None) => {
                self.unknown.extend(fields.keys().map(|name| child(path, name)));
                fields.clear();
            }
            (Value::Array(items), schema) => {
                // What an item of a list that preserves unknown fields contains is preserved, too.
                let below = schema.and_then(|schema| schema.items.as_deref());
                if below.is_none() && schema.is_some_and(|schema| schema.preserves_unknown) {
                    return;
                }
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(below, item, &format!("{path}[{index}]"));
                }
            }
            _ => {}
        }
    }

    fn fields(&mut self, schema: &Structural, fields: &mut Map<String, Value>, is_object: bool, path: &str) {
        let mut undeclared = Vec::new();
        for (name, value) in fields.iter_mut() {
            if is_object && META.contains(&name.as_str()) {
                continue;
            }
            match (schema.properties.get(name), &schema.additional) {
                (Some(below), _) => self.value(Some(below), value, &child(path, name)),
                (None, Additional::Schema(below)) => self.value(Some(below), value, &child(path, name)),
                (None, _) if schema.preserves_unknown => {}
                (None, Additional::Allowed(true)) => self.value(None, value, &child(path, name)),
                (None, Additional::None | Additional::Allowed(false)) => undeclared.push(name.clone()),
            }
        }
        for name in undeclared {
            fields.shift_remove(&name);
            self.unknown.push(child(path, &name));
        }
    }
}

fn child(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Removes nulls that no field allows, and adds the defaults of missing fields.
pub fn default(schema: &Structural, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                let below = schema.property(name);
                !(value.is_null() && below.is_some_and(|below| !below.nullable && below.default.is_none()))
            });
            for (name, below) in &schema.properties {
                let Some(default) = &below.default else { continue };
                let found = fields.get(name);
                if found.is_none_or(|found| found.is_null() && !below.nullable) {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields.iter_mut() {
                if let Some(below) = schema.property(name) {
                    default_or_null(below, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(below) = schema.items.as_deref() {
                for item in items {
                    default_or_null(below, item);
                }
            }
        }
        _ => {}
    }
}

fn default_or_null(schema: &Structural, value: &mut Value) {
    if let (Value::Null, false, Some(default)) = (&*value, schema.nullable, &schema.default) {
        *value = default.clone();
    }
    default(schema, value);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pruned(schema: &Value, object: &Value) -> (Value, Vec<String>) {
        let mut object = object.clone();
        let unknown = prune(&Structural::read(schema), &mut object);
        (object, unknown)
    }

    fn defaulted(schema: &Value, object: &Value) -> Value {
        let mut object = object.clone();
        default(&Structural::read(schema), &mut object);
        object
    }

    fn of_spec(spec: &Value) -> Value {
        json!({"type": "object", "properties": {"spec": spec}})
    }

    #[test]
    fn undeclared_fields_are_removed_and_named() {
        let schema = of_spec(&json!({"type": "object", "properties": {
            "size": {"type": "integer"},
            "parts": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        }}));
        let sent = json!({
            "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "more": 1,
            "spec": {"size": 1, "sise": 2, "parts": [{"name": "a", "nome": "b"}], "labels": {"any": "thing"}},
        });
        let (kept, unknown) = pruned(&schema, &sent);
        assert_eq!(unknown, ["spec.parts[0].nome", "spec.sise", "more"]);
        assert_eq!(kept["spec"], json!({"size": 1, "parts": [{"name": "a"}], "labels": {"any": "thing"}}));
        assert_eq!((&kept["metadata"], kept.get("more")), (&json!({"name": "a"}), None));
    }

    #[test]
    fn unknown_fields_are_preserved_where_the_schema_says_so_but_not_below_declared_ones() {
        let schema = of_spec(&json!({
            "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            "properties": {"strict": {"type": "object", "properties": {"a": {"type": "string"}}}},
        }));
        let sent = json!({"spec": {"any": {"thing": [{"x": 1}]}, "strict": {"a": "1", "b": "2"}}});
        let (kept, unknown) = pruned(&schema, &sent);
        assert_eq!(kept, json!({"spec": {"any": {"thing": [{"x": 1}]}, "strict": {"a": "1"}}}));
        assert_eq!(unknown, ["spec.strict.b"]);
    }

    #[test]
    fn an_embedded_object_keeps_its_type_and_its_metadata() {
        let schema = of_spec(&json!({"type": "object", "properties": {"template": {
            "type": "object", "x-kubernetes-embedded-resource": true,
            "properties": {"data": {"type": "object", "additionalProperties": {"type": "string"}}},
        }}}));
        let template = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}});
        let mut sent = json!({"spec": {"template": template}});
        sent["spec"]["template"]["other"] = 1.into();
        let (kept, unknown) = pruned(&schema, &sent);
        assert_eq!((&kept["spec"]["template"], unknown), (&template, vec!["spec.template.other".to_owned()]));
    }

    #[test]
    fn defaults_fill_missing_fields_of_objects_that_are_there() {
        let schema = of_spec(&json!({
            "type": "object",
            "properties": {
                "size": {"type": "integer", "default": 3},
                "mode": {"type": "object", "properties": {"fast": {"type": "boolean", "default": true}}},
                "parts": {"type": "array", "items": {"type": "object", "properties": {
                    "color": {"type": "string", "default": "red"},
                }}},
            },
        }));
        assert_eq!(defaulted(&schema, &json!({})), json!({}), "no default creates the spec");
        let sent = json!({"spec": {"parts": [{}, {"color": "blue"}]}});
        let wanted = json!({"spec": {"parts": [{"color": "red"}, {"color": "blue"}], "size": 3}});
        assert_eq!(defaulted(&schema, &sent), wanted);
        assert_eq!(
            defaulted(&schema, &json!({"spec": {"mode": {}, "size": 0}}))["spec"]["mode"],
            json!({"fast": true})
        );
    }

    #[test]
    fn a_null_is_the_default_or_nothing_unless_the_field_is_nullable() {
        let schema = of_spec(&json!({"type": "object", "properties": {
            "plain": {"type": "string"},
            "defaulted": {"type": "string", "default": "a"},
            "nullable": {"type": "string", "nullable": true, "default": "a"},
        }}));
        let sent = json!({"spec": {"plain": null, "defaulted": null, "nullable": null}});
        assert_eq!(defaulted(&schema, &sent), json!({"spec": {"defaulted": "a", "nullable": null}}));
    }
}
