//! Checks objects against the schema of their definition, with kube-apiserver's messages.

use serde_json::{Map, Value};

use super::formats;
use super::prune::META;
use super::structural::{Additional, ListType, Rules, Structural};
use crate::registry::cause::Cause;
use crate::registry::value::is_missing;

/// Returns what is wrong with an object. Its metadata is not checked here.
pub fn check(schema: &Structural, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let Value::Object(fields) = object else { return causes };
    let declared = |name: &str| !META.contains(&name) && schema.properties.contains_key(name);
    for (name, value) in fields.iter().filter(|(name, _)| declared(name)) {
        causes.extend(value_causes(&schema.properties[name], value, name));
    }
    if let Some(rules) = &schema.rules {
        causes.extend(required(rules, fields, ""));
        causes.extend(combined(rules, object, ""));
    }
    causes
}

fn value_causes(schema: &Structural, value: &Value, path: &str) -> Vec<Cause> {
    let mut causes: Vec<Cause> = wrong_type(schema, value, path).into_iter().collect();
    let rules = schema.rules.as_deref();
    if let (Some(rules), false) = (rules, value.is_null()) {
        causes.extend(combined(rules, value, path));
        match value {
            Value::String(text) => causes.extend(text_causes(rules, text, path)),
            Value::Number(_) => causes.extend(number_causes(rules, value, path)),
            _ => {}
        }
    }
    match value {
        Value::Array(items) => causes.extend(list_causes(schema, items, path)),
        Value::Object(fields) => causes.extend(object_causes(schema, fields, path)),
        _ => {}
    }
    if let Some(rules) = rules.filter(|rules| !rules.allowed.is_empty() && !rules.allowed.contains(value)) {
        let allowed: Vec<String> = rules.allowed.iter().map(plain).collect();
        let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
        causes.push(Cause::not_supported(path, value, &allowed));
    }
    causes
}

/// Returns a text without quotes, or any other value as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn wrong_type(schema: &Structural, value: &Value, path: &str) -> Option<Cause> {
    let (found, wanted) = (type_of(value), if schema.is_int_or_string { "integer,string" } else { schema.ty.as_str() });
    let fits = match value {
        Value::Null => schema.nullable,
        _ if schema.is_int_or_string => matches!(found, "integer" | "string"),
        _ => found == wanted || (found == "integer" && wanted == "number"),
    };
    let why = format!("{path} in body must be of type {wanted}: \"{found}\"");
    (!wanted.is_empty() && !fits).then(|| Cause::wrong_type(path, &found.into(), &why))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() == 0.0) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn text_causes(rules: &Rules, text: &str, path: &str) -> Vec<Cause> {
    let length = text.chars().count() as u64;
    let value = Value::from(text);
    let mut causes = Vec::new();
    if let Some(max) = rules.length_max.filter(|max| length > *max) {
        causes.push(Cause::too_long(path, max));
    }
    if let Some(min) = rules.length_min.filter(|min| length < *min) {
        causes.push(Cause::bad(path, &value, &format!("{path} in body should be at least {min} chars long")));
    }
    if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
        causes.push(Cause::bad(path, &value, &format!("{path} in body should match '{}'", pattern.text)));
    }
    if !formats::fits(&rules.format, text) {
        let why = format!("{path} in body must be of type {}: {value}", rules.format);
        causes.push(Cause::wrong_type(path, &value, &why));
    }
    causes
}

fn number_causes(rules: &Rules, value: &Value, path: &str) -> Vec<Cause> {
    let Some(number) = value.as_f64() else { return Vec::new() };
    let mut wrong = Vec::new();
    match rules.maximum {
        Some((max, true)) if number >= max => wrong.push(format!("should be less than {max}")),
        Some((max, false)) if number > max => wrong.push(format!("should be less than or equal to {max}")),
        _ => {}
    }
    match rules.minimum {
        Some((min, true)) if number <= min => wrong.push(format!("should be greater than {min}")),
        Some((min, false)) if number < min => wrong.push(format!("should be greater than or equal to {min}")),
        _ => {}
    }
    if let Some(factor) = rules.multiple_of.filter(|factor| (number / factor).fract() != 0.0) {
        wrong.push(format!("should be a multiple of {factor}"));
    }
    wrong.iter().map(|why| Cause::bad(path, value, &format!("{path} in body {why}"))).collect()
}

fn list_causes(schema: &Structural, items: &[Value], path: &str) -> Vec<Cause> {
    let (mut causes, count) = (Vec::new(), items.len() as u64);
    if let Some(below) = schema.items.as_deref() {
        let each = items.iter().enumerate();
        causes.extend(each.flat_map(|(index, item)| value_causes(below, item, &format!("{path}[{index}]"))));
    }
    if let Some(rules) = &schema.rules {
        if let Some(min) = rules.items_min.filter(|min| count < *min) {
            causes.push(Cause::bad(path, &count.into(), &format!("{path} in body should have at least {min} items")));
        }
        causes.extend(rules.items_max.filter(|max| count > *max).map(|max| Cause::too_many(path, count, max)));
    }
    causes.extend(duplicates(&schema.list, items, path));
    causes
}

/// Returns the elements of a set or a map that an earlier element equals.
fn duplicates(list: &ListType, items: &[Value], path: &str) -> Vec<Cause> {
    let identity = |item: &Value| match list {
        ListType::Map(keys) => keys.iter().map(|key| (key.clone(), item[key].clone())).collect::<Map<_, _>>().into(),
        _ => item.clone(),
    };
    if *list == ListType::Atomic {
        return Vec::new();
    }
    let mut seen: Vec<Value> = Vec::new();
    let mut causes = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let item = identity(item);
        if seen.contains(&item) {
            causes.push(Cause::duplicate(format!("{path}[{index}]"), &item));
        } else {
            seen.push(item);
        }
    }
    causes
}

fn object_causes(schema: &Structural, fields: &Map<String, Value>, path: &str) -> Vec<Cause> {
    let (mut causes, count) = (Vec::new(), fields.len() as u64);
    if let Some(rules) = &schema.rules {
        let wrong = match (rules.properties_min, rules.properties_max) {
            (Some(min), _) if count < min => Some(format!("should have at least {min} properties")),
            (_, Some(max)) if count > max => Some(format!("should have at most {max} properties")),
            _ => None,
        };
        causes.extend(wrong.map(|why| Cause::bad(path, &count.into(), &format!("{path} in body {why}"))));
        causes.extend(required(rules, fields, path));
    }
    if schema.is_embedded {
        let missing = ["apiVersion", "kind"].into_iter().filter(|name| fields.get(*name).is_none_or(is_missing));
        causes.extend(missing.map(|name| Cause::required(format!("{path}.{name}"), "must not be empty")));
    }
    for (name, value) in fields {
        let below = format!("{path}.{name}");
        match (schema.property(name), &schema.additional) {
            (Some(_), _) if schema.is_embedded && META.contains(&name.as_str()) => {}
            (Some(schema), _) => causes.extend(value_causes(schema, value, &below)),
            (None, Additional::Allowed(false)) if !schema.preserves_unknown => {
                causes.push(Cause::bad(
                    path,
                    &name.as_str().into(),
                    &format!("{below} in body is a forbidden property"),
                ));
            }
            _ => {}
        }
    }
    causes
}

fn required(rules: &Rules, fields: &Map<String, Value>, path: &str) -> Vec<Cause> {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    let missing = rules.required.iter().filter(|name| !fields.contains_key(*name));
    missing.map(|name| Cause::required(format!("{prefix}{name}"), "")).collect()
}

/// Checks `allOf`, `anyOf`, `oneOf` and `not`.
fn combined(rules: &Rules, value: &Value, path: &str) -> Vec<Cause> {
    let failures = |alternatives: &[Structural]| -> Vec<Vec<Cause>> {
        alternatives.iter().map(|schema| value_causes(schema, value, path)).collect()
    };
    let of_whole = |why: String| Cause::bad("<nil>", &"".into(), &format!("\"{path}\" must {why}"));
    let closest = |failed: Vec<Vec<Cause>>| failed.into_iter().min_by_key(Vec::len).unwrap_or_default();
    let mut causes = Vec::new();
    let any = failures(&rules.any_of);
    if !any.is_empty() && !any.iter().any(Vec::is_empty) {
        causes.push(of_whole("validate at least one schema (anyOf)".to_owned()));
        causes.extend(closest(any));
    }
    let one = failures(&rules.one_of);
    match one.iter().filter(|causes| causes.is_empty()).count() {
        _ if one.is_empty() => {}
        0 => {
            causes.push(of_whole("validate one and only one schema (oneOf). Found none valid".to_owned()));
            causes.extend(closest(one));
        }
        1 => {}
        valid => {
            let why = format!("validate one and only one schema (oneOf). Found {valid} valid alternatives");
            causes.push(of_whole(why));
        }
    }
    let all = failures(&rules.all_of);
    if all.iter().any(|causes| !causes.is_empty()) {
        let none = if all.iter().any(Vec::is_empty) { "" } else { ". None validated" };
        causes.extend(all.into_iter().flatten());
        causes.push(of_whole(format!("validate all the schemas (allOf){none}")));
    }
    if rules.not.as_deref().is_some_and(|not| value_causes(not, value, path).is_empty()) {
        causes.push(of_whole("not validate the schema (not)".to_owned()));
    }
    causes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the messages about a field of the spec.
    fn causes(schema: &Value, value: &Value) -> Vec<String> {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": schema}}}});
        let causes = check(&Structural::read(&schema), &json!({"spec": {"a": value}}));
        causes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn values_are_refused_in_the_servers_words() {
        let table = [
            (
                json!({"type": "integer"}),
                json!("three"),
                "spec.a: Invalid value: \"string\": spec.a in body must be of type integer: \"string\"",
            ),
            (
                json!({"x-kubernetes-int-or-string": true}),
                json!(true),
                "spec.a: Invalid value: \"boolean\": spec.a in body must be of type integer,string: \"boolean\"",
            ),
            (
                json!({"type": "integer", "minimum": 1}),
                json!(0),
                "spec.a: Invalid value: 0: spec.a in body should be greater than or equal to 1",
            ),
            (
                json!({"type": "number", "maximum": 1.5, "exclusiveMaximum": true}),
                json!(1.5),
                "spec.a: Invalid value: 1.5: spec.a in body should be less than 1.5",
            ),
            (
                json!({"type": "string", "enum": ["red", "blue"]}),
                json!("green"),
                "spec.a: Unsupported value: \"green\": supported values: \"red\", \"blue\"",
            ),
            (
                json!({"type": "string", "pattern": "^a+$"}),
                json!("b"),
                "spec.a: Invalid value: \"b\": spec.a in body should match '^a+$'",
            ),
            (json!({"type": "string", "maxLength": 2}), json!("abc"), "spec.a: Too long: may not be more than 2 bytes"),
            (
                json!({"type": "string", "format": "date-time"}),
                json!("today"),
                "spec.a: Invalid value: \"today\": spec.a in body must be of type date-time: \"today\"",
            ),
            (
                json!({"type": "array", "minItems": 1, "items": {"type": "string"}}),
                json!([]),
                "spec.a: Invalid value: 0: spec.a in body should have at least 1 items",
            ),
            (
                json!({"type": "array", "maxItems": 1, "items": {"type": "string"}}),
                json!(["a", "b"]),
                "spec.a: Too many: 2: must have at most 1 item",
            ),
            (
                json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}),
                json!(["a", "b", "a"]),
                "spec.a[2]: Duplicate value: \"a\"",
            ),
            (
                json!({"type": "object", "required": ["b"], "properties": {"b": {"type": "string"}}}),
                json!({}),
                "spec.a.b: Required value",
            ),
            (
                json!({"type": "object", "x-kubernetes-embedded-resource": true}),
                json!({"apiVersion": "v1"}),
                "spec.a.kind: Required value: must not be empty",
            ),
        ];
        for (schema, value, wanted) in table {
            assert_eq!(causes(&schema, &value), [wanted]);
        }
    }

    #[test]
    fn values_that_fit_are_accepted() {
        let table = [
            (json!({"type": "number"}), json!(1)),
            (json!({"type": "integer"}), json!(1.0)),
            (json!({"x-kubernetes-int-or-string": true}), json!("50%")),
            (json!({"type": "string", "nullable": true}), json!(null)),
            (json!({"type": "integer", "format": "int32"}), json!(1)),
            (json!({"x-kubernetes-preserve-unknown-fields": true}), json!([{"a": 1}, "b"])),
            (json!({"type": "object", "additionalProperties": {"type": "string"}}), json!({"a": "b"})),
        ];
        for (schema, value) in table {
            assert_eq!(causes(&schema, &value), [""; 0], "{schema} {value}");
        }
    }

    #[test]
    fn alternatives_are_counted() {
        let one = json!({"type": "object", "properties": {"b": {"type": "string"}, "c": {"type": "string"}},
            "oneOf": [{"required": ["b"]}, {"required": ["c"]}]});
        assert_eq!(causes(&one, &json!({"b": "x"})), [""; 0]);
        let none =
            "<nil>: Invalid value: \"\": \"spec.a\" must validate one and only one schema (oneOf). Found none valid";
        assert_eq!(causes(&one, &json!({})), [none, "spec.a.b: Required value"]);
        let both = causes(&one, &json!({"b": "x", "c": "y"}));
        assert!(both[0].ends_with("Found 2 valid alternatives"), "{both:?}");
        let not = json!({"type": "string", "not": {"enum": ["a"]}});
        assert_eq!(
            causes(&not, &json!("a")),
            ["<nil>: Invalid value: \"\": \"spec.a\" must not validate the schema (not)"]
        );
    }
}
