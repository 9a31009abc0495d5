//! Creating an object.

use std::sync::{Arc, PoisonError};

use serde_json::Value;

use super::apply::managers::Managers;
use super::{Registry, Writer, Written, conversion, defaults, meta, validate};
use crate::kinds::Kind;
use crate::status::Status;
use crate::store;

impl Registry {
    /// Creates an object. Its metadata has a name or `generateName`.
    ///
    /// # Errors
    /// 409 `AlreadyExists`, 422 `Invalid`, 403 `Forbidden`.
    pub(crate) fn create_as(&self, writer: &Writer, kind: &'static Kind, object: Value) -> Result<Written, Status> {
        self.create_with(writer, kind, object, None)
    }

    /// As [`Registry::create_as`], with known owners of the fields (server-side apply).
    pub(super) fn create_with(
        &self,
        writer: &Writer,
        kind: &'static Kind,
        object: Value,
        managers: Option<Managers>,
    ) -> Result<Written, Status> {
        self.refuse_terminating(kind)?;
        let mut object = conversion::to_stored(kind, self.known_fields(kind, object)?);
        let kind = kind.stored();
        object["kind"] = kind.kind.into();
        object["apiVersion"] = kind.api_version().into();
        if !writer.is_internal {
            refuse_resource_version(&object)?;
            drop_status(kind, &mut object);
        }
        if !kind.namespaced {
            meta::set_or_drop(&mut object, "namespace", None);
        }
        meta::name_it(&mut object);
        meta::stamp(kind, &mut object);
        self.default(kind, &mut object);
        // Two services that are created concurrently must not get the same address.
        let allocating = || self.allocating.lock().unwrap_or_else(PoisonError::into_inner);
        let _allocating = (kind.built_in() == "Service").then(allocating);
        // What admission adds, and the status, has no owner.
        let managers = managers.unwrap_or_else(|| self.managers_of_new(writer, kind, &object));
        let mut warnings = self.admit(writer, kind, &mut object)?;
        // Objects that controllers create from a template are checked as strictly as a client's.
        if !writer.is_internal || kind.built_in() == "Pod" {
            warnings.extend(self.check(writer, kind, &object)?);
        }
        self.check_grant(writer, kind, &object)?;
        if kind.built_in() == "Job" {
            defaults::own_pods(&mut object);
        }
        warnings.extend(self.admit_last(kind, &object)?);
        managers.write(&mut object);
        if !writer.dry_run {
            // The store sets it, in its place.
            object["metadata"]["resourceVersion"] = "".into();
        }
        meta::put_in_order(&mut object);
        let object = if writer.dry_run { Arc::new(object) } else { self.insert(kind, object)? };
        self.note_ignored(writer, kind, &object);
        Ok(Written { object, warnings })
    }

    fn insert(&self, kind: &'static Kind, object: Value) -> Result<Arc<Value>, Status> {
        let (kind, object) = self.to_storage(kind, object);
        self.store.insert(kind, object)
    }

    /// Returns the owners of a new object that was not applied: its creator owns its fields.
    fn managers_of_new(&self, writer: &Writer, kind: &'static Kind, object: &Value) -> Managers {
        let Some(ty) = self.type_of(kind) else { return Managers::default() };
        let mut created = object.clone();
        drop_status(kind, &mut created);
        let empty = Value::Object(serde_json::Map::new());
        Managers::default().updated(ty.root(), &empty, &created, &writer.manager("Update"))
    }

    /// Refuses what is invalid or unsupported in an object. Nothing runs in a dry run, so what is unsupported is only a
    /// warning there: another cluster would accept it.
    fn check(&self, writer: &Writer, kind: &'static Kind, object: &Value) -> Result<Vec<String>, Status> {
        let (mut causes, unsupported) = (validate::new(kind, object), validate::unsupported::refused(kind, object));
        causes.extend(self.custom_version(kind).iter().flat_map(|version| version.causes(object)));
        if writer.dry_run && causes.is_empty() {
            return Ok(unsupported.iter().map(ToString::to_string).collect());
        }
        causes.extend(unsupported);
        if causes.is_empty() { Ok(Vec::new()) } else { Err(validate::invalid(kind, &store::key(object).1, causes)) }
    }

    /// Drops unknown fields; a client's request was already decoded, a controller's was not.
    pub(super) fn known_fields(&self, kind: &Kind, object: Value) -> Result<Value, Status> {
        let decoded = self.decode(kind, object).map_err(|why| Status::new(400, "BadRequest", why))?;
        Ok(decoded.object)
    }

    /// Fills in the defaults that depend only on the document.
    pub(super) fn default(&self, kind: &Kind, object: &mut Value) {
        match self.custom_version(kind) {
            Some(version) => version.default(object),
            None => defaults::apply(kind, object),
        }
    }
}

fn refuse_resource_version(object: &Value) -> Result<(), Status> {
    if object["metadata"]["resourceVersion"].as_str().is_none_or(str::is_empty) {
        return Ok(());
    }
    Err(Status::new(500, "InternalError", "resourceVersion should not be set on objects to be created"))
}

/// Drops the status, which only its subresource may set; a new node or volume may have one.
fn drop_status(kind: &Kind, object: &mut Value) {
    if kind.subresources.contains(&"status")
        && !matches!(kind.built_in(), "Node" | "PersistentVolume")
        && let Some(object) = object.as_object_mut()
    {
        object.shift_remove("status");
    }
}
