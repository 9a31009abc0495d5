//! `metadata.managedFields`: reads and writes it, and applies the effects of updates and applies.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::set::Set;
use super::typed;
use super::types::Type;
use crate::registry::now;
use crate::status::Status;

/// Fields without an owner.
const UNOWNED: &[&[&str]] = &[
    &["f:metadata", "f:name"],
    &["f:metadata", "f:namespace"],
    &["f:metadata", "f:creationTimestamp"],
    &["f:metadata", "f:selfLink"],
    &["f:metadata", "f:uid"],
    &["f:metadata", "f:generation"],
    &["f:metadata", "f:managedFields"],
    &["f:metadata", "f:resourceVersion"],
];

/// Who wrote, with which operation, and through which subresource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manager {
    /// `Apply` or `Update`; `Apply` sorts first, as the API writes it.
    pub operation: &'static str,
    /// The manager's own name.
    pub name: String,
    /// `status`, `scale`; empty for the object itself.
    pub subresource: String,
}

#[derive(Debug, Clone, PartialEq)]
struct Owned {
    api_version: Value,
    time: Value,
    set: Set,
}

/// Who owns which fields of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Managers(BTreeMap<Manager, Owned>);

impl Managers {
    /// Returns the managers that an object lists.
    pub fn of(object: &Value) -> Self {
        let entries = object["metadata"]["managedFields"].as_array();
        let owned = entries.into_iter().flatten().map(|entry| {
            let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
            let operation = if entry["operation"] == "Apply" { "Apply" } else { "Update" };
            let manager = Manager { operation, name: text("manager"), subresource: text("subresource") };
            let set = Set::from_fields(&entry["fieldsV1"]);
            (manager, Owned { api_version: entry["apiVersion"].clone(), time: entry["time"].clone(), set })
        });
        Self(owned.collect())
    }

    /// Writes them into an object.
    pub fn write(&self, object: &mut Value) {
        let mut entries: Vec<(&Manager, &Owned)> = self.0.iter().collect();
        entries.sort_by_key(|(manager, owned)| (manager.operation, owned.time.to_string(), manager.name.clone()));
        let entries: Vec<Value> = entries.into_iter().map(|(manager, owned)| entry(manager, owned)).collect();
        if entries.is_empty() {
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.shift_remove("managedFields");
            }
        } else {
            object["metadata"]["managedFields"] = entries.into();
        }
    }

    /// Returns the managers after an update by `manager` from `before` to `after`.
    pub fn updated(mut self, ty: Type, before: &Value, after: &Value, manager: &Manager) -> Self {
        let comparison = typed::compare(ty, before, after);
        let mut changed = comparison.changed();
        let mut removed = comparison.removed;
        disown(&mut changed);
        disown(&mut removed);
        for (other, owned) in &mut self.0 {
            if other != manager {
                owned.set = owned.set.difference(&changed).difference(&removed);
            }
        }
        let previous = self.0.get(manager).map(|owned| owned.set.clone()).unwrap_or_default();
        let set = previous.difference(&removed).union(&changed);
        if set != previous {
            let api_version = after["apiVersion"].clone();
            self.0.insert(manager.clone(), Owned { api_version, time: now(), set });
        }
        self.0.retain(|_, owned| !owned.set.is_empty());
        self
    }

    /// Merges what `manager` applies into the live object, and removes what it no longer applies.
    ///
    /// # Errors
    /// 409 if others own fields that the merge would change, unless `force` takes them over.
    pub fn applied(
        mut self,
        ty: Type,
        live: &Value,
        config: &Value,
        manager: &Manager,
        force: bool,
    ) -> Result<(Value, Self), Status> {
        if self.0.is_empty() && live["metadata"].get("uid").is_some() {
            self.adopt(ty, live);
        }
        let sent = typed::fields(ty, config);
        let mut set = sent.clone();
        disown(&mut set);
        if manager.subresource.is_empty() {
            set.remove(&["f:status"], true);
        }
        let last = self.0.get(manager).map(|owned| owned.set.clone()).unwrap_or_default();
        let owned = Owned { api_version: config["apiVersion"].clone(), time: now(), set };
        if self.0.get(manager).is_none_or(|previous| previous.set != owned.set) {
            self.0.insert(manager.clone(), owned);
        }
        let merged = typed::merge(ty, live, config);
        let merged = self.pruned(ty, &merged, &last, &sent);
        self.settle(ty, live, &merged, manager, force)?;
        Ok((merged, self))
    }

    /// Gives an object without owners to a manager "before-first-apply".
    fn adopt(&mut self, ty: Type, live: &Value) {
        let mut set = typed::fields(ty, live);
        disown(&mut set);
        let manager = Manager { operation: "Update", name: "before-first-apply".into(), subresource: String::new() };
        self.0.insert(manager, Owned { api_version: live["apiVersion"].clone(), time: now(), set });
    }

    /// Removes what was applied last time, is not applied now, and has no other owner.
    fn pruned(&self, ty: Type, merged: &Value, last: &Set, sent: &Set) -> Value {
        if last.is_empty() {
            return merged.clone();
        }
        let last = last.with_named_fields();
        let owned = self.0.values().fold(sent.clone(), |all, owned| all.union(&owned.set)).with_named_fields();
        let without_last = typed::without(ty, merged, &last);
        let of_merged = typed::fields(ty, merged).with_named_fields();
        let kept = typed::fields(ty, &without_last).with_named_fields().union(&owned);
        let with_owned = typed::without(ty, merged, &of_merged.difference(&kept));
        let gone = of_merged.difference(&typed::fields(ty, &with_owned).with_named_fields());
        typed::without(ty, merged, &gone.intersection(&last))
    }

    /// Takes over the fields that the merge changes, or returns a conflict with their owners.
    fn settle(&mut self, ty: Type, live: &Value, merged: &Value, manager: &Manager, force: bool) -> Result<(), Status> {
        let comparison = typed::compare(ty, live, merged);
        let changed = comparison.changed();
        let allowed = if manager.name == "kubectl" { applied_by_client(ty, live) } else { Set::default() };
        let conflicts: Vec<(&Manager, &Owned, Set)> = self
            .0
            .iter()
            .filter(|(other, _)| *other != manager)
            .map(|(other, owned)| (other, owned, owned.set.intersection(&changed).difference(&allowed)))
            .filter(|(_, _, theirs)| !theirs.is_empty())
            .collect();
        if !force && !conflicts.is_empty() {
            return Err(conflict(&conflicts));
        }
        for (other, owned) in &mut self.0 {
            if other != manager {
                owned.set = owned.set.difference(&changed).difference(&comparison.removed);
            }
        }
        self.0.retain(|_, owned| !owned.set.is_empty());
        Ok(())
    }
}

/// Returns the fields of a former client-side `kubectl apply`, which a server-side one continues.
fn applied_by_client(ty: Type, live: &Value) -> Set {
    let annotation = &live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
    let applied = annotation.as_str().and_then(|text| serde_json::from_str(text).ok());
    applied.map(|applied: Value| typed::fields(ty, &applied)).unwrap_or_default()
}

fn disown(set: &mut Set) {
    for path in UNOWNED {
        set.remove(path, true);
    }
    set.remove(&["f:metadata"], false);
}

fn entry(manager: &Manager, owned: &Owned) -> Value {
    let mut entry = json!({
        "manager": manager.name, "operation": manager.operation, "apiVersion": owned.api_version, "time": owned.time,
        "fieldsType": "FieldsV1", "fieldsV1": owned.set.to_fields(),
    });
    if !manager.subresource.is_empty() {
        entry["subresource"] = manager.subresource.as_str().into();
    }
    entry
}

/// Returns 409 with a cause for each field, worded as `kubectl apply --server-side` shows it.
fn conflict(conflicts: &[(&Manager, &Owned, Set)]) -> Status {
    let mut causes = Vec::new();
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (manager, owned, set) in conflicts {
        let owner = owner(manager, owned);
        for path in set.paths() {
            let message = format!("conflict with {owner}");
            causes.push(json!({"reason": "FieldManagerConflict", "message": message, "field": path}));
        }
        groups.push((owner, set.paths()));
    }
    let count = causes.len();
    let shown = match groups.as_slice() {
        [(owner, paths)] if paths.len() == 1 => format!("conflict with {owner}: {}", paths[0]),
        groups => {
            let lines =
                groups.iter().map(|(owner, paths)| format!("conflicts with {owner}:\n- {}", paths.join("\n- ")));
            lines.collect::<Vec<_>>().join("\n")
        }
    };
    let plural = if count == 1 { "" } else { "s" };
    let message = format!("Apply failed with {count} conflict{plural}: {shown}");
    Status { details: json!({"causes": causes}), ..Status::new(409, "Conflict", message) }
}

/// Returns `"helm"`, or `"kubectl" with subresource "scale" using apps/v1 at 2026-…`.
fn owner(manager: &Manager, owned: &Owned) -> String {
    let mut owner = vec![format!("\"{}\"", manager.name)];
    if !manager.subresource.is_empty() {
        owner.push(format!("with subresource \"{}\"", manager.subresource));
    }
    if manager.operation == "Update" {
        owner.push(format!("using {}", owned.api_version.as_str().unwrap_or_default()));
        owner.extend(owned.time.as_str().map(|time| format!("at {time}")));
    }
    owner.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::schema;

    fn manager(name: &str) -> Manager {
        Manager { operation: "Apply", name: name.into(), subresource: String::new() }
    }

    fn config_map(data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
    }

    fn apply(live: &Value, who: &str, data: &Value, force: bool) -> Result<Value, Status> {
        let message = Type::Message(schema::message("ConfigMap").unwrap());
        let (mut merged, managers) =
            Managers::of(live).applied(message, live, &config_map(data), &manager(who), force)?;
        merged["metadata"]["uid"] = "u".into();
        managers.write(&mut merged);
        Ok(merged)
    }

    fn empty() -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    }

    #[test]
    fn a_field_no_longer_applied_is_removed_unless_another_applies_it() {
        let one = apply(&empty(), "one", &json!({"a": "1", "b": "1"}), false).unwrap();
        let shared = apply(&one, "two", &json!({"b": "1"}), false).unwrap();
        let less = apply(&shared, "one", &json!({"c": "1"}), false).unwrap();
        assert_eq!(less["data"], json!({"b": "1", "c": "1"}));
        let none = apply(&less, "two", &json!({"d": "1"}), false).unwrap();
        assert_eq!(none["data"], json!({"c": "1", "d": "1"}));
    }

    #[test]
    fn a_field_no_longer_applied_stays_while_an_updater_owns_it() {
        let message = Type::Message(schema::message("ConfigMap").unwrap());
        let annotated = |value: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": value}});
        let updater = Manager { operation: "Update", name: "controller".into(), subresource: String::new() };
        let mut live = annotated(json!({"theirs": "1"}));
        Managers::default().updated(message, &empty(), &live, &updater).write(&mut live);
        let config = annotated(json!({"theirs": "1", "mine": "1"}));
        let (mut both, managers) =
            Managers::of(&live).applied(message, &live, &config, &manager("one"), false).unwrap();
        managers.write(&mut both);
        let (less, _) = Managers::of(&both).applied(message, &both, &empty(), &manager("one"), false).unwrap();
        assert_eq!(less["metadata"]["annotations"], json!({"theirs": "1"}));
        assert_eq!(less["metadata"]["name"], "a", "removing the last applied field of the metadata removes no other");
    }

    #[test]
    fn another_managers_field_is_a_conflict_unless_forced() {
        let one = apply(&empty(), "one", &json!({"a": "b"}), false).unwrap();
        let refused = apply(&one, "two", &json!({"a": "other"}), false).unwrap_err();
        assert_eq!(refused.message, "Apply failed with 1 conflict: conflict with \"one\": .data.a");
        let forced = apply(&one, "two", &json!({"a": "other"}), true).unwrap();
        assert_eq!(forced["data"]["a"], "other");
        assert_eq!(forced["metadata"]["managedFields"].as_array().unwrap().len(), 1);
        let again = apply(&forced, "one", &json!({"a": "other"}), false).unwrap();
        assert_eq!(again["metadata"]["managedFields"].as_array().unwrap().len(), 2, "the same value is shared");
    }

    #[test]
    fn an_update_takes_over_the_fields_that_it_changes() {
        let message = Type::Message(schema::message("ConfigMap").unwrap());
        let one = apply(&empty(), "one", &json!({"a": "1", "b": "1"}), false).unwrap();
        let mut after = one.clone();
        after["data"]["a"] = "2".into();
        let editor = Manager { operation: "Update", name: "editor".into(), subresource: String::new() };
        Managers::of(&one).updated(message, &one, &after, &editor).write(&mut after);
        let owned = &after["metadata"]["managedFields"];
        assert_eq!(owned[0]["fieldsV1"], json!({"f:data": {"f:b": {}}}));
        assert_eq!(owned[1]["fieldsV1"], json!({"f:data": {"f:a": {}}}));
        let refused = apply(&after, "one", &json!({"a": "3", "b": "1"}), false).unwrap_err();
        assert!(refused.message.contains("conflict with \"editor\" using v1 at 20"), "{}", refused.message);
    }

    #[test]
    fn lists_with_keys_are_merged_by_key() {
        let message = Type::Message(schema::message("Pod").unwrap());
        let pod = |containers: Value| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers}});
        let live =
            pod(json!([{"name": "m", "image": "i", "imagePullPolicy": "Always"}, {"name": "side", "image": "s"}]));
        let config = pod(json!([{"name": "m", "image": "j"}]));
        let (merged, _) = Managers::default().applied(message, &live, &config, &manager("one"), true).unwrap();
        let wanted = json!([{"name": "m", "image": "j", "imagePullPolicy": "Always"}, {"name": "side", "image": "s"}]);
        assert_eq!(merged["spec"]["containers"], wanted);
    }
}
