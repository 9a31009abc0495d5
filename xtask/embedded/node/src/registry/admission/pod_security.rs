//! Pod Security admission: the level that labels of the namespace request.

use serde_json::Value;

use crate::kinds::{self, Kind};
use crate::registry::Registry;
use crate::registry::validate::unsupported;
use crate::registry::value::text;
use crate::status::Status;
use crate::store;
use resources::pod_security::violations;

/// Returns 403 if the namespace enforces a level that a pod violates; otherwise warnings.
pub fn check(registry: &Registry, kind: &'static Kind, object: &Value) -> Result<Vec<String>, Status> {
    let (namespace, name) = store::key(object);
    let spec = unsupported::pod_spec(kind).and_then(|pointer| object.pointer(pointer));
    let found = kinds::find("", "v1", "namespaces").and_then(|kind| registry.store.get(kind, "", &namespace));
    let (Some(spec), Some(found)) = (spec, found) else { return Ok(Vec::new()) };
    let labels = &found["metadata"]["labels"];
    let broken = |mode: &str| {
        let level = text(labels, &format!("pod-security.kubernetes.io/{mode}"));
        let version = text(labels, &format!("pod-security.kubernetes.io/{mode}-version"));
        let version = if version.is_empty() { "latest" } else { version };
        violations(level, spec).map(|details| format!("violate PodSecurity \"{level}:{version}\": {details}"))
    };
    if kind.built_in() == "Pod"
        && let Some(broken) = broken("enforce")
    {
        let why = broken.replacen("violate", "violates", 1);
        return Err(Status::forbidden(kind, &name, &why));
    }
    Ok(broken("warn").map(|broken| format!("would {broken}")).into_iter().collect())
}
