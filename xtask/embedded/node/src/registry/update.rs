//! Replaces and patches objects.

use std::sync::Arc;

use serde_json::Value;

use super::apply::managers::Managers;
use super::apply::types::ObjectType;
use super::{Registry, UnknownFields, Writer, Written, conversion, meta, patch, validate};
use crate::kinds::Kind;
use crate::status::Status;
use crate::store;

/// The subresource that adds ephemeral containers to a pod.
const EPHEMERAL: &str = "ephemeralcontainers";

/// How often a patch is retried after a concurrent write.
const TRIES_MAX: usize = 5;

/// A patch as a client sends it.
#[derive(Debug)]
pub enum Patch {
    /// RFC 6902.
    Json(Value),
    /// RFC 7386.
    Merge(Value),
    /// Kubernetes' own merge patch.
    Strategic(Value),
    /// Server-side apply, and whether it takes over fields of other owners.
    Apply(Value, bool),
}

impl Registry {
    /// Replaces an object, or the part of it that the subresource represents; without a version, it overwrites
    /// concurrent changes. A changed `spec` raises `metadata.generation`; an object that is being deleted and has lost
    /// its last finalizer is removed.
    ///
    /// # Errors
    /// 404, 409 `Conflict`, 422 `Invalid`.
    pub(crate) fn update_as(&self, writer: &Writer, kind: &'static Kind, object: Value) -> Result<Written, Status> {
        let (namespace, name) = store::key(&object);
        let read = || self.get(kind, &namespace, &name).ok_or_else(|| Status::not_found(kind, &name));
        if !store::resource_version(&object).is_empty() {
            return self.replace(writer, kind, &read()?, object, None);
        }
        loop {
            let stored = read()?;
            let is_same = |now: &Value| store::resource_version(now) == store::resource_version(&stored);
            let is_overtaken = || read().is_ok_and(|now| !is_same(&now));
            match self.replace(writer, kind, &stored, object.clone(), None) {
                Err(refused) if refused.reason == "Conflict" && is_overtaken() => {}
                outcome => return outcome,
            }
        }
    }

    /// Patches an object; an apply creates it if it does not exist.
    ///
    /// # Errors
    /// 404, 409 `Conflict`, 422 `Invalid`.
    pub(crate) fn patch_as(
        &self,
        writer: &Writer,
        kind: &'static Kind,
        (namespace, name): (&str, &str),
        patch: &Patch,
    ) -> Result<(Written, bool), Status> {
        for _ in 1..TRIES_MAX {
            match self.patch_once(writer, kind, (namespace, name), patch) {
                Err(status) if status.reason == "Conflict" && is_race(&status, patch) => {}
                outcome => return outcome,
            }
        }
        self.patch_once(writer, kind, (namespace, name), patch)
    }

    fn patch_once(
        &self,
        writer: &Writer,
        kind: &'static Kind,
        (namespace, name): (&str, &str),
        patch: &Patch,
    ) -> Result<(Written, bool), Status> {
        let stored = self.get(kind, namespace, name);
        let mut warnings = Vec::new();
        let (patched, kind, managers) = match (patch, &stored) {
            (Patch::Apply(config, force), stored) => {
                let config = conversion::to_stored(kind, config.clone());
                let kind = kind.stored();
                let ty = self.type_of(kind).ok_or_else(|| Status::not_found(kind, name))?;
                let empty = empty(kind, namespace, name);
                let live = stored.as_deref().unwrap_or(&empty);
                let manager = writer.manager("Apply");
                let owners = Managers::of(live);
                let (merged, owners) = owners.applied(ty.root(), &without_managers(live), &config, &manager, *force)?;
                (merged, kind, Some(owners))
            }
            (_, None) => return Err(Status::not_found(kind, name)),
            (patch, Some(stored)) => {
                let shown = conversion::from_stored(kind, (**stored).clone());
                let patched = self.plain_patch(kind, &shown, patch)?;
                warnings = self.unknown_fields(writer, kind, &patched)?;
                (patched, kind, None)
            }
        };
        let (mut written, is_new) = match stored {
            None => (self.create_with(writer, kind, patched, managers)?, true),
            Some(stored) => (self.replace(writer, kind, &stored, patched, managers)?, false),
        };
        written.warnings.splice(0..0, warnings);
        Ok((written, is_new))
    }

    /// Returns warnings about fields of a patched object that its kind does not have, or refuses them.
    fn unknown_fields(&self, writer: &Writer, kind: &Kind, patched: &Value) -> Result<Vec<String>, Status> {
        // A value of a wrong type is reported by the write itself.
        let unknown = self.decode(kind, patched.clone()).map(|decoded| decoded.unknown).unwrap_or_default();
        match writer.unknown_fields {
            UnknownFields::Refused if !unknown.is_empty() => Err(patch::not_strict(patched, &unknown)),
            UnknownFields::Warned => Ok(unknown),
            UnknownFields::Ignored | UnknownFields::Refused => Ok(Vec::new()),
        }
    }

    /// Replaces `stored` by `object`.
    fn replace(
        &self,
        writer: &Writer,
        kind: &'static Kind,
        stored: &Arc<Value>,
        object: Value,
        managers: Option<Managers>,
    ) -> Result<Written, Status> {
        let mut object = conversion::to_stored(kind, self.known_fields(kind, object)?);
        let kind = kind.stored();
        object["kind"] = kind.kind.into();
        object["apiVersion"] = kind.api_version().into();
        same_object(stored, &object)?;
        meta::check_uid(kind, stored, &object)?;
        meta::carry_over(stored, &mut object);
        if store::resource_version(&object).is_empty() {
            object["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
        }
        store::check_version(kind, stored, &object)?;
        restrict(writer, kind, stored, &mut object);
        if matches!(writer.subresource.as_str(), "" | EPHEMERAL) || kind.custom.is_some() {
            self.default(kind, &mut object);
        }
        if matches!(writer.subresource.as_str(), "" | EPHEMERAL) {
            self.keep_given(writer, kind, stored, &mut object)?;
        }
        meta::count(kind, stored, &mut object);
        self.own(writer, kind, stored, &mut object, managers);
        meta::put_in_order(&mut object);
        if is_same(stored, &object) {
            return Ok(Written { object: Arc::clone(stored), warnings: Vec::new() });
        }
        let warnings = self.check_change(writer, kind, stored, &object)?;
        if writer.dry_run {
            return Ok(Written { object: Arc::new(object), warnings });
        }
        let (kind, object) = self.to_storage(kind, object);
        let replaced = self.store.replace(kind, object)?;
        self.note_ignored(writer, kind, &replaced);
        Ok(Written { object: self.remove_if_final(kind, replaced)?, warnings })
    }
}

impl Registry {
    /// Checks a client's change, and returns warnings.
    fn check_change(
        &self,
        writer: &Writer,
        kind: &'static Kind,
        stored: &Value,
        object: &Value,
    ) -> Result<Vec<String>, Status> {
        let has_custom_status = writer.subresource == "status" && kind.custom.is_some();
        let is_status = matches!(writer.subresource.as_str(), "status" | "approval" | "finalize") && !has_custom_status;
        if writer.is_internal || is_status {
            return Ok(Vec::new());
        }
        if writer.subresource == EPHEMERAL {
            return self.check_ephemeral(kind, stored, object);
        }
        let mut causes = validate::changed(kind, stored, object);
        causes.extend(self.custom_changed(kind, stored, object));
        if kind.built_in() != "Pod" && !writer.dry_run {
            causes.extend(validate::unsupported::refused(kind, object));
        }
        if !causes.is_empty() {
            return Err(validate::invalid(kind, &store::key(object).1, causes));
        }
        self.check_grant(writer, kind, object)?;
        if kind.built_in() == "Pod" || stored["spec"] == object["spec"] {
            Ok(Vec::new())
        } else {
            self.warn_of(kind, object)
        }
    }

    /// Checks the ephemeral containers that a client adds to a pod, and returns warnings.
    fn check_ephemeral(&self, kind: &'static Kind, stored: &Value, pod: &Value) -> Result<Vec<String>, Status> {
        let mut causes = validate::ephemeral::changed(stored, pod);
        causes.extend(validate::unsupported::refused(kind, pod));
        if causes.is_empty() {
            self.warn_of(kind, pod)
        } else {
            Err(validate::invalid(kind, &store::key(pod).1, causes))
        }
    }
}

/// Returns whether to retry after a conflict: yes for another writer's resource version, unless the patch itself names
/// the version; no for a conflict about fields.
fn is_race(status: &Status, patch: &Patch) -> bool {
    let (Patch::Json(document) | Patch::Merge(document) | Patch::Strategic(document) | Patch::Apply(document, _)) =
        patch;
    document["metadata"].get("resourceVersion").is_none() && status.details.get("causes").is_none()
}

fn empty(kind: &Kind, namespace: &str, name: &str) -> Value {
    let mut empty = serde_json::json!({
        "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"name": name},
    });
    if kind.namespaced {
        empty["metadata"]["namespace"] = namespace.into();
    }
    empty
}

fn without_managers(object: &Value) -> Value {
    let mut object = object.clone();
    meta::set_or_drop(&mut object, "managedFields", None);
    object
}

fn same_object(stored: &Value, object: &Value) -> Result<(), Status> {
    if store::key(stored) == store::key(object) {
        return Ok(());
    }
    let (name, sent) = (store::key(stored).1, store::key(object).1);
    let message = format!("the name of the object ({sent}) does not match the name on the URL ({name})");
    Err(Status::new(400, "BadRequest", message))
}

/// Restricts a client's write to either the object or one of its subresources.
fn restrict(writer: &Writer, kind: &Kind, stored: &Value, object: &mut Value) {
    if writer.is_internal {
        return;
    }
    if writer.subresource == "finalize" {
        let (finalizers, version) = (object["spec"]["finalizers"].take(), object["metadata"]["resourceVersion"].take());
        *object = stored.clone();
        object["metadata"]["resourceVersion"] = version;
        object["spec"]["finalizers"] = if finalizers.is_null() { serde_json::json!([]) } else { finalizers };
    } else if writer.subresource == EPHEMERAL {
        let added = object["spec"]["ephemeralContainers"].take();
        let version = object["metadata"]["resourceVersion"].take();
        *object = stored.clone();
        object["metadata"]["resourceVersion"] = version;
        object["spec"]["ephemeralContainers"] = added;
    } else if matches!(writer.subresource.as_str(), "status" | "approval") {
        let status = object.get("status").cloned();
        let version = object["metadata"]["resourceVersion"].clone();
        *object = stored.clone();
        object["metadata"]["resourceVersion"] = version;
        set_status(object, status);
    } else if kind.subresources.contains(&"status") {
        set_status(object, stored.get("status").cloned());
    }
}

fn set_status(object: &mut Value, status: Option<Value>) {
    let Some(object) = object.as_object_mut() else { return };
    match status {
        Some(status) => drop(object.insert("status".to_owned(), status)),
        None => drop(object.shift_remove("status")),
    }
}

impl Registry {
    /// Returns an object after a patch that is not an apply.
    fn plain_patch(&self, kind: &'static Kind, object: &Value, patch: &Patch) -> Result<Value, Status> {
        match patch {
            Patch::Json(patch) => patch::json(object, patch),
            Patch::Merge(patch) => Ok(patch::merge(object, patch)),
            Patch::Strategic(patch) => match self.type_of(kind) {
                Some(ObjectType::BuiltIn(message)) => patch::strategic::patch(message, object, patch),
                _ => Err(patch::no_strategic()),
            },
            Patch::Apply(..) => Ok(object.clone()),
        }
    }

    /// Records who owns which fields now.
    fn own(&self, writer: &Writer, kind: &Kind, stored: &Value, object: &mut Value, managers: Option<Managers>) {
        let sent = Managers::of(object);
        let kept = Managers::of(stored);
        let Some(ty) = self.type_of(kind) else { return kept.write(object) };
        let is_reset = object["metadata"]["managedFields"].as_array().is_some_and(
            |entries| matches!(entries.as_slice(), [only] if only.as_object().is_some_and(serde_json::Map::is_empty)),
        );
        let managers = managers.unwrap_or_else(|| {
            let before = if is_reset {
                Managers::default()
            } else if sent == Managers::default() {
                kept
            } else {
                sent
            };
            before.updated(ty.root(), &without_managers(stored), &without_managers(object), &writer.manager("Update"))
        });
        managers.write(object);
    }
}

/// Returns whether nothing changed except, at most, the times of managers' writes.
fn is_same(stored: &Value, object: &Value) -> bool {
    without_times(stored) == without_times(object)
}

fn without_times(object: &Value) -> Value {
    let mut object = object.clone();
    for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
        entry["time"] = Value::Null;
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.shift_remove("resourceVersion");
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds;

    #[test]
    fn a_write_without_a_version_is_not_a_conflict() {
        let (registry, kind) = (Registry::new(), kinds::find("", "v1", "configmaps").unwrap());
        let written =
            |by: &str, n: u32| json!({"metadata": {"namespace": "a", "name": "one"}, "data": {by: n.to_string()}});
        registry.store.insert(kind, written("nobody", 0)).unwrap();
        let write = |by: &str| {
            let writer = Writer::internal("test", "");
            (0..500).filter_map(|n| registry.update_as(&writer, kind, written(by, n)).err()).collect::<Vec<_>>()
        };
        let refused = std::thread::scope(|scope| {
            let other = scope.spawn(|| write("other"));
            [write("one"), other.join().unwrap()].concat()
        });
        assert!(refused.is_empty(), "{refused:?}");
    }
}
