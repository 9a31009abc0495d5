//! Sets of field paths, as `metadata.managedFields[].fieldsV1` writes them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A set of field paths: a trie whose edges are `f:name`, `k:{"key":"value"}` and `v:value`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    /// Whether the path up to here is in the set.
    member: bool,
    children: BTreeMap<String, Set>,
}

impl Set {
    /// Returns the set that `fieldsV1` contains.
    pub fn from_fields(fields: &Value) -> Self {
        let mut root = Self::read(fields);
        root.member = false;
        root
    }

    /// Reads a level: an edge without anything below it is a member.
    fn read(fields: &Value) -> Self {
        let Some(fields) = fields.as_object() else { return Self::default() };
        let mut set = Self { member: fields.is_empty() || fields.contains_key("."), children: BTreeMap::new() };
        for (edge, below) in fields.iter().filter(|(edge, _)| *edge != ".") {
            set.children.insert(edge.clone(), Self::read(below));
        }
        set
    }

    /// Returns the form of `fieldsV1`.
    pub fn to_fields(&self) -> Value {
        let mut fields = Map::new();
        if self.member && !self.children.is_empty() {
            fields.insert(".".to_owned(), Map::new().into());
        }
        for (edge, below) in &self.children {
            fields.insert(edge.clone(), below.to_fields());
        }
        fields.into()
    }

    /// Adds a path.
    pub fn insert(&mut self, path: &[String]) {
        match path {
            [] => self.member = true,
            [edge, rest @ ..] => self.children.entry(edge.clone()).or_default().insert(rest),
        }
    }

    /// Removes a path, and also everything below it if `whole` is true.
    pub fn remove(&mut self, path: &[&str], whole: bool) {
        match path {
            [] => {
                self.member = false;
                if whole {
                    self.children.clear();
                }
            }
            [edge, rest @ ..] => {
                if let Some(below) = self.children.get_mut(*edge) {
                    below.remove(rest, whole);
                    if below.is_empty() {
                        self.children.remove(*edge);
                    }
                }
            }
        }
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    /// Returns whether the path of this one edge is in the set.
    pub fn has(&self, edge: &str) -> bool {
        self.children.get(edge).is_some_and(|below| below.member)
    }

    /// Returns what is below an edge, if there is anything besides the edge itself.
    pub fn below(&self, edge: &str) -> Option<&Self> {
        self.children.get(edge).filter(|below| !below.children.is_empty())
    }

    /// Returns the paths that are in either set.
    pub fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        union.member |= other.member;
        for (edge, theirs) in &other.children {
            let merged = union.children.get(edge).map_or_else(|| theirs.clone(), |ours| ours.union(theirs));
            union.children.insert(edge.clone(), merged);
        }
        union
    }

    /// Returns the paths that are in this set but not in the other.
    pub fn difference(&self, other: &Self) -> Self {
        let children = self.children.iter().filter_map(|(edge, ours)| {
            let left = other.children.get(edge).map_or_else(|| ours.clone(), |theirs| ours.difference(theirs));
            (!left.is_empty()).then(|| (edge.clone(), left))
        });
        Self { member: self.member && !other.member, children: children.collect() }
    }

    /// Returns the paths that are in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        let children = self.children.iter().filter_map(|(edge, ours)| {
            let both = ours.intersection(other.children.get(edge)?);
            (!both.is_empty()).then(|| (edge.clone(), both))
        });
        Self { member: self.member && other.member, children: children.collect() }
    }

    /// Returns the set plus every named field on the way to a member.
    pub fn with_named_fields(&self) -> Self {
        let children = self.children.iter().map(|(edge, below)| {
            let mut below = below.with_named_fields();
            below.member |= edge.starts_with("f:");
            (edge.clone(), below)
        });
        Self { member: self.member, children: children.collect() }
    }

    /// Returns the paths as messages write them: `.spec.containers[name="x"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, path: &str, paths: &mut Vec<String>) {
        if self.member {
            paths.push(path.to_owned());
        }
        for (edge, below) in &self.children {
            below.collect(&format!("{path}{}", shown(edge)), paths);
        }
    }
}

/// Returns an edge as messages write it.
pub fn shown(edge: &str) -> String {
    let (sort, rest) = edge.split_once(':').unwrap_or(("f", edge));
    match sort {
        "f" => format!(".{rest}"),
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
            let keys: Vec<_> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        "v" => format!("[={rest}]"),
        _ => format!("[{rest}]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "the argument is a literal")]
    fn set(fields: Value) -> Set {
        Set::from_fields(&fields)
    }

    #[test]
    fn a_set_round_trips() {
        let fields = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"m\"}": {".": {}, "f:image": {}}}},
        });
        assert_eq!(set(fields.clone()).to_fields(), fields);
    }

    #[test]
    fn set_operations_work_on_paths() {
        let one = set(json!({"f:data": {"f:a": {}, "f:b": {}}}));
        let two = set(json!({"f:data": {".": {}, "f:b": {}}}));
        assert_eq!(one.union(&two).to_fields(), json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}}));
        assert_eq!(one.difference(&two).to_fields(), json!({"f:data": {"f:a": {}}}));
        assert_eq!(one.intersection(&two).to_fields(), json!({"f:data": {"f:b": {}}}));
        assert!(one.difference(&one).is_empty());
    }

    #[test]
    fn paths_are_shown_with_their_keys() {
        let set = set(json!({"f:spec": {"f:containers": {"k:{\"name\":\"m\"}": {"f:image": {}}}}}));
        assert_eq!(set.paths(), [".spec.containers[name=\"m\"].image"]);
    }
}
