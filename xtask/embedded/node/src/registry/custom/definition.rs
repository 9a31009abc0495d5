//! `CustomResourceDefinition`s themselves: their defaults, their conditions, the order of their versions.

use std::cmp::Reverse;

use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::registry::now;
use crate::registry::value::{fill, items, text};

/// The API group of definitions.
pub const GROUP: &str = "apiextensions.k8s.io";
/// The finalizer that keeps a definition until its instances are gone.
pub const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Fills in the defaults of a definition.
pub fn default(definition: &mut Value) {
    let spec = &mut definition["spec"];
    let kind = text(&spec["names"], "kind").to_owned();
    if !kind.is_empty() {
        fill(&mut spec["names"], "singular", kind.to_lowercase());
        fill(&mut spec["names"], "listKind", format!("{kind}List"));
    }
    fill(spec, "conversion", json!({}));
    fill(&mut spec["conversion"], "strategy", "None");
}

/// Notes in the status that objects are stored in the storage version from now on.
pub fn note_stored_version(definition: &mut Value) {
    let storage = items(&definition["spec"], "versions").find(|version| version["storage"] == true);
    let Some(storage) = storage.map(|version| version["name"].clone()) else { return };
    fill(definition, "status", json!({}));
    fill(&mut definition["status"], "acceptedNames", json!({"kind": "", "plural": ""}));
    fill(&mut definition["status"], "storedVersions", json!([]));
    if let Some(stored) = definition["status"]["storedVersions"].as_array_mut().filter(|all| !all.contains(&storage)) {
        stored.push(storage);
    }
}

/// Sets a condition; its time only changes with its status.
pub fn set_condition(definition: &mut Value, ty: &str, is_true: bool, (reason, message): (&str, &str)) {
    let status = if is_true { "True" } else { "False" };
    fill(definition, "status", json!({}));
    fill(&mut definition["status"], "conditions", json!([]));
    let Some(conditions) = definition["status"]["conditions"].as_array_mut() else { return };
    let before = conditions.iter().position(|one| one["type"] == *ty);
    let since = before.map(|at| &conditions[at]).filter(|before| before["status"] == *status);
    let since = since.map_or_else(now, |before| before["lastTransitionTime"].clone());
    let condition =
        json!({"lastTransitionTime": since, "message": message, "reason": reason, "status": status, "type": ty});
    match before {
        Some(at) => conditions[at] = condition,
        None => conditions.push(condition),
    }
}

/// Marks a definition whose deletion begins.
pub fn mark_terminating(definition: &mut Value) {
    if !has_condition(definition, "Terminating") {
        let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
        set_condition(definition, "Terminating", true, ("InstanceDeletionPending", message));
    }
}

/// Returns whether a condition is true.
pub fn has_condition(definition: &Value, ty: &str) -> bool {
    items(&definition["status"], "conditions").any(|one| one["type"] == *ty && one["status"] == "True")
}

/// Returns whether a definition's kinds are served.
pub fn is_established(definition: &Value) -> bool {
    has_condition(definition, "Established")
}

/// Returns whether a definition has rules in CEL, which are not evaluated.
pub fn has_expressions(kind: &Kind, definition: &Value) -> bool {
    kind.built_in() == "CustomResourceDefinition"
        && holds_field(&definition["spec"]["versions"], "x-kubernetes-validations")
}

fn holds_field(value: &Value, field: &str) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key(field) || fields.values().any(|below| holds_field(below, field)),
        Value::Array(items) => items.iter().any(|item| holds_field(item, field)),
        _ => false,
    }
}

/// Returns the warning for requests in a deprecated version.
pub fn deprecation(definition: &Value, version: &Value) -> Option<String> {
    if version["deprecated"] != true {
        return None;
    }
    if let Some(own) = version["deprecationWarning"].as_str() {
        return Some(own.to_owned());
    }
    let (group, kind) = (text(&definition["spec"], "group"), text(&definition["spec"]["names"], "kind"));
    let name = text(version, "name");
    let others =
        items(&definition["spec"], "versions").filter(|other| other["served"] == true && other["deprecated"] != true);
    let newer =
        others.map(|other| text(other, "name")).filter(|other| rank(other) < rank(name)).min_by_key(|name| rank(name));
    let instead = newer.map(|newer| format!("; use {group}/{newer} {kind}")).unwrap_or_default();
    Some(format!("{group}/{name} {kind} is deprecated{instead}"))
}

/// Returns a key that sorts versions as discovery lists them: v2, v1, v1beta2, v1alpha1, other names.
pub fn rank(version: &str) -> (u8, Reverse<u64>, Reverse<u64>, String) {
    let other = || (3, Reverse(0), Reverse(0), version.to_owned());
    let Some(rest) = version.strip_prefix('v') else { return other() };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (major, stage) = rest.split_at(digits);
    let Ok(major) = major.parse() else { return other() };
    let stages = [("", 0), ("beta", 1), ("alpha", 2)].into_iter().rev();
    for (word, rank) in stages {
        match stage.strip_prefix(word).map(|minor| (minor, minor.parse())) {
            Some((_, Ok(minor))) if !word.is_empty() => return (rank, Reverse(major), Reverse(minor), String::new()),
            Some(("", _)) if word.is_empty() => return (rank, Reverse(major), Reverse(0), String::new()),
            _ => {}
        }
    }
    other()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ranked_as_in_discovery() {
        let mut versions =
            ["foo1", "v1", "v3beta1", "v12alpha1", "v10", "v11beta2", "v2", "v11alpha2", "v10beta3", "foo10"];
        versions.sort_by_key(|version| rank(version));
        let wanted = ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"];
        assert_eq!(versions, wanted);
    }
}
