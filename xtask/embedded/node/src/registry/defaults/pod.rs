//! Pods and pod templates.

use serde_json::{Value, json};

use super::container;
use crate::registry::value::{empty, fill, items, items_mut, there};

/// The default mode of files in `Secret`, `ConfigMap` … volumes: 0644.
const FILE_MODE: i64 = 420;

/// Fills in a pod, including its status.
pub fn whole(pod: &mut Value) {
    if pod["spec"].is_null() {
        pod["spec"] = empty();
    }
    let limits_become_requests = |container: &mut Value| {
        let Some(limits) = container["resources"]["limits"].as_object().cloned() else { return };
        for (name, limit) in limits {
            fill(&mut container["resources"]["requests"], &name, limit);
        }
    };
    spec(&mut pod["spec"]);
    let body = &mut pod["spec"];
    fill(body, "enableServiceLinks", true);
    items_mut(body, "containers").for_each(limits_become_requests);
    items_mut(body, "initContainers").for_each(limits_become_requests);
}

/// Fills in the spec of a pod or of a template.
pub fn spec(spec: &mut Value) {
    items_mut(spec, "volumes").for_each(volume);
    for field in ["initContainers", "containers", "ephemeralContainers"] {
        items_mut(spec, field).for_each(container::apply);
    }
    fill(spec, "restartPolicy", "Always");
    fill(spec, "terminationGracePeriodSeconds", 30);
    fill(spec, "dnsPolicy", "ClusterFirst");
    let account = spec.get("serviceAccountName").or_else(|| spec.get("serviceAccount")).cloned();
    if let Some(account) = account.filter(|account| account.as_str().is_some_and(|name| !name.is_empty())) {
        spec["serviceAccountName"] = account.clone();
        spec["serviceAccount"] = account;
    }
    fill(spec, "securityContext", empty());
    fill(spec, "schedulerName", "default-scheduler");
    for constraint in items_mut(spec, "topologySpreadConstraints") {
        fill(constraint, "nodeAffinityPolicy", "Honor");
        fill(constraint, "nodeTaintsPolicy", "Ignore");
    }
}

fn volume(volume: &mut Value) {
    let has_source = volume.as_object().is_some_and(|fields| fields.keys().any(|field| field != "name"));
    if !has_source {
        volume["emptyDir"] = empty();
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = there(volume, source) {
            fill(source, "defaultMode", FILE_MODE);
            files(source);
            items_mut(source, "sources").for_each(projection);
        }
    }
    if let Some(path) = there(volume, "hostPath") {
        fill(path, "type", "");
    }
    if let Some(claim) = volume.pointer_mut("/ephemeral/volumeClaimTemplate/spec") {
        fill(claim, "volumeMode", "Filesystem");
    }
}

fn projection(source: &mut Value) {
    if let Some(token) = there(source, "serviceAccountToken") {
        fill(token, "expirationSeconds", 3600);
    }
    if let Some(downward) = there(source, "downwardAPI") {
        files(downward);
    }
}

/// Fills in the files of a downward API volume.
fn files(source: &mut Value) {
    for item in items_mut(source, "items") {
        if let Some(reference) = there(item, "fieldRef") {
            fill(reference, "apiVersion", "v1");
        }
        if let Some(reference) = there(item, "resourceFieldRef") {
            fill(reference, "divisor", "0");
        }
    }
}

/// Returns the class that follows from requests and limits: `Guaranteed`, `Burstable` or `BestEffort`.
pub fn quality_of_service(spec: &Value) -> &'static str {
    let containers = || items(spec, "containers").chain(items(spec, "initContainers"));
    let counted = |container: &Value, sort: &str, name: &str| container["resources"][sort][name].clone();
    let has_any = containers().any(|container| {
        ["requests", "limits"].iter().any(|sort| {
            ["cpu", "memory"].iter().any(|name| !matches!(counted(container, sort, name).as_str(), None | Some("0")))
        })
    });
    let is_whole = containers().all(|container| {
        ["cpu", "memory"].iter().all(|name| {
            let limit = counted(container, "limits", name);
            !limit.is_null() && counted(container, "requests", name) == limit
        })
    });
    match (has_any, is_whole) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// Returns the tolerations that admission adds: a lost node is emptied after five minutes.
pub fn tolerations() -> [Value; 2] {
    ["not-ready", "unreachable"].map(|state| {
        json!({
            "key": format!("node.kubernetes.io/{state}"), "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": 300,
        })
    })
}
