//! Compares two manifests as the API server does, after defaults: a value that is written out in one, and left out in the
//! other, may be the same.

use std::collections::BTreeSet;

use resources::quantity;
use serde_json::Value;

/// A difference: its path, and both values; null where there is none.
pub(super) type Difference = (String, Value, Value);

/// Values of fields that are the same as none, as JSON. The last name in a path decides.
const DEFAULTS: &[(&str, &str)] = &[
    ("attachRequired", "true"),
    ("completionMode", "\"NonIndexed\""),
    ("defaultMode", "420"),
    ("dnsPolicy", "\"ClusterFirst\""),
    ("enableServiceLinks", "true"),
    ("failureThreshold", "3"),
    ("hostIPC", "false"),
    ("hostNetwork", "false"),
    ("hostPID", "false"),
    ("imagePullPolicy", "\"Always\""),
    ("imagePullPolicy", "\"IfNotPresent\""),
    ("immutable", "false"),
    ("periodSeconds", "10"),
    ("podManagementPolicy", "\"OrderedReady\""),
    ("preemptionPolicy", "\"PreemptLowerPriority\""),
    ("protocol", "\"TCP\""),
    ("readOnly", "false"),
    ("reclaimPolicy", "\"Delete\""),
    ("schedulerName", "\"default-scheduler\""),
    ("scheme", "\"HTTP\""),
    ("stdin", "false"),
    ("stdinOnce", "false"),
    ("successThreshold", "1"),
    ("terminationGracePeriodSeconds", "30"),
    ("terminationMessagePath", "\"/dev/termination-log\""),
    ("terminationMessagePolicy", "\"File\""),
    ("timeoutSeconds", "1"),
    ("tty", "false"),
    ("type", "\"Opaque\""),
    ("volumeBindingMode", "\"Immediate\""),
    ("volumeLifecycleModes", "[\"Persistent\"]"),
    ("volumeMode", "\"Filesystem\""),
];

/// Fields that a template of a claim may have, and the API server drops or sets itself.
const OF_THE_SERVER: &[&str] = &["apiVersion", "kind", "status", "creationTimestamp"];

/// Returns the differences in a part of two objects, from the top, each at the deepest path.
pub(super) fn differences(before: &Value, after: &Value, path: &str) -> Vec<Difference> {
    let name = path.rsplit('.').next().unwrap_or_default();
    if is_same(name, path, before, after) {
        return Vec::new();
    }
    match (before, after) {
        (Value::Object(one), Value::Object(two)) => {
            let keys: BTreeSet<_> = one.keys().chain(two.keys()).collect();
            let is_template = path.contains("volumeClaimTemplates");
            let keys = keys.into_iter().filter(|key| !is_template || !OF_THE_SERVER.contains(&key.as_str()));
            keys.flat_map(|key| differences(&before[key], &after[key], &format!("{path}.{key}"))).collect()
        }
        (Value::Array(one), Value::Array(two)) => {
            let entry = |list: &[Value], index: usize| list.get(index).cloned().unwrap_or_default();
            let longest = one.len().max(two.len());
            let each = |index| differences(&entry(one, index), &entry(two, index), &format!("{path}[{index}]"));
            (0..longest).flat_map(each).collect()
        }
        _ => vec![(path.to_owned(), before.clone(), after.clone())],
    }
}

fn is_same(name: &str, path: &str, before: &Value, after: &Value) -> bool {
    match (is_none(name, before), is_none(name, after)) {
        (true, true) => true,
        (true, false) => is_default(name, after),
        (false, true) => is_default(name, before),
        (false, false) => before == after || (has_quantities(path) && is_same_quantity(before, after)),
    }
}

fn is_none(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        // An empty class is a claim without a class; without this field, a claim gets the default class.
        Value::String(text) => text.is_empty() && name != "storageClassName",
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_default(name: &str, value: &Value) -> bool {
    let text = value.to_string();
    DEFAULTS.iter().any(|(field, default)| *field == name && *default == text)
}

fn has_quantities(path: &str) -> bool {
    [".requests.", ".limits.", ".capacity.", ".sizeLimit"].iter().any(|part| path.contains(part))
}

fn is_same_quantity(before: &Value, after: &Value) -> bool {
    quantity_of(before).is_some_and(|before| quantity_of(after) == Some(before))
}

/// Returns a quantity in billionths; YAML may have it as a number.
pub(super) fn quantity_of(value: &Value) -> Option<i128> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    quantity::parse(&text).map(quantity::Quantity::nanos)
}

/// Removes a field from an object; `*` in its path is every entry of a list.
pub(super) fn remove(value: &mut Value, path: &str) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match (value, rest) {
        (Value::Array(list), Some(rest)) if first == "*" => list.iter_mut().for_each(|entry| remove(entry, rest)),
        (Value::Object(map), Some(rest)) => {
            if let Some(inner) = map.get_mut(first) {
                remove(inner, rest);
            }
        }
        (Value::Object(map), None) => drop(map.remove(first)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_out_in_one_and_left_out_in_the_other_is_the_same() {
        let short = json!({ "volumeClaimTemplates": [{ "metadata": { "name": "data" }, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } }] });
        let long = json!({ "podManagementPolicy": "OrderedReady", "volumeClaimTemplates": [{
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": { "name": "data", "labels": {}, "creationTimestamp": null }, "spec": {
            "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem", "selector": null,
            "resources": { "requests": { "storage": "1024Mi" } } }, "status": { "phase": "Pending" } }] });
        assert_eq!(differences(&short, &long, "spec"), []);
    }

    #[test]
    fn differences_have_the_deepest_path() {
        let found = differences(
            &json!({ "a": [{ "b": "1", "c": "x" }], "storageClassName": "" }),
            &json!({ "a": [{ "b": "2", "c": "x" }, { "b": "3" }] }),
            "spec",
        );
        let paths: Vec<_> = found.iter().map(|(path, ..)| path.as_str()).collect();
        assert_eq!(paths, ["spec.a[0].b", "spec.a[1]", "spec.storageClassName"]);
    }

    #[test]
    fn fields_are_removed_in_lists_too() {
        let mut spec = json!({ "containers": [{ "name": "a", "image": "b" }], "replicas": 1 });
        remove(&mut spec, "containers.*.image");
        remove(&mut spec, "replicas");
        remove(&mut spec, "no.such");
        assert_eq!(spec, json!({ "containers": [{ "name": "a" }] }));
    }
}
