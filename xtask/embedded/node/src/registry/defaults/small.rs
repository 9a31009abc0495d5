//! Kinds with only a default or two.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::registry::value::{empty, fill, items_mut, remove, text};

/// Fills in a Secret: `stringData` becomes `data`.
pub fn secret(secret: &mut Value) {
    fill(secret, "type", "Opaque");
    if let Some(Value::Object(plain)) = remove(secret, "stringData") {
        fill(secret, "data", empty());
        for (key, value) in plain {
            secret["data"][key] = STANDARD.encode(value.as_str().unwrap_or_default()).into();
        }
    }
}

/// Fills in a Namespace: its name label, and the finalizer that keeps it until it is empty.
pub fn namespace(namespace: &mut Value) {
    let name = namespace["metadata"]["name"].clone();
    namespace["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
    fill(namespace, "spec", empty());
    fill(namespace, "status", empty());
    fill(&mut namespace["status"], "phase", "Active");
}

/// Fills in a NetworkPolicy.
pub fn network_policy(policy: &mut Value) {
    let spec = &mut policy["spec"];
    for direction in ["ingress", "egress"] {
        for rule in items_mut(spec, direction) {
            items_mut(rule, "ports").for_each(|port| fill(port, "protocol", "TCP"));
        }
    }
    let has_egress = spec["egress"].as_array().is_some_and(|rules| !rules.is_empty());
    fill(spec, "policyTypes", if has_egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) });
}

/// Fills in a binding of a role.
pub fn role_binding(binding: &mut Value) {
    fill(&mut binding["roleRef"], "apiGroup", "rbac.authorization.k8s.io");
    for subject in items_mut(binding, "subjects") {
        if matches!(text(subject, "kind"), "User" | "Group") {
            fill(subject, "apiGroup", "rbac.authorization.k8s.io");
        }
    }
}

/// Fills in a HorizontalPodAutoscaler.
pub fn autoscaler(autoscaler: &mut Value) {
    fill(&mut autoscaler["spec"], "minReplicas", 1);
}

/// Fills in a PriorityClass.
pub fn priority_class(class: &mut Value) {
    fill(class, "preemptionPolicy", "PreemptLowerPriority");
}
