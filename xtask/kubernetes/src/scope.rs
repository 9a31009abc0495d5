//! Which kinds of Kubernetes itself belong to the whole cluster, for charts that are looked at before there is a cluster.

/// API groups and kinds that belong to no namespace. The core group is empty.
const CLUSTER_SCOPED: [(&str, &[&str]); 13] = [
    ("", &["ComponentStatus", "Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("authentication.k8s.io", &["SelfSubjectReview", "TokenReview"]),
    ("authorization.k8s.io", &["SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("networking.k8s.io", &["IngressClass", "IPAddress", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"]),
];

/// Returns whether a kind of Kubernetes itself belongs to the whole cluster. `api_version` is `v1` or `apps/v1`.
pub fn is_cluster_scoped(api_version: &str, kind: &str) -> bool {
    let group = group(api_version);
    CLUSTER_SCOPED.iter().any(|(of, kinds)| *of == group && kinds.contains(&kind))
}

/// Returns whether an API group belongs to Kubernetes itself, so that [`is_cluster_scoped`] knows its kinds. Other groups
/// are defined by custom resource definitions, also some below `k8s.io`.
pub fn is_built_in(api_version: &str) -> bool {
    let group = group(api_version);
    let namespaced =
        ["apps", "autoscaling", "batch", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "policy"];
    namespaced.contains(&group) || CLUSTER_SCOPED.iter().any(|(of, _)| *of == group)
}

/// Returns the group of an API version; the core group is empty.
fn group(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{apps::v1 as apps, core::v1 as core, networking::v1 as networking, rbac::v1 as rbac};
    use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope, Resource};

    use super::*;

    fn of_cluster<K: Resource<Scope = ClusterResourceScope>>() -> bool {
        is_cluster_scoped(K::API_VERSION, K::KIND)
    }

    fn of_namespace<K: Resource<Scope = NamespaceResourceScope>>() -> bool {
        !is_cluster_scoped(K::API_VERSION, K::KIND) && is_built_in(K::API_VERSION)
    }

    /// The client library knows the scope of each kind, too; here its compiler checks which test a kind belongs to.
    #[test]
    fn kinds_have_the_scope_that_the_client_library_gives_them() {
        assert!(of_cluster::<core::Namespace>() && of_cluster::<core::PersistentVolume>());
        assert!(of_cluster::<rbac::ClusterRole>() && of_cluster::<rbac::ClusterRoleBinding>());
        assert!(of_cluster::<networking::IngressClass>());
        assert!(of_namespace::<core::ConfigMap>() && of_namespace::<apps::Deployment>());
        assert!(of_namespace::<rbac::Role>() && of_namespace::<networking::Ingress>());
    }

    #[test]
    fn a_kind_of_another_group_is_not_meant() {
        assert!(!is_cluster_scoped("example.com/v1", "ClusterRole"));
        assert!(!is_built_in("gateway.networking.k8s.io/v1"));
    }
}
