//! The fields that the API server refuses to change. `tests/immutable` checks each row against the embedded cluster's API
//! server, whose answers are those of kube-apiserver 1.36.

use serde_json::Value;

/// A field, or all fields of a part of an object, that can't be changed.
#[derive(Debug)]
pub struct Row {
    /// The API group of the kind, empty for the core group.
    pub group: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The path of the field, such as `spec.selector`.
    pub field: &'static str,
    /// What is refused.
    pub rule: Rule,
    /// Whether an earlier and a present object are exempt.
    pub exempt: fn(&Value, &Value) -> bool,
}

/// What the API server refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Any change.
    Fixed,
    /// Any change except in these fields in it; `*` is every entry of a list.
    AllBut(&'static [&'static str]),
    /// A change of a value that the cluster chooses if the chart has none. Leaving it out is no change.
    Chosen,
    /// The same, but once the chart has a value, it can't be left out.
    ChosenOnce,
    /// A smaller quantity.
    Grows,
    /// Any change if the earlier object has `immutable: true`.
    IfImmutable,
}

const fn row(group: &'static str, kind: &'static str, field: &'static str, rule: Rule) -> Row {
    Row { group, kind, field, rule, exempt: |_, _| false }
}

impl Row {
    const fn unless(mut self, exempt: fn(&Value, &Value) -> bool) -> Self {
        self.exempt = exempt;
        self
    }
}

use Rule::{AllBut, Chosen, ChosenOnce, Fixed, Grows, IfImmutable};

/// Every row.
pub static ROWS: &[Row] = &[
    row(
        "apps",
        "StatefulSet",
        "spec",
        AllBut(&[
            "replicas",
            "template",
            "updateStrategy",
            "ordinals",
            "minReadySeconds",
            "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy",
        ]),
    ),
    row("apps", "Deployment", "spec.selector", Fixed),
    row("apps", "ReplicaSet", "spec.selector", Fixed),
    row("apps", "DaemonSet", "spec.selector", Fixed),
    row("batch", "Job", "spec.selector", Fixed).unless(job_is_gone),
    row("batch", "Job", "spec.template", Fixed).unless(|before, after| {
        // Labels and scheduling of a Job that was never started can change; charts suspend only such Jobs.
        job_is_gone(before, after) || before["spec"]["suspend"] == true
    }),
    row("batch", "Job", "spec.completions", Fixed).unless(|before, after| {
        job_is_gone(before, after)
            || (after["spec"]["completionMode"] == "Indexed"
                && after["spec"]["completions"] == after["spec"]["parallelism"])
    }),
    row("batch", "Job", "spec.completionMode", Fixed).unless(job_is_gone),
    row("batch", "Job", "spec.backoffLimitPerIndex", Fixed).unless(job_is_gone),
    row("batch", "Job", "spec.podFailurePolicy", Fixed).unless(job_is_gone),
    row("batch", "Job", "spec.successPolicy", Fixed).unless(job_is_gone),
    row("batch", "Job", "spec.managedBy", Fixed).unless(job_is_gone),
    row(
        "",
        "Pod",
        "spec",
        AllBut(&[
            "activeDeadlineSeconds",
            "tolerations",
            "terminationGracePeriodSeconds",
            "schedulingGates",
            "containers.*.image",
            "initContainers.*.image",
        ]),
    ),
    row(
        "",
        "PersistentVolumeClaim",
        "spec",
        AllBut(&["volumeName", "storageClassName", "volumeAttributesClassName", "resources.requests.storage"]),
    ),
    row("", "PersistentVolumeClaim", "spec.volumeName", ChosenOnce),
    // Whether a class that the chart begins to name is the cluster's default can't be known here.
    row("", "PersistentVolumeClaim", "spec.storageClassName", Fixed)
        .unless(|before, _| before["spec"]["storageClassName"].is_null()),
    row("", "PersistentVolumeClaim", "spec.resources.requests.storage", Grows),
    row(
        "",
        "PersistentVolume",
        "spec",
        AllBut(&[
            "capacity",
            "accessModes",
            "claimRef",
            "persistentVolumeReclaimPolicy",
            "storageClassName",
            "mountOptions",
            "volumeAttributesClassName",
            "nodeAffinity",
        ]),
    ),
    row("", "PersistentVolume", "spec.nodeAffinity", Fixed)
        .unless(|before, _| before["spec"]["nodeAffinity"].is_null()),
    row("", "Service", "spec.clusterIP", Chosen)
        .unless(|before, after| before["spec"]["type"] == "ExternalName" || after["spec"]["type"] == "ExternalName"),
    row("", "Service", "spec.ipFamilies.0", Fixed).unless(|before, after| {
        let is_headless = |service: &Value| service["spec"]["clusterIP"] == "None";
        let is_open = |service: &Value| service["spec"]["ipFamilies"].as_array().is_none_or(Vec::is_empty);
        is_headless(before) || is_headless(after) || is_open(before) || is_open(after)
    }),
    row("", "Service", "spec.loadBalancerClass", Fixed)
        .unless(|before, after| before["spec"]["type"] != "LoadBalancer" || after["spec"]["type"] != "LoadBalancer"),
    row("", "Secret", "type", Fixed),
    row("", "Secret", "immutable", IfImmutable),
    row("", "Secret", "data", IfImmutable),
    row("", "ConfigMap", "immutable", IfImmutable),
    row("", "ConfigMap", "data", IfImmutable),
    row("", "ConfigMap", "binaryData", IfImmutable),
    row("", "ResourceQuota", "spec.scopes", Fixed),
    row("rbac.authorization.k8s.io", "RoleBinding", "roleRef", Fixed),
    row("rbac.authorization.k8s.io", "ClusterRoleBinding", "roleRef", Fixed),
    row("scheduling.k8s.io", "PriorityClass", "value", Fixed),
    row("scheduling.k8s.io", "PriorityClass", "preemptionPolicy", Fixed),
    row("networking.k8s.io", "IngressClass", "spec.controller", Fixed),
    row("discovery.k8s.io", "EndpointSlice", "addressType", Fixed),
    row("storage.k8s.io", "StorageClass", "provisioner", Fixed),
    row("storage.k8s.io", "StorageClass", "parameters", Fixed),
    row("storage.k8s.io", "StorageClass", "reclaimPolicy", Fixed),
    row("storage.k8s.io", "StorageClass", "volumeBindingMode", Fixed),
    row("storage.k8s.io", "CSIDriver", "spec.attachRequired", Fixed),
    row("storage.k8s.io", "CSIDriver", "spec.volumeLifecycleModes", Fixed),
    row("storage.k8s.io", "VolumeAttributesClass", "driverName", Fixed),
    row("storage.k8s.io", "VolumeAttributesClass", "parameters", Fixed),
    row("node.k8s.io", "RuntimeClass", "handler", Fixed),
    row("apiextensions.k8s.io", "CustomResourceDefinition", "spec.scope", Fixed),
    row("apiextensions.k8s.io", "CustomResourceDefinition", "spec.names.kind", Fixed),
];

/// Whether the Job's TTL removes it before anybody upgrades: helm then creates it again.
fn job_is_gone(before: &Value, _: &Value) -> bool {
    before["spec"]["ttlSecondsAfterFinished"].is_number()
}
