//! Kills a pod, and proves that it was replaced.

use std::collections::BTreeSet;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};

use crate::deployed_topology::DeployedTopology;
use crate::workload::recorder::Recorder;
use kubernetes::watch::State;
use kubernetes::{call, objects};

/// The grace period of a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// No grace period, as if its node went down.
    None,
    /// The grace period in the pod's spec.
    Default,
}

/// A pod that was killed.
pub struct Killed {
    /// The pod before the kill.
    pub before: Pod,
    /// The UIDs of all replicas before the kill.
    replicas: BTreeSet<String>,
    /// The fault's number in the recorder.
    pub fault: usize,
}

/// Deletes a pod, unless another pod has its name by now.
///
/// # Errors
/// If the pod does not exist, or the API server refuses.
pub async fn kill(
    deployed: &DeployedTopology,
    recorder: &Recorder,
    name: &str,
    grace: Grace,
    why: &str,
) -> anyhow::Result<Killed> {
    let period = if grace == Grace::None { "grace 0" } else { "default grace period" };
    delete(deployed, name, grace, || recorder.fault(format!("delete Pod/{name} ({why}), {period}"))).await
}

/// Deletes a pod, unless another pod has its name by now; `fault` returns the fault's number just before.
///
/// # Errors
/// As [`kill`].
pub async fn delete(
    deployed: &DeployedTopology,
    name: &str,
    grace: Grace,
    fault: impl FnOnce() -> usize,
) -> anyhow::Result<Killed> {
    let before = deployed.pod(name).with_context(|| format!("Pod/{name} does not exist, so it can't be killed"))?;
    let replicas = deployed.replicas().iter().filter_map(ResourceExt::uid).collect();
    let seconds = if grace == Grace::None { Some(0) } else { None };
    let fault = fault();
    let only = Preconditions { uid: before.uid(), resource_version: None };
    let params = DeleteParams { grace_period_seconds: seconds, preconditions: Some(only), ..DeleteParams::default() };
    call(&format!("deleting Pod/{name}"), deployed.pods().delete(name, &params)).await?;
    Ok(Killed { before, replicas, fault })
}

impl Killed {
    /// Returns the pod's successor: for a `StatefulSet` the next pod with its name, for a `DaemonSet` a new pod on its
    /// node, for a Deployment any new pod.
    ///
    /// # Errors
    /// The state of the replacement.
    pub fn successor(&self, state: &State, (kind, name): (&str, &str)) -> Result<Pod, String> {
        let (killed, old) = (self.before.name_any(), self.before.uid());
        if let Some(pod) = state.pods.get(&killed).filter(|pod| pod.uid() == old) {
            return Err(objects::pod_line(pod));
        }
        let is_new = |pod: &Pod| pod.uid().is_some_and(|uid| !self.replicas.contains(&uid));
        let is_it = |pod: &&&Pod| is_new(pod) && self.is_in_the_same_place(kind, pod);
        let found = state.live_pods_of(kind, name).iter().find(is_it).map(|pod| (*pod).clone());
        found.ok_or_else(|| "gone, no successor yet".to_owned())
    }

    fn is_in_the_same_place(&self, kind: &str, pod: &Pod) -> bool {
        match kind {
            "StatefulSet" => pod.name_any() == self.before.name_any(),
            "DaemonSet" => objects::node(pod) == objects::node(&self.before),
            _ => true,
        }
    }

    /// Describes what shows that the successor is another pod.
    pub fn difference(&self, after: &Pod) -> String {
        let uid = |pod: &Pod| pod.uid().unwrap_or_default();
        let ip = |pod: &Pod| objects::ip(pod).unwrap_or("none").to_owned();
        let before = &self.before;
        format!("UID {} → {}, IP {} → {}", uid(before), uid(after), ip(before), ip(after))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::ReplicaSet;
    use serde_json::{Value, json};

    use super::*;

    fn owned_by(kind: &str, name: &str) -> Value {
        json!([{ "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name, "controller": true }])
    }

    fn pod(name: &str, uid: &str, owner: &Value) -> Pod {
        let metadata = json!({ "name": name, "uid": uid, "ownerReferences": owner });
        serde_json::from_value(json!({ "metadata": metadata, "status": { "phase": "Running" } })).unwrap()
    }

    fn state(pods: &[Pod]) -> State {
        let metadata = json!({ "name": "web-1", "ownerReferences": owned_by("Deployment", "web") });
        let set: ReplicaSet =
            serde_json::from_value(json!({ "metadata": metadata, "spec": { "selector": {} } })).unwrap();
        let pods = pods.iter().map(|pod| (pod.name_any(), pod.clone()));
        State { pods: pods.collect(), replica_sets: [("web-1".to_owned(), set)].into(), ..State::default() }
    }

    fn killed(pods: &[Pod]) -> Killed {
        Killed { before: pods[0].clone(), replicas: pods.iter().filter_map(ResourceExt::uid).collect(), fault: 0 }
    }

    #[test]
    fn the_successor_of_a_deployments_pod_has_another_name() {
        let (set, workload) = (owned_by("ReplicaSet", "web-1"), ("Deployment", "web"));
        let (old, other) = (pod("web-1-a", "a", &set), pod("web-1-b", "b", &set));
        let killed = killed(&[old.clone(), other.clone()]);
        let new = pod("web-1-c", "c", &set);
        assert_eq!(killed.successor(&state(&[old, other.clone(), new.clone()]), workload).unwrap_err(), "Running");
        assert_eq!(
            killed.successor(&state(std::slice::from_ref(&other)), workload).unwrap_err(),
            "gone, no successor yet"
        );
        assert_eq!(killed.successor(&state(&[other, new]), workload).unwrap().name_any(), "web-1-c");
    }

    #[test]
    fn the_successor_of_a_daemon_sets_pod_is_on_the_same_node() {
        let on = |name: &str, node: &str| {
            let mut pod = pod(name, name, &owned_by("DaemonSet", "agent"));
            pod.spec = serde_json::from_value(json!({ "containers": [], "nodeName": node })).unwrap();
            pod
        };
        let killed = killed(&[on("agent-a", "one")]);
        let successor = |pods: &[Pod]| killed.successor(&state(pods), ("DaemonSet", "agent"));
        assert_eq!(successor(&[on("agent-b", "two")]).unwrap_err(), "gone, no successor yet");
        assert_eq!(successor(&[on("agent-b", "two"), on("agent-c", "one")]).unwrap().name_any(), "agent-c");
    }

    #[test]
    fn the_successor_of_a_stateful_sets_pod_has_the_same_name() {
        let (set, workload) = (owned_by("StatefulSet", "db"), ("StatefulSet", "db"));
        let old = pod("db-0", "a", &set);
        let killed = killed(std::slice::from_ref(&old));
        assert_eq!(
            killed.successor(&state(&[pod("db-1", "b", &set)]), workload).unwrap_err(),
            "gone, no successor yet"
        );
        assert_eq!(killed.successor(&state(&[pod("db-0", "c", &set)]), workload).unwrap().uid().unwrap(), "c");
    }
}
