//! What the subresources of pods have in common: they look up the pod and the container.

use std::sync::Arc;

use serde_json::Value;

use super::path::Target;
use super::{State, body};
use crate::status::Status;

/// Returns the pod that a path names.
pub fn of(state: &State, target: &Target) -> Result<Arc<Value>, Status> {
    let name = target.name.as_deref().unwrap_or_default();
    let pod = state.registry.store.get(target.kind, target.namespace(), name);
    pod.ok_or_else(|| Status::not_found(target.kind, name))
}

/// Returns the container that a request names, or the only one.
pub fn container(pod: &Value, requested: &str) -> Result<String, Status> {
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let names = |field: &str| -> Vec<String> {
        let listed = pod["spec"][field].as_array().into_iter().flatten();
        listed.filter_map(|container| container["name"].as_str()).map(str::to_owned).collect()
    };
    let (main, init) = (names("containers"), names("initContainers"));
    if !requested.is_empty() {
        let is_known = main.iter().chain(&init).chain(&names("ephemeralContainers")).any(|name| name == requested);
        return is_known
            .then(|| requested.to_owned())
            .ok_or_else(|| body::bad(format!("container {requested} is not valid for pod {pod_name}")));
    }
    if let [only] = main.as_slice() {
        return Ok(only.clone());
    }
    let mut message =
        format!("a container name must be specified for pod {pod_name}, choose one of: [{}]", main.join(" "));
    if !init.is_empty() {
        message.push_str(" or one of the init containers: [");
        message.push_str(&init.join(" "));
        message.push(']');
    }
    Err(body::bad(message))
}
