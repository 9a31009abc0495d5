//! Values interpreted through their schema: fields, merging, comparing, removing fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::Set;
use super::types::{Merge, Shape, Type, child, content, is_object, shape};

/// Returns the edge to an element of a list, or `None` if the element lacks its keys.
fn edge(merge: Merge, item: &Value) -> Option<String> {
    let Some(keys) = merge.keys() else { return Some(format!("v:{item}")) };
    let mut found = Map::new();
    for key in keys {
        let value = item.get(key).cloned().or_else(|| merge.default(key));
        found.insert(key.to_owned(), value.unwrap_or(Value::Null));
    }
    found.values().any(|value| !value.is_null()).then(|| format!("k:{}", Value::Object(found)))
}

fn indexed<'a>(merge: Merge, items: Option<&'a Vec<Value>>) -> Vec<(String, &'a Value)> {
    let mut found: Vec<(String, &Value)> = Vec::new();
    for item in items.into_iter().flatten() {
        let Some(edge) = edge(merge, item) else { continue };
        if !found.iter().any(|(other, _)| *other == edge) {
            found.push((edge, item));
        }
    }
    found
}

/// Checks that an applied document fits its type: `.spec.x: field not declared in schema`.
pub fn check(ty: Type, document: &Value) -> Result<(), String> {
    if document.is_object() { check_value(ty, document, "") } else { Err("expected map".to_owned()) }
}

fn check_value(ty: Type, value: &Value, path: &str) -> Result<(), String> {
    match (content(ty), value) {
        (_, Value::Null) | (Shape::Map(Type::Untyped), _) => Ok(()),
        // `additionalProperties: true`
        (Shape::Message(message), Value::Bool(_)) if message.name == "JSONSchemaProps" => Ok(()),
        (Shape::Leaf, value) => check_scalar(ty, value).map_err(|why| format!("{path}: {why}")),
        (Shape::List(element, merge), Value::Array(items)) => check_list(element, merge, items, path),
        (Shape::List(..), value) => Err(format!("{path}: expected list, got &{{{}}}", plain(value))),
        (shape, Value::Object(fields)) => {
            let is_object = path.is_empty() || is_object(shape);
            for (name, value) in fields.iter().filter(|(name, _)| !is_object || !is_type_meta(name)) {
                let path = format!("{path}.{name}");
                let below = child(shape, name).ok_or_else(|| format!("{path}: field not declared in schema"))?;
                check_value(below, value, &path)?;
            }
            Ok(())
        }
        (_, value) => Err(format!("{path}: expected map, got &{{{}}}", plain(value))),
    }
}

/// Checks a scalar of a custom resource; those of built-in types are checked when they are decoded.
fn check_scalar(ty: Type, value: &Value) -> Result<(), String> {
    let Type::Custom(schema) = ty else { return Ok(()) };
    match schema.ty.as_str() {
        "integer" | "number" if !value.is_number() => {
            Err(format!("expected numeric (int or float), got {}", go_type(value)))
        }
        "string" if !value.is_string() => {
            Err(format!("expected string, got &value.valueUnstructured{{Value:{value}}}"))
        }
        "boolean" if !value.is_boolean() => Err(format!("expected boolean, got &{{{}}}", plain(value))),
        _ => Ok(()),
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
        Value::Number(_) | Value::Null => "number",
    }
}

fn check_list(element: Type, merge: Option<Merge>, items: &[Value], path: &str) -> Result<(), String> {
    let mut seen: Vec<String> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(merge) = merge else {
            check_value(element, item, &format!("{path}[{index}]"))?;
            continue;
        };
        let edge = edge(merge, item).ok_or_else(|| {
            let keys: Vec<_> = merge.keys().into_iter().flatten().map(|key| format!("\"{key}\"")).collect();
            format!(
                "{path}: element {index}: associative list with keys has an element that omits key field {} \
                 (and doesn't have default value)",
                keys.join(" ")
            )
        })?;
        let shown = super::set::shown(&edge);
        if seen.contains(&edge) {
            return Err(format!("{path}: duplicate entries for key {shown}"));
        }
        check_value(element, item, &format!("{path}{shown}"))?;
        seen.push(edge);
    }
    Ok(())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn is_type_meta(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind")
}

/// Returns the fields of a document.
pub fn fields(ty: Type, document: &Value) -> Set {
    let mut set = Set::default();
    collect(shape(ty), document, &mut Vec::new(), &mut set);
    set
}

fn collect(shape: Shape, value: &Value, path: &mut Vec<String>, set: &mut Set) {
    match (shape, value) {
        (Shape::Leaf, _) => set.insert(path),
        (Shape::List(element, Some(merge)), Value::Array(items)) => {
            for (edge, item) in indexed(merge, Some(items)) {
                path.push(edge);
                collect(self::shape(element), item, path, set);
                set.insert(path);
                path.pop();
            }
        }
        (shape, Value::Object(entries)) => {
            for (name, value) in entries {
                if path.is_empty() && is_type_meta(name) {
                    continue;
                }
                let Some(schema) = child(shape, name) else { continue };
                path.push(format!("f:{name}"));
                collect(self::shape(schema), value, path, set);
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if empty || matches!(shape, Shape::Map(_)) {
                    set.insert(path);
                }
                path.pop();
            }
        }
        _ => set.insert(path),
    }
}

/// Merges `config` into `live`: its values win, lists with keys are merged by key.
pub fn merge(ty: Type, live: &Value, config: &Value) -> Value {
    merged(shape(ty), Some(live), Some(config)).unwrap_or_default()
}

fn merged(shape: Shape, live: Option<&Value>, config: Option<&Value>) -> Option<Value> {
    match (shape, live, config) {
        (_, live, None) => live.cloned(),
        (_, None | Some(Value::Null), config) | (Shape::Leaf, _, config) => config.cloned(),
        (Shape::List(element, Some(merge)), Some(Value::Array(live)), Some(Value::Array(config))) => {
            Some(merged_list(element, merge, live, config))
        }
        (shape, Some(Value::Object(live)), Some(Value::Object(config))) => {
            let mut out = live.clone();
            for (name, value) in config {
                let below = child(shape, name).map_or(Shape::Leaf, self::shape);
                if let Some(value) = merged(below, live.get(name), Some(value)) {
                    out.insert(name.clone(), value);
                }
            }
            Some(out.into())
        }
        (_, _, config) => config.cloned(),
    }
}

/// Merges lists: shared elements take the applied order; elements only in the live list keep their place before them.
fn merged_list(element: Type, merge: Merge, live: &Vec<Value>, config: &Vec<Value>) -> Value {
    let (ours, theirs) = (indexed(merge, Some(live)), indexed(merge, Some(config)));
    let live_of = |edge: &str| ours.iter().find(|(other, _)| other == edge).map(|(_, item)| *item);
    let is_shared = |edge: &str| theirs.iter().any(|(other, _)| other == edge);
    let mut out = Vec::with_capacity(ours.len() + theirs.len());
    let mut left = ours.iter().peekable();
    for (edge, item) in &theirs {
        if left.clone().any(|(other, _)| other == edge) {
            // Elements that only the live list has in front of this shared element stay in front of it.
            while let Some((other, item)) = left.next_if(|(other, _)| other != edge) {
                if !is_shared(other) {
                    out.push((*item).clone());
                }
            }
            left.next_if(|(other, _)| other == edge);
        }
        out.extend(merged(shape(element), live_of(edge), Some(item)));
    }
    out.extend(left.filter(|(edge, _)| !is_shared(edge)).map(|(_, item)| (*item).clone()));
    out.into()
}

/// The difference between two documents.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The fields that only the second has.
    pub added: Set,
    /// The fields that only the first has.
    pub removed: Set,
    /// The fields with different values.
    pub modified: Set,
}

/// Compares two documents field by field.
pub fn compare(ty: Type, before: &Value, after: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    comparison.walk(shape(ty), Some(before), Some(after), &mut Vec::new());
    comparison
}

impl Comparison {
    /// Returns the added and modified fields.
    pub fn changed(&self) -> Set {
        self.added.union(&self.modified)
    }

    fn walk<'a>(
        &mut self,
        shape: Shape<'a>,
        before: Option<&'a Value>,
        after: Option<&'a Value>,
        path: &mut Vec<String>,
    ) {
        match (shape, before, after) {
            (Shape::List(element, Some(merge)), _, _) if holds_items(before) || holds_items(after) => {
                let (before, after) = (before.and_then(Value::as_array), after.and_then(Value::as_array));
                let (ours, theirs) = (indexed(merge, before), indexed(merge, after));
                let mut edges: BTreeMap<&str, (Option<&Value>, Option<&Value>)> = BTreeMap::new();
                edges.extend(ours.iter().map(|(edge, item)| (edge.as_str(), (Some(*item), None))));
                for (edge, item) in &theirs {
                    edges.entry(edge).or_default().1 = Some(item);
                }
                self.children(path, edges.into_iter().map(|(e, pair)| (e.to_owned(), self::shape(element), pair)));
            }
            (shape, _, _) if has_fields(shape) && (holds_fields(before) || holds_fields(after)) => {
                let (ours, theirs) = (before.and_then(Value::as_object), after.and_then(Value::as_object));
                let mut names: Vec<&String> = ours.into_iter().chain(theirs).flat_map(Map::keys).collect();
                names.sort_unstable();
                names.dedup();
                let top = path.is_empty();
                let children = names.into_iter().filter(|name| !(top && is_type_meta(name))).map(|name| {
                    let below = child(shape, name).map_or(Shape::Leaf, self::shape);
                    let pair = (ours.and_then(|o| o.get(name)), theirs.and_then(|t| t.get(name)));
                    (format!("f:{name}"), below, pair)
                });
                self.children(path, children);
            }
            _ => return self.leaf(before, after, path),
        }
        match (before, after) {
            (None, Some(_)) => self.added.insert(path),
            (Some(_), None) => self.removed.insert(path),
            _ => {}
        }
    }

    fn children<'a>(
        &mut self,
        path: &mut Vec<String>,
        children: impl Iterator<Item = (String, Shape<'a>, (Option<&'a Value>, Option<&'a Value>))>,
    ) {
        for (edge, below, (before, after)) in children {
            path.push(edge);
            self.walk(below, before, after, path);
            path.pop();
        }
    }

    fn leaf(&mut self, before: Option<&Value>, after: Option<&Value>, path: &[String]) {
        match (before, after) {
            (None, Some(_)) => self.added.insert(path),
            (Some(_), None) => self.removed.insert(path),
            (before, after) if before != after => self.modified.insert(path),
            _ => {}
        }
    }
}

fn holds_items(value: Option<&Value>) -> bool {
    value.and_then(Value::as_array).is_some_and(|items| !items.is_empty())
}

fn holds_fields(value: Option<&Value>) -> bool {
    value.and_then(Value::as_object).is_some_and(|fields| !fields.is_empty())
}

fn has_fields(shape: Shape) -> bool {
    !matches!(shape, Shape::Leaf | Shape::List(..))
}

/// Returns a document without the fields of a set.
pub fn without(ty: Type, document: &Value, fields: &Set) -> Value {
    removed(shape(ty), document, fields).unwrap_or_else(|| Map::new().into())
}

fn removed(shape: Shape, value: &Value, fields: &Set) -> Option<Value> {
    match (shape, value) {
        (Shape::List(element, Some(merge)), Value::Array(items)) if !items.is_empty() => {
            let kept: Vec<Value> = items.iter().filter_map(|item| kept(merge, element, item, fields)).collect();
            (!kept.is_empty()).then(|| kept.into())
        }
        (shape, Value::Object(entries)) if has_fields(shape) && !entries.is_empty() => {
            let mut out = Map::new();
            for (name, value) in entries {
                let edge = format!("f:{name}");
                if fields.has(&edge) {
                    continue;
                }
                let schema = child(shape, name);
                let value = match fields.below(&edge).zip(schema) {
                    // A value that loses its last field is removed, where structured-merge-diff leaves a null.
                    Some((below, schema)) => removed(self::shape(schema), value, below),
                    None => Some(value.clone()),
                };
                out.extend(value.map(|value| (name.clone(), value)));
            }
            (!out.is_empty()).then(|| out.into())
        }
        (Shape::Leaf, value) if value.is_array() || value.is_object() => None,
        (_, value) => Some(value.clone()),
    }
}

fn kept(merge: Merge, element: Type, item: &Value, fields: &Set) -> Option<Value> {
    let Some(edge) = edge(merge, item) else { return Some(item.clone()) };
    if fields.has(&edge) {
        return None;
    }
    match fields.below(&edge) {
        Some(below) => removed(shape(element), item, below),
        None => Some(item.clone()),
    }
}
