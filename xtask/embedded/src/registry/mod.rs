//! What happens to an object between a request and the store: names, defaults, validation,
//! generation, graceful deletion, finalizers. Controllers and the API server both write through it.

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::status::Status;
use crate::store::{self, Store};

/// How an object is to be deleted (`v1.DeleteOptions`).
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Overrides the pod's own grace, in seconds; 0 removes at once.
    pub grace_period_seconds: Option<i64>,
    /// `Background`, `Foreground` or `Orphan`.
    pub propagation_policy: Option<String>,
    /// Refuse unless the stored UID is this one.
    pub precondition_uid: Option<String>,
    /// Refuse unless the stored resource version is this one.
    pub precondition_resource_version: Option<String>,
}

/// The objects of a cluster under the API's rules.
pub struct Registry {
    /// Where they are kept.
    pub store: Arc<Store>,
}

impl Registry {
    /// A registry of an empty store.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { store: Arc::default() })
    }

    /// Creates an object whose metadata names it (or has `generateName`).
    ///
    /// # Errors
    /// 409 `AlreadyExists`, 422 `Invalid`, 403 `Forbidden`.
    pub fn create(&self, kind: &'static Kind, mut object: Value) -> Result<Arc<Value>, Status> {
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = kind.kind.into();
        name_it(&mut object);
        object["metadata"]["uid"] = uuid::Uuid::new_v4().to_string().into();
        object["metadata"]["creationTimestamp"] = now();
        if object.get("spec").is_some() {
            object["metadata"]["generation"] = 1.into();
        }
        self.store.insert(kind, object)
    }

    /// Replaces an object. A changed `spec` raises `metadata.generation`; an object that is being
    /// deleted and has lost its last finalizer goes.
    ///
    /// # Errors
    /// 404, 409 `Conflict`, 422 `Invalid`.
    pub fn update(&self, kind: &'static Kind, mut object: Value) -> Result<Arc<Value>, Status> {
        let (namespace, name) = store::key(&object);
        let stored = self.store.get(kind, &namespace, &name).ok_or_else(|| Status::not_found(kind, &name))?;
        if stored["spec"] != object["spec"] {
            let generation = stored["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            object["metadata"]["generation"] = generation.into();
        }
        let replaced = self.store.replace(kind, object)?;
        self.remove_if_final(kind, replaced)
    }

    /// Deletes an object: at once, or by marking it where a grace period or finalizers ask for it.
    ///
    /// # Errors
    /// 404, 409 where a precondition does not hold.
    pub fn delete(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Arc<Value>, Status> {
        let stored = self.store.get(kind, namespace, name).ok_or_else(|| Status::not_found(kind, name))?;
        let grace_s = grace_seconds(kind, &stored, options);
        let has_finalizers = stored["metadata"]["finalizers"].as_array().is_some_and(|f| !f.is_empty());
        if grace_s == 0 && !has_finalizers {
            return self.store.remove(kind, namespace, name);
        }
        let mut marked = (*stored).clone();
        if marked["metadata"].get("deletionTimestamp").is_none() {
            marked["metadata"]["deletionTimestamp"] = now();
        }
        marked["metadata"]["deletionGracePeriodSeconds"] = grace_s.into();
        self.store.replace(kind, marked)
    }

    fn remove_if_final(&self, kind: &'static Kind, object: Arc<Value>) -> Result<Arc<Value>, Status> {
        let metadata = &object["metadata"];
        let deleting = metadata.get("deletionTimestamp").is_some();
        let held = metadata["finalizers"].as_array().is_some_and(|f| !f.is_empty());
        if !deleting || held || metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) > 0 {
            return Ok(object);
        }
        let (namespace, name) = store::key(&object);
        self.store.remove(kind, &namespace, &name)
    }
}

/// The time as the API writes it: RFC 3339, whole seconds, UTC.
pub fn now() -> Value {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true).into()
}

fn name_it(object: &mut Value) {
    if object["metadata"]["name"].as_str().is_none_or(str::is_empty) {
        let prefix = object["metadata"]["generateName"].as_str().unwrap_or_default();
        let suffix = uuid::Uuid::new_v4().simple().to_string();
        object["metadata"]["name"] = json!(format!("{prefix}{}", &suffix[..5]));
    }
}

/// Only a pod that has a node is given time to stop.
fn grace_seconds(kind: &Kind, stored: &Value, options: &DeleteOptions) -> i64 {
    if kind.kind != "Pod" || stored["spec"]["nodeName"].as_str().is_none_or(str::is_empty) {
        return 0;
    }
    let own = stored["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    options.grace_period_seconds.unwrap_or(own)
}
