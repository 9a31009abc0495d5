//! The defaults that kube-apiserver fills in.

mod admission;
mod container;
mod pod;
mod service;
mod small;
mod storage;
mod workload;

use serde_json::Value;

use super::custom::definition;
use super::value::{empty, fill};
use crate::kinds::Kind;

pub use pod::{quality_of_service, tolerations};
pub use workload::own_pods;

/// Fills in the defaults that depend only on the document.
pub fn apply(kind: &Kind, object: &mut Value) {
    match kind.built_in() {
        "Pod" => pod::whole(object),
        "StatefulSet" => workload::stateful_set(object),
        "Deployment" => workload::deployment(object),
        "ReplicaSet" => workload::replica_set(object),
        "DaemonSet" => workload::daemon_set(object),
        "ReplicationController" => workload::replication_controller(object),
        "PodTemplate" => workload::pod_template(object),
        "Job" => workload::job(object),
        "CronJob" => workload::cron_job(object),
        "Service" => service::service(object),
        "Endpoints" => service::endpoints(object),
        "EndpointSlice" => service::endpoint_slice(object),
        "PersistentVolumeClaim" => storage::claim(object),
        "PersistentVolume" => storage::volume(object),
        "StorageClass" => storage::class(object),
        "Secret" => small::secret(object),
        "Namespace" => small::namespace(object),
        "NetworkPolicy" => small::network_policy(object),
        "RoleBinding" | "ClusterRoleBinding" => small::role_binding(object),
        "HorizontalPodAutoscaler" => small::autoscaler(object),
        "PriorityClass" => small::priority_class(object),
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => admission::webhooks(object),
        "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy" => admission::policy(object),
        "ValidatingAdmissionPolicyBinding" | "MutatingAdmissionPolicyBinding" => admission::binding(object),
        "CSIDriver" => storage::csi_driver(object),
        "FlowSchema" => fill(&mut object["spec"], "matchingPrecedence", 1000),
        "CustomResourceDefinition" => definition::default(object),
        _ => {}
    }
    for count in counts(kind.built_in()) {
        fill(object, "status", empty());
        fill(&mut object["status"], count, 0);
    }
}

/// Returns the counts that a status shows even if they are zero.
fn counts(kind: &str) -> &'static [&'static str] {
    match kind {
        "StatefulSet" => &["replicas", "availableReplicas"],
        "ReplicaSet" | "ReplicationController" => &["replicas"],
        "DaemonSet" => &["currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"],
        "PodDisruptionBudget" => &["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"],
        _ => &[],
    }
}
