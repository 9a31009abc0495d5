//! Pods and pod templates.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Cause, container, names, not_negative, one_of, volume};
use crate::registry::value::{items, remove, text};

/// Returns what is wrong with the spec of a pod or a template at `path`.
pub fn spec(spec: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let volumes = volume::volumes(spec, &format!("{path}.volumes"), &mut causes);
    let mut seen = BTreeSet::new();
    if items(spec, "containers").next().is_none() {
        causes.push(Cause::required(format!("{path}.containers"), ""));
    }
    for field in ["initContainers", "containers"] {
        for (index, container) in items(spec, field).enumerate() {
            let path = format!("{path}.{field}[{index}]");
            let name = text(container, "name");
            if !name.is_empty() && !seen.insert(name.to_owned()) {
                causes.push(Cause::duplicate(format!("{path}.name"), &json!(name)));
            }
            container::check(container, &path, &volumes, field == "initContainers", &mut causes);
        }
    }
    if items(spec, "ephemeralContainers").next().is_some() {
        let why =
            if path == "spec" { "cannot be set on create" } else { "ephemeral containers not allowed in pod template" };
        causes.push(Cause::forbidden(format!("{path}.ephemeralContainers"), why));
    }
    one_of(spec, "restartPolicy", path, &["Always", "OnFailure", "Never"], &mut causes);
    one_of(spec, "dnsPolicy", path, &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], &mut causes);
    not_negative(spec, "terminationGracePeriodSeconds", path, &mut causes);
    if spec["activeDeadlineSeconds"].as_i64().is_some_and(|seconds| seconds < 1) {
        let why = "must be between 1 and 2147483647, inclusive";
        causes.push(Cause::bad(format!("{path}.activeDeadlineSeconds"), &spec["activeDeadlineSeconds"], why));
    }
    for field in ["hostname", "subdomain"] {
        let value = text(spec, field);
        if !value.is_empty() {
            let faults = names::label(value);
            causes.extend(faults.iter().map(|fault| Cause::bad(format!("{path}.{field}"), &json!(value), fault)));
        }
    }
    let account = text(spec, "serviceAccountName");
    if !account.is_empty() {
        let field = format!("{path}.serviceAccountName");
        causes.extend(names::subdomain(account).iter().map(|fault| Cause::bad(&field, &json!(account), fault)));
    }
    causes
}

/// The fields of an existing pod that can be changed.
const CHANGEABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Returns what is wrong with a pod that replaces another.
pub fn changed(stored: &Value, pod: &Value) -> Vec<Cause> {
    if fixed(stored) == fixed(pod) {
        return Vec::new();
    }
    vec![Cause::forbidden("spec", CHANGEABLE)]
}

fn fixed(pod: &Value) -> Value {
    let mut spec = pod["spec"].clone();
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        remove(&mut spec, field);
    }
    for field in ["containers", "initContainers"] {
        crate::registry::value::items_mut(&mut spec, field).for_each(|container| drop(remove(container, "image")));
    }
    spec
}
