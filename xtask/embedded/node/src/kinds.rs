//! The table of served kinds, used by discovery, routing, OpenAPI and the store.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

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
    /// Group and version of the kind as which its objects are stored, if another kind is: both show the same objects.
    pub stored_as: Option<(&'static str, &'static str)>,
    /// What only a custom kind has.
    pub custom: Option<Custom>,
}

/// What only a custom kind has.
#[derive(Debug, PartialEq, Eq)]
pub struct Custom {
    /// The kind of its lists.
    pub list_kind: &'static str,
    /// `all`, and others of its own.
    pub categories: &'static [&'static str],
}

impl Kind {
    /// Returns `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Returns the kind as which its objects are stored, mostly itself.
    pub(crate) fn stored(&'static self) -> &'static Self {
        self.stored_as.and_then(|(group, version)| find(group, version, self.plural)).unwrap_or(self)
    }

    /// Returns the name of a built-in kind, by which the server tells what to do with its objects; empty for a custom
    /// kind, which may have the name of a built-in one.
    pub(crate) fn built_in(&self) -> &'static str {
        if self.custom.is_some() { "" } else { self.kind }
    }

    /// Returns the kind of its lists.
    pub(crate) fn list_kind(&self) -> String {
        self.custom.as_ref().map_or_else(|| format!("{}List", self.kind), |custom| custom.list_kind.to_owned())
    }

    /// Returns the categories that select it: `kubectl get all`.
    pub(crate) fn categories(&self) -> &'static [&'static str] {
        const ALL: &[&str] = &[
            "Pod",
            "Service",
            "StatefulSet",
            "Deployment",
            "ReplicaSet",
            "DaemonSet",
            "Job",
            "CronJob",
            "HorizontalPodAutoscaler",
        ];
        if let Some(custom) = &self.custom {
            return custom.categories;
        }
        match self.group {
            "admissionregistration.k8s.io" | "apiextensions.k8s.io" | "apiregistration.k8s.io" => &["api-extensions"],
            _ if ALL.contains(&self.kind) => &["all"],
            _ => &[],
        }
    }

    /// Returns the group and the plural, under which all versions of a kind are stored.
    pub(crate) fn resource(&self) -> (&'static str, &'static str) {
        (self.stored_as.map_or(self.group, |(group, _)| group), self.plural)
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
    Kind {
        group,
        version: "v1",
        kind,
        plural,
        singular,
        short_names,
        namespaced: true,
        subresources,
        inert: false,
        stored_as: None,
        custom: None,
    }
}

const fn cluster(mut kind: Kind) -> Kind {
    kind.namespaced = false;
    kind
}

const fn inert(mut kind: Kind) -> Kind {
    kind.inert = true;
    kind
}

/// A cluster-wide kind that is only stored.
const fn only_stored(group: &'static str, kind: &'static str, plural: &'static str, singular: &'static str) -> Kind {
    inert(cluster(row(group, kind, plural, singular, &[], &[])))
}

/// It is served in two versions.
const AUTOSCALER: Kind = row(
    "autoscaling",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    "horizontalpodautoscaler",
    &["hpa"],
    &["status"],
);

/// Every kind that is served.
pub static KINDS: &[Kind] = &[
    cluster(row("", "Namespace", "namespaces", "namespace", &["ns"], &["status", "finalize"])),
    cluster(row("", "Node", "nodes", "node", &["no"], &["status"])),
    cluster(row("", "PersistentVolume", "persistentvolumes", "persistentvolume", &["pv"], &["status"])),
    row(
        "",
        "Pod",
        "pods",
        "pod",
        &["po"],
        &["status", "log", "exec", "attach", "portforward", "eviction", "binding", "ephemeralcontainers"],
    ),
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
    row("apps", "DaemonSet", "daemonsets", "daemonset", &["ds"], &["status"]),
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
    inert(Kind { version: "v2", ..AUTOSCALER }),
    inert(cluster(row("scheduling.k8s.io", "PriorityClass", "priorityclasses", "priorityclass", &["pc"], &[]))),
    inert(row("coordination.k8s.io", "Lease", "leases", "lease", &[], &[])),
    Kind { stored_as: Some(("", "v1")), ..row("events.k8s.io", "Event", "events", "event", &["ev"], &[]) },
    inert(Kind { stored_as: Some(("autoscaling", "v2")), ..AUTOSCALER }),
    cluster(row("", "ComponentStatus", "componentstatuses", "componentstatus", &["cs"], &[])),
    inert(row(
        "",
        "ReplicationController",
        "replicationcontrollers",
        "replicationcontroller",
        &["rc"],
        &["status", "scale"],
    )),
    inert(row("", "PodTemplate", "podtemplates", "podtemplate", &[], &[])),
    inert(cluster(row(
        "certificates.k8s.io",
        "CertificateSigningRequest",
        "certificatesigningrequests",
        "certificatesigningrequest",
        &["csr"],
        &["approval", "status"],
    ))),
    only_stored("node.k8s.io", "RuntimeClass", "runtimeclasses", "runtimeclass"),
    only_stored("storage.k8s.io", "CSIDriver", "csidrivers", "csidriver"),
    only_stored("storage.k8s.io", "CSINode", "csinodes", "csinode"),
    inert(row("storage.k8s.io", "CSIStorageCapacity", "csistoragecapacities", "csistoragecapacity", &[], &[])),
    inert(cluster(row(
        "storage.k8s.io",
        "VolumeAttachment",
        "volumeattachments",
        "volumeattachment",
        &[],
        &["status"],
    ))),
    inert(cluster(row(
        "storage.k8s.io",
        "VolumeAttributesClass",
        "volumeattributesclasses",
        "volumeattributesclass",
        &["vac"],
        &[],
    ))),
    only_stored(
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        "validatingwebhookconfiguration",
    ),
    only_stored(
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "mutatingwebhookconfiguration",
    ),
    inert(cluster(row(
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        "validatingadmissionpolicy",
        &[],
        &["status"],
    ))),
    only_stored(
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        "validatingadmissionpolicybinding",
    ),
    only_stored(
        "admissionregistration.k8s.io",
        "MutatingAdmissionPolicy",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicy",
    ),
    only_stored(
        "admissionregistration.k8s.io",
        "MutatingAdmissionPolicyBinding",
        "mutatingadmissionpolicybindings",
        "mutatingadmissionpolicybinding",
    ),
    inert(cluster(row("networking.k8s.io", "IPAddress", "ipaddresses", "ipaddress", &["ip"], &[]))),
    inert(cluster(row("networking.k8s.io", "ServiceCIDR", "servicecidrs", "servicecidr", &[], &["status"]))),
    inert(cluster(row("flowcontrol.apiserver.k8s.io", "FlowSchema", "flowschemas", "flowschema", &[], &["status"]))),
    inert(cluster(row(
        "flowcontrol.apiserver.k8s.io",
        "PriorityLevelConfiguration",
        "prioritylevelconfigurations",
        "prioritylevelconfiguration",
        &[],
        &["status"],
    ))),
    only_stored("resource.k8s.io", "DeviceClass", "deviceclasses", "deviceclass"),
    inert(row("resource.k8s.io", "ResourceClaim", "resourceclaims", "resourceclaim", &[], &["status"])),
    inert(row("resource.k8s.io", "ResourceClaimTemplate", "resourceclaimtemplates", "resourceclaimtemplate", &[], &[])),
    only_stored("resource.k8s.io", "ResourceSlice", "resourceslices", "resourceslice"),
    cluster(row(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "customresourcedefinition",
        &["crd", "crds"],
        &["status"],
    )),
    cluster(row("apiregistration.k8s.io", "APIService", "apiservices", "apiservice", &[], &["status"])),
];

/// Returns the kinds as which objects are stored: every object belongs to exactly one of them.
pub fn stored_kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(|kind| kind.stored_as.is_none())
}

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

/// The names of a version of a custom resource, as its definition has them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CustomKind {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub list_kind: String,
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub is_namespaced: bool,
    pub has_status: bool,
    pub has_scale: bool,
}

/// How many different custom kinds a process can have: they are kept until it ends.
const CUSTOM_KINDS_MAX: usize = 10_000;

static CUSTOM: Mutex<BTreeMap<CustomKind, &'static Kind>> = Mutex::new(BTreeMap::new());

/// Returns the kind with these names; `None` if there are too many. It is made once, and never freed: a node lives for
/// one run, and sees few definitions.
pub(crate) fn custom(names: &CustomKind) -> Option<&'static Kind> {
    let mut known = CUSTOM.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kind) = known.get(names) {
        return Some(kind);
    }
    if known.len() >= CUSTOM_KINDS_MAX {
        return None;
    }
    let text = |text: &str| -> &'static str { text.to_owned().leak() };
    let texts =
        |all: &[String]| -> &'static [&'static str] { all.iter().map(|one| text(one)).collect::<Vec<_>>().leak() };
    let subresources: Vec<&'static str> = [("status", names.has_status), ("scale", names.has_scale)]
        .into_iter()
        .filter_map(|(name, is_there)| is_there.then_some(name))
        .collect();
    let kind: &'static Kind = Box::leak(Box::new(Kind {
        group: text(&names.group),
        version: text(&names.version),
        kind: text(&names.kind),
        plural: text(&names.plural),
        singular: text(&names.singular),
        short_names: texts(&names.short_names),
        namespaced: names.is_namespaced,
        subresources: subresources.leak(),
        inert: false,
        stored_as: None,
        custom: Some(Custom { list_kind: text(&names.list_kind), categories: texts(&names.categories) }),
    }));
    known.insert(names.clone(), kind);
    Some(kind)
}
