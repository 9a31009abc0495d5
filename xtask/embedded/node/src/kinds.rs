//! The table of served kinds, used by discovery, routing, OpenAPI and the store.

use k8s_openapi::Resource;

/// One served kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// API version, `v1` or `v2`.
    pub version: &'static str,
    /// `Pod`.
    pub kind: &'static str,
    /// `pods`, also the URL segment.
    pub plural: &'static str,
    /// `pod`.
    pub singular: &'static str,
    /// `po`, as kubectl abbreviates it.
    pub short_names: &'static [&'static str],
    /// Whether objects belong to a namespace.
    pub namespaced: bool,
    /// `status`, `scale`, `log` …
    pub subresources: &'static [&'static str],
    /// Whether the kind is only stored and listed in the report: no controller acts on it.
    pub inert: bool,
}

impl Kind {
    /// Returns `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Returns `pods` or `statefulsets.apps`, as error messages name a resource.
    pub(crate) fn qualified_plural(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Returns `Pod` or `StatefulSet.apps`, as validation errors name a kind.
    pub(crate) fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.to_owned() } else { format!("{}.{}", self.kind, self.group) }
    }
}

const fn row(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
    subresources: &'static [&'static str],
) -> Kind {
    Kind { group, version: "v1", kind, plural, singular, short_names, namespaced: true, subresources, inert: false }
}

const fn cluster(mut kind: Kind) -> Kind {
    kind.namespaced = false;
    kind
}

const fn inert(mut kind: Kind) -> Kind {
    kind.inert = true;
    kind
}

/// Every kind that is served.
pub static KINDS: &[Kind] = &[
    cluster(row("", "Namespace", "namespaces", "namespace", &["ns"], &["status", "finalize"])),
    cluster(row("", "Node", "nodes", "node", &["no"], &["status"])),
    cluster(row("", "PersistentVolume", "persistentvolumes", "persistentvolume", &["pv"], &["status"])),
    row("", "Pod", "pods", "pod", &["po"], &["status", "log", "exec", "attach", "portforward", "eviction", "binding"]),
    row("", "Service", "services", "service", &["svc"], &["status"]),
    row("", "Endpoints", "endpoints", "endpoints", &["ep"], &[]),
    row("", "ConfigMap", "configmaps", "configmap", &["cm"], &[]),
    row("", "Secret", "secrets", "secret", &[], &[]),
    row("", "ServiceAccount", "serviceaccounts", "serviceaccount", &["sa"], &["token"]),
    row("", "Event", "events", "event", &["ev"], &[]),
    row("", "PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim", &["pvc"], &["status"]),
    row("", "ResourceQuota", "resourcequotas", "resourcequota", &["quota"], &["status"]),
    inert(row("", "LimitRange", "limitranges", "limitrange", &["limits"], &[])),
    row("apps", "StatefulSet", "statefulsets", "statefulset", &["sts"], &["status", "scale"]),
    row("apps", "Deployment", "deployments", "deployment", &["deploy"], &["status", "scale"]),
    row("apps", "ReplicaSet", "replicasets", "replicaset", &["rs"], &["status", "scale"]),
    row("apps", "ControllerRevision", "controllerrevisions", "controllerrevision", &[], &[]),
    row("batch", "Job", "jobs", "job", &[], &["status"]),
    inert(row("batch", "CronJob", "cronjobs", "cronjob", &["cj"], &["status"])),
    row("policy", "PodDisruptionBudget", "poddisruptionbudgets", "poddisruptionbudget", &["pdb"], &["status"]),
    row("discovery.k8s.io", "EndpointSlice", "endpointslices", "endpointslice", &[], &[]),
    cluster(row("storage.k8s.io", "StorageClass", "storageclasses", "storageclass", &["sc"], &[])),
    inert(row("networking.k8s.io", "Ingress", "ingresses", "ingress", &["ing"], &["status"])),
    inert(cluster(row("networking.k8s.io", "IngressClass", "ingressclasses", "ingressclass", &[], &[]))),
    inert(row("networking.k8s.io", "NetworkPolicy", "networkpolicies", "networkpolicy", &["netpol"], &[])),
    row("rbac.authorization.k8s.io", "Role", "roles", "role", &[], &[]),
    row("rbac.authorization.k8s.io", "RoleBinding", "rolebindings", "rolebinding", &[], &[]),
    cluster(row("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", "clusterrole", &[], &[])),
    cluster(row(
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        "clusterrolebindings",
        "clusterrolebinding",
        &[],
        &[],
    )),
    inert(Kind {
        version: "v2",
        ..row(
            "autoscaling",
            "HorizontalPodAutoscaler",
            "horizontalpodautoscalers",
            "horizontalpodautoscaler",
            &["hpa"],
            &["status"],
        )
    }),
    inert(cluster(row("scheduling.k8s.io", "PriorityClass", "priorityclasses", "priorityclass", &["pc"], &[]))),
    inert(row("coordination.k8s.io", "Lease", "leases", "lease", &[], &[])),
];

/// Returns the row of `group/version`, `plural` as in a URL.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|k| k.group == group && k.version == version && k.plural == plural)
}

/// Returns the row of a typed resource.
///
/// # Panics
/// If the kind has no row; a test covers all kinds that this crate uses.
pub(crate) fn of<K: Resource>() -> &'static Kind {
    match KINDS.iter().find(|k| k.group == K::GROUP && k.version == K::VERSION && k.kind == K::KIND) {
        Some(kind) => kind,
        None => panic!("{} has no row in KINDS", K::KIND),
    }
}
