//! Values interpreted through their schema: fields, merging, comparing, removing fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::Set;
use crate::kinds::KINDS;
use crate::registry::schema::{self, Field, MergeStrategy, Message, Schema};

/// How apply treats a value.
#[derive(Clone, Copy)]
enum ApplyShape {
    /// As a unit, regardless of its content.
    Leaf,
    /// As a type with fields.
    Message(&'static Message),
    /// As a map with values of one type.
    Map(Schema),
    /// As a list whose elements are identified by keys or values.
    List(Schema, MergeStrategy),
}

fn shape(schema: Schema) -> ApplyShape {
    match schema {
        Schema::Scalar(_) | Schema::Map(_, true) | Schema::List(_, MergeStrategy::Atomic) => ApplyShape::Leaf,
        Schema::Map(element, false) => ApplyShape::Map(*element),
        Schema::List(element, merge) => ApplyShape::List(*element, merge),
        Schema::Message(name) => match schema::message(name) {
            Some(message) if !message.atomic => ApplyShape::Message(message),
            _ => ApplyShape::Leaf,
        },
    }
}

/// Returns the type of a field of a value, if it is known.
fn child(shape: ApplyShape, name: &str) -> Option<Schema> {
    match shape {
        ApplyShape::Message(message) => message.field(name).map(|field: &Field| field.schema),
        ApplyShape::Map(element) => Some(element),
        _ => None,
    }
}

/// Returns the edge to an element of a list, or `None` if the element lacks its keys.
fn edge(merge: MergeStrategy, item: &Value) -> Option<String> {
    let MergeStrategy::Map(keys) = merge else { return Some(format!("v:{item}")) };
    let mut found = Map::new();
    for key in keys {
        let value = item.get(*key).cloned().or_else(|| (*key == "protocol").then(|| "TCP".into()));
        found.insert((*key).to_owned(), value.unwrap_or(Value::Null));
    }
    found.values().any(|value| !value.is_null()).then(|| format!("k:{}", Value::Object(found)))
}

fn indexed(merge: MergeStrategy, items: Option<&Vec<Value>>) -> Vec<(String, &Value)> {
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
pub fn check(message: &'static Message, document: &Value) -> Result<(), String> {
    let Some(fields) = document.as_object() else { return Err("expected map".to_owned()) };
    for (name, value) in fields.iter().filter(|(name, _)| !is_type_meta(name)) {
        let field = message.field(name).ok_or_else(|| format!(".{name}: field not declared in schema"))?;
        check_value(field.schema, value, &format!(".{name}"))?;
    }
    Ok(())
}

fn check_value(schema: Schema, value: &Value, path: &str) -> Result<(), String> {
    match (schema, value) {
        (_, Value::Null) | (Schema::Scalar(_), _) => Ok(()),
        (Schema::Message(name), Value::Object(fields)) => {
            let message = schema::message(name).ok_or_else(|| format!("{path}: schema error"))?;
            // A claim template is an object itself, with its kind and version.
            let is_object = KINDS.iter().any(|kind| kind.kind == name);
            for (name, value) in fields.iter().filter(|(name, _)| !is_object || !is_type_meta(name)) {
                let path = format!("{path}.{name}");
                let field = message.field(name).ok_or_else(|| format!("{path}: field not declared in schema"))?;
                check_value(field.schema, value, &path)?;
            }
            Ok(())
        }
        (Schema::Map(element, _), Value::Object(entries)) => {
            entries.iter().try_for_each(|(key, value)| check_value(*element, value, &format!("{path}.{key}")))
        }
        (Schema::List(element, merge), Value::Array(items)) => check_list(*element, merge, items, path),
        (Schema::List(..), value) => Err(format!("{path}: expected list, got &{{{}}}", plain(value))),
        (_, value) => Err(format!("{path}: expected map, got &{{{}}}", plain(value))),
    }
}

fn check_list(element: Schema, merge: MergeStrategy, items: &[Value], path: &str) -> Result<(), String> {
    let mut seen: Vec<String> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if merge == MergeStrategy::Atomic {
            check_value(element, item, &format!("{path}[{index}]"))?;
            continue;
        }
        let keys = if let MergeStrategy::Map(keys) = merge { keys } else { &[] };
        let edge = edge(merge, item).ok_or_else(|| {
            let keys: Vec<_> = keys.iter().map(|key| format!("\"{key}\"")).collect();
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
pub fn fields(message: &'static Message, document: &Value) -> Set {
    let mut set = Set::default();
    collect(ApplyShape::Message(message), document, &mut Vec::new(), &mut set);
    set
}

fn collect(shape: ApplyShape, value: &Value, path: &mut Vec<String>, set: &mut Set) {
    match (shape, value) {
        (ApplyShape::Leaf, _) => set.insert(path),
        (ApplyShape::List(element, merge), Value::Array(items)) => {
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
                if empty || matches!(shape, ApplyShape::Map(_)) {
                    set.insert(path);
                }
                path.pop();
            }
        }
        _ => set.insert(path),
    }
}

/// Merges `config` into `live`: its values win, lists with keys are merged by key.
pub fn merge(message: &'static Message, live: &Value, config: &Value) -> Value {
    merged(ApplyShape::Message(message), Some(live), Some(config)).unwrap_or_default()
}

fn merged(shape: ApplyShape, live: Option<&Value>, config: Option<&Value>) -> Option<Value> {
    match (shape, live, config) {
        (_, live, None) => live.cloned(),
        (_, None | Some(Value::Null), config) | (ApplyShape::Leaf, _, config) => config.cloned(),
        (ApplyShape::List(element, merge), Some(Value::Array(live)), Some(Value::Array(config))) => {
            Some(merged_list(element, merge, live, config))
        }
        (shape, Some(Value::Object(live)), Some(Value::Object(config))) => {
            let mut out = live.clone();
            for (name, value) in config {
                let below = child(shape, name).map_or(ApplyShape::Leaf, self::shape);
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
fn merged_list(element: Schema, merge: MergeStrategy, live: &Vec<Value>, config: &Vec<Value>) -> Value {
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
pub fn compare(message: &'static Message, before: &Value, after: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    comparison.walk(ApplyShape::Message(message), Some(before), Some(after), &mut Vec::new());
    comparison
}

impl Comparison {
    /// Returns the added and modified fields.
    pub fn changed(&self) -> Set {
        self.added.union(&self.modified)
    }

    fn walk(&mut self, shape: ApplyShape, before: Option<&Value>, after: Option<&Value>, path: &mut Vec<String>) {
        match (shape, before, after) {
            (ApplyShape::List(element, merge), _, _) if holds_some(before) || holds_some(after) => {
                let (before, after) = (before.and_then(Value::as_array), after.and_then(Value::as_array));
                let (ours, theirs) = (indexed(merge, before), indexed(merge, after));
                let mut edges: BTreeMap<&str, (Option<&Value>, Option<&Value>)> = BTreeMap::new();
                edges.extend(ours.iter().map(|(edge, item)| (edge.as_str(), (Some(*item), None))));
                for (edge, item) in &theirs {
                    edges.entry(edge).or_default().1 = Some(item);
                }
                self.children(path, edges.into_iter().map(|(e, pair)| (e.to_owned(), self::shape(element), pair)));
            }
            (ApplyShape::Message(_) | ApplyShape::Map(_), _, _) if holds_some(before) || holds_some(after) => {
                let (ours, theirs) = (before.and_then(Value::as_object), after.and_then(Value::as_object));
                let mut names: Vec<&String> = ours.into_iter().chain(theirs).flat_map(Map::keys).collect();
                names.sort_unstable();
                names.dedup();
                let top = path.is_empty();
                let children = names.into_iter().filter(|name| !(top && is_type_meta(name))).map(|name| {
                    let below = child(shape, name).map_or(ApplyShape::Leaf, self::shape);
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
        children: impl Iterator<Item = (String, ApplyShape, (Option<&'a Value>, Option<&'a Value>))>,
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

fn holds_some(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(entries)) => !entries.is_empty(),
        _ => false,
    }
}

/// Returns a document without the fields of a set.
pub fn without(message: &'static Message, document: &Value, fields: &Set) -> Value {
    removed(ApplyShape::Message(message), document, fields).unwrap_or_else(|| Map::new().into())
}

fn removed(shape: ApplyShape, value: &Value, fields: &Set) -> Option<Value> {
    match (shape, value) {
        (ApplyShape::List(element, merge), Value::Array(items)) if !items.is_empty() => {
            let kept: Vec<Value> = items.iter().filter_map(|item| kept(merge, element, item, fields)).collect();
            (!kept.is_empty()).then(|| kept.into())
        }
        (shape @ (ApplyShape::Message(_) | ApplyShape::Map(_)), Value::Object(entries)) if !entries.is_empty() => {
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
        (ApplyShape::Leaf, value) if value.is_array() || value.is_object() => None,
        (_, value) => Some(value.clone()),
    }
}

fn kept(merge: MergeStrategy, element: Schema, item: &Value, fields: &Set) -> Option<Value> {
    let Some(edge) = edge(merge, item) else { return Some(item.clone()) };
    if fields.has(&edge) {
        return None;
    }
    match fields.below(&edge) {
        Some(below) => removed(shape(element), item, below),
        None => Some(item.clone()),
    }
}
