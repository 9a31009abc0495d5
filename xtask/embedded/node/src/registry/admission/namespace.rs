//! Nothing is created in a namespace that does not exist or is being deleted.

use serde_json::{Value, json};

use crate::kinds::{self, Kind};
use crate::registry::{Registry, Writer, meta};
use crate::status::Status;
use crate::store;

/// Returns 404 if the namespace does not exist, 403 if it is being deleted.
///
/// For the cluster's own controllers only the latter is checked: their objects are in existing namespaces.
pub fn check(registry: &Registry, writer: &Writer, kind: &Kind, object: &Value) -> Result<(), Status> {
    let (namespace, name) = store::key(object);
    let Some(namespaces) = kinds::find("", "v1", "namespaces").filter(|_| kind.namespaced) else { return Ok(()) };
    let found = registry.store.get(namespaces, "", &namespace);
    if found.as_deref().is_some_and(meta::is_deleting) && kind.built_in() != "Event" {
        return Err(terminating(kind, &namespace, &name));
    }
    if found.is_none() && !writer.is_internal {
        return Err(Status::not_found(namespaces, &namespace));
    }
    Ok(())
}

fn terminating(kind: &Kind, namespace: &str, name: &str) -> Status {
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut status = Status::forbidden(kind, name, &why);
    status.details["causes"] = json!([{
        "reason": "NamespaceTerminating", "message": format!("namespace {namespace} is being terminated"),
        "field": "metadata.namespace",
    }]);
    status
}
