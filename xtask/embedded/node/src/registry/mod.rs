//! Everything between a request and the store: names, defaults, validation, field ownership, generation, graceful
//! deletion, finalizers. Controllers and the API server both write through it.

mod admission;
mod apply;
mod cause;
pub(crate) mod conversion;
mod create;
pub(crate) mod custom;
pub(crate) mod decode;
mod defaults;
mod delete;
pub(crate) mod meta;
mod options;
pub(crate) mod patch;
pub mod rbac;
pub mod schema;
pub mod tokens;
mod update;
pub mod user;
mod validate;
pub(crate) mod value;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

pub(crate) use admission::quota_usage;
pub(crate) use apply::typed::check as check_applied;
pub(crate) use delete::{Deleted, check_preconditions};
pub(crate) use options::{DeleteOptions, UnknownFields, Writer};
pub(crate) use update::Patch;
pub use validate::unsupported::{ignored_paths, refused_paths};

use crate::kinds::{self, Kind};
use crate::store::{self, Store};

/// The objects of a cluster, under the API's rules.
pub struct Registry {
    /// Their storage.
    pub store: Arc<Store>,
    /// Fields that were accepted but have no effect here: `Pod default/web spec.affinity`.
    ignored: Mutex<BTreeSet<String>>,
    /// Held from the choice of a free service address until it is stored.
    allocating: Mutex<()>,
    /// The kinds of custom resources.
    custom: custom::CustomKindsCache,
    /// The tokens of service accounts.
    pub tokens: tokens::Tokens,
}

/// The result of a write.
#[derive(Debug)]
pub(crate) struct Written {
    /// The object as it is stored now or, for a dry run, as it would be stored.
    pub object: Arc<Value>,
    /// Warnings for the client.
    pub warnings: Vec<String>,
}

impl Registry {
    /// Returns a registry with an empty store.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            store: Arc::default(),
            ignored: Mutex::default(),
            allocating: Mutex::default(),
            custom: custom::CustomKindsCache::default(),
            tokens: tokens::Tokens::default(),
        })
    }

    /// Records the fields of a client's object that have no effect here.
    fn note_ignored(&self, writer: &Writer, kind: &'static Kind, object: &Value) {
        if writer.is_internal || writer.dry_run {
            return;
        }
        let mut fields = validate::unsupported::ignored(kind, object);
        if custom::definition::has_expressions(kind, object) {
            fields.push("x-kubernetes-validations".to_owned());
        }
        let fields = fields.into_iter().map(|field| format!("{} {field}", named(kind, object)));
        self.ignored.lock().unwrap_or_else(PoisonError::into_inner).extend(fields);
    }

    /// Returns what was accepted but has no effect here: kinds that nothing acts on, and fields.
    pub(crate) fn report(&self) -> Value {
        let inert = kinds::stored_kinds().filter(|kind| kind.inert).flat_map(|kind| {
            let (objects, _) = self.store.list(kind, None);
            objects.into_iter().map(move |object| named(kind, &object))
        });
        let ignored: Vec<String> =
            self.ignored.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        json!({ "inert": inert.collect::<Vec<_>>(), "ignoredFields": ignored, "notEnforced": [] })
    }
}

/// Returns `Ingress caesium/caesium`, as the report names an object.
fn named(kind: &Kind, object: &Value) -> String {
    let (namespace, name) = store::key(object);
    if namespace.is_empty() { format!("{} {name}", kind.kind) } else { format!("{} {namespace}/{name}", kind.kind) }
}

/// Returns the current time as the API writes it: RFC 3339, whole seconds, UTC.
pub(crate) fn now() -> Value {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true).into()
}
