//! The cluster roles that charts bind to and that every cluster has: `cluster-admin`, `admin`, `edit`, `view`.

use k8s_openapi::api::rbac::v1::ClusterRole;
use serde_json::{Value, json};

use crate::client::parsed;
use crate::status::Status;

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];

/// A group and its resources.
type Resources = (&'static str, &'static [&'static str]);

const VIEWED: &[Resources] = &[
    (
        "",
        &[
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "namespaces",
            "namespaces/status",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "pods",
            "pods/log",
            "pods/status",
            "resourcequotas",
            "resourcequotas/status",
            "serviceaccounts",
            "services",
            "services/status",
        ],
    ),
    (
        "apps",
        &[
            "controllerrevisions",
            "deployments",
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
            "statefulsets",
            "statefulsets/scale",
            "statefulsets/status",
        ],
    ),
    ("autoscaling", &["horizontalpodautoscalers", "horizontalpodautoscalers/status"]),
    ("batch", &["cronjobs", "cronjobs/status", "jobs", "jobs/status"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("networking.k8s.io", &["ingresses", "ingresses/status", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets", "poddisruptionbudgets/status"]),
];

/// The resources that only those may see who may also change things.
const SECRET: &[Resources] = &[
    ("", &["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"]),
    ("coordination.k8s.io", &["leases"]),
];

const EDITED: &[Resources] = &[
    ("", &["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"]),
    ("", &["configmaps", "events", "persistentvolumeclaims", "pods", "serviceaccounts", "services"]),
    (
        "apps",
        &["deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets", "statefulsets/scale"],
    ),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("batch", &["cronjobs", "jobs"]),
    ("coordination.k8s.io", &["leases"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets"]),
];

/// Returns all of them.
///
/// # Errors
/// If one of them is not a valid role.
pub fn all() -> Result<Vec<ClusterRole>, Status> {
    let rules = |resources: &[Resources], verbs: &[&str]| -> Vec<Value> {
        let rule =
            |(group, resources): &Resources| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
        resources.iter().map(rule).collect()
    };
    let view = rules(VIEWED, READ);
    let mut edit = [view.clone(), rules(SECRET, READ), rules(EDITED, WRITE)].concat();
    edit.push(json!({"apiGroups": [""], "resources": ["pods/eviction", "serviceaccounts/token"], "verbs": ["create"]}));
    edit.push(json!({"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}));
    let roles: &[Resources] = &[("rbac.authorization.k8s.io", &["rolebindings", "roles"])];
    let admin = [edit.clone(), rules(roles, READ), rules(roles, WRITE)].concat();
    let everything = json!([
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]);
    let aggregating = [("admin", admin), ("edit", edit), ("view", view)];
    let mut all = vec![role("cluster-admin", &everything)];
    for (name, rules) in aggregating {
        let mut role = role(name, &rules.into());
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{name}");
        role["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]});
        all.push(role);
    }
    all.iter().map(parsed).collect()
}

fn role(name: &str, rules: &Value) -> Value {
    let labels = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
    json!({"metadata": {"name": name, "labels": labels}, "rules": rules})
}
