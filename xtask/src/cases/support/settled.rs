//! Waits until every replica is ready, and every replica is a voter; finds the leader.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::context::CaseContext;
use super::running_image;
use crate::deployed_topology::DeployedTopology;
use crate::workload::members::{self, Agreement, View};
use kubernetes::watch::State;
use kubernetes::{objects, probe};
use suite::Members;

/// Waits until exactly `replicas` pods run the current revision with the image under test, and are ready; pods that
/// have ended don't count. A `DaemonSet` must have one on each node that it selects.
///
/// # Errors
/// If this takes longer than the case's time limit, a state is unrecoverable, or another image runs.
pub async fn ready(cx: &CaseContext, deployed: &DeployedTopology, replicas: u32) -> anyhow::Result<()> {
    let workload = deployed.workload()?;
    // Only its controller knows how many nodes a DaemonSet selects, once it has seen the current one.
    let replicas = (workload.0 != "DaemonSet").then_some(replicas);
    let what = match replicas {
        None => "a replica ready on each selected node".to_owned(),
        Some(1) => "the only replica ready".to_owned(),
        Some(replicas) => format!("all {replicas} replicas ready"),
    };
    cx.wait.until(&deployed.watch, &what, |state| all_ready(state, workload, replicas)).await?;
    running_image::of_replicas(cx, deployed).await
}

fn all_ready(state: &State, (kind, name): (&str, &str), replicas: Option<u32>) -> Result<(), String> {
    let rollout = state.rollout(kind, name).ok_or_else(|| format!("there is no {kind}/{name}"))?;
    let replicas = replicas.unwrap_or(rollout.wanted.unsigned_abs());
    if replicas == 0 {
        return Err(format!("{kind}/{name} selects no node"));
    }
    let pods = state.live_pods_of(kind, name);
    let ready = pods.iter().filter(|pod| objects::is_ready(pod)).count();
    if ready == replicas as usize && pods.len() == ready && rollout.done && rollout.wanted.unsigned_abs() == replicas {
        return Ok(());
    }
    let unready = pods.iter().filter(|pod| !objects::is_ready(pod)).map(|pod| why(state, pod));
    let stays = rollout.stays.map(str::to_owned);
    let count = format!("{ready}/{replicas} ready");
    // The cause comes first: the beginning of the line is all that a summary shows.
    Err(unready.chain(unbound(state)).chain(stays).chain([count]).collect::<Vec<_>>().join("; "))
}

/// Returns why a pod is not ready: what its probe said, or else its status.
fn why(state: &State, pod: &Pod) -> String {
    let status = || format!("{} {}", pod.name_any(), objects::pod_line(pod));
    probe::last_failure(state, pod).unwrap_or_else(status)
}

/// Lists unbound claims, since a pod that waits for its claim does not mention it.
fn unbound(state: &State) -> impl Iterator<Item = String> {
    let line = |(name, claim)| (name, objects::claim_line(claim));
    let lines = state.claims.iter().map(line).filter(|(_, line)| line != "Bound");
    lines.map(|(name, line)| format!("PersistentVolumeClaim/{name} {line}"))
}

/// Waits until all replicas report the same voters, one for each replica. Does nothing if the suite has no
/// `[members]`.
///
/// # Errors
/// If this takes longer than the case's time limit, or a replica forms a cluster of its own.
pub async fn voters(cx: &CaseContext, deployed: &DeployedTopology, replicas: u32) -> anyhow::Result<()> {
    let Some(members) = deployed.tested.as_ref().and_then(|workload| workload.members.as_ref()) else { return Ok(()) };
    let names = deployed.names(replicas);
    let mut split: Option<String> = None;
    let what = format!("{} voters agreed on by all replicas", voters_of(members, names.len()));
    let ask = async || match agreement(deployed, members, &names).await {
        Ok(Agreement::Agreed) => Ok(Ok(())),
        // It must be seen twice, since a replica that is just joining may know only itself for a moment.
        Ok(Agreement::Split(why)) => match split.replace(why.clone()) {
            Some(_) => Ok(Err(why)),
            None => Err(why),
        },
        Ok(Agreement::Open(why)) | Err(why) => {
            split = None;
            Err(why)
        }
    };
    match cx.wait.ask_until(&deployed.watch, &what, ask).await? {
        Ok(()) => Ok(()),
        Err(split) => bail!(split),
    }
}

async fn agreement(deployed: &DeployedTopology, members: &Members, names: &[String]) -> Result<Agreement, String> {
    let views = views(deployed, members, names).await?;
    // The number of voters can be right while dead members still count.
    let wanted = voters_of(members, names.len());
    Ok(match members::compare(&views, wanted) {
        Agreement::Agreed if wanted == names.len() => {
            members::without_vote(&views, &deployed.replicas()).map_or(Agreement::Agreed, Agreement::Open)
        }
        other => other,
    })
}

/// Returns how many of these replicas vote.
fn voters_of(members: &Members, replicas: usize) -> usize {
    members.voters_max.map_or(replicas, |most| most.min(replicas))
}

/// Returns the replicas that vote, if the application names its members after their pods.
pub async fn voting(deployed: &DeployedTopology, names: &[String]) -> BTreeSet<String> {
    let Some(members) = deployed.tested.as_ref().and_then(|workload| workload.members.as_ref()) else {
        return BTreeSet::new();
    };
    let views = views(deployed, members, names).await.unwrap_or_default();
    members::voting(&views, &deployed.replicas())
}

async fn views(
    deployed: &DeployedTopology,
    members: &Members,
    names: &[String],
) -> Result<BTreeMap<String, View>, String> {
    let views =
        names.iter().map(async |name| Ok((name.clone(), members::view(members, &deployed.application, name).await?)));
    futures::future::try_join_all(views).await.map(|views| views.into_iter().collect())
}

/// Returns the leader's pod as reported by any replica, or `None` if the application does not report a leader.
pub async fn leader(deployed: &DeployedTopology) -> Option<String> {
    let leader = deployed.tested.as_ref()?.leader.as_ref()?;
    let pods = deployed.replicas();
    for pod in pods.iter().filter(|pod| objects::is_ready(pod)) {
        if let Ok(Some(name)) = members::leader(leader, &deployed.application, &pods, &pod.name_any()).await {
            return Some(name);
        }
    }
    None
}

/// Returns the leader as reported by a replica other than these, if it is another one than these.
pub async fn leader_without(deployed: &DeployedTopology, apart: &BTreeSet<String>) -> Option<String> {
    let leader = deployed.tested.as_ref()?.leader.as_ref()?;
    let pods = deployed.replicas();
    for pod in pods.iter().filter(|pod| !apart.contains(&pod.name_any())) {
        match members::leader(leader, &deployed.application, &pods, &pod.name_any()).await {
            Ok(Some(name)) if !apart.contains(&name) => return Some(name),
            _ => {}
        }
    }
    None
}

/// Waits until the replicas are ready and agree.
///
/// # Errors
/// As [`ready`] and [`voters`].
pub async fn settled(cx: &CaseContext, deployed: &DeployedTopology, replicas: u32) -> anyhow::Result<()> {
    ready(cx, deployed, replicas).await?;
    voters(cx, deployed, replicas).await
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
    use serde_json::json;

    use super::*;

    /// Returns a Deployment with one replica that is rolled out, and these pods.
    fn state(pods: &[Pod]) -> State {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": { "name": "web", "generation": 1 },
            "spec": { "replicas": 1, "selector": {}, "template": {} },
            "status": { "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1 },
        }))
        .unwrap();
        let owner =
            json!([{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": true }]);
        let metadata = json!({ "name": "web-1", "ownerReferences": owner });
        let set: ReplicaSet =
            serde_json::from_value(json!({ "metadata": metadata, "spec": { "selector": {} } })).unwrap();
        State {
            deployments: [("web".to_owned(), deployment)].into(),
            replica_sets: [("web-1".to_owned(), set)].into(),
            pods: pods.iter().map(|pod| (pod.name_any(), pod.clone())).collect(),
            ..State::default()
        }
    }

    fn pod(name: &str, phase: &str, ready: &str) -> Pod {
        let owner =
            json!([{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "s", "controller": true }]);
        serde_json::from_value(json!({
            "metadata": { "name": name, "ownerReferences": owner },
            "status": { "phase": phase, "conditions": [{ "type": "Ready", "status": ready }] },
        }))
        .unwrap()
    }

    #[test]
    fn a_daemon_set_has_a_ready_pod_on_each_node_that_it_selects() {
        let set = |selected: i32, ready: i32| -> State {
            let status = json!({ "observedGeneration": 1, "desiredNumberScheduled": selected, "numberReady": ready,
                "updatedNumberScheduled": ready, "numberAvailable": ready, "currentNumberScheduled": ready, "numberMisscheduled": 0 });
            let set = json!({ "metadata": { "name": "agent", "generation": 1 }, "spec": { "selector": {}, "template": {} }, "status": status });
            let mut pod = pod("agent-a", "Running", if ready > 0 { "True" } else { "False" });
            let owner = json!([{ "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "d", "controller": true }]);
            pod.metadata.owner_references = serde_json::from_value(owner).unwrap();
            State {
                daemon_sets: [("agent".to_owned(), serde_json::from_value(set).unwrap())].into(),
                pods: [("agent-a".to_owned(), pod)].into(),
                ..State::default()
            }
        };
        let ready = |state: &State| all_ready(state, ("DaemonSet", "agent"), None);
        ready(&set(1, 1)).unwrap();
        assert_eq!(ready(&set(1, 0)).unwrap_err(), "agent-a Running; 0/1 ready");
        assert_eq!(ready(&set(2, 1)).unwrap_err(), "1/2 ready");
        assert_eq!(ready(&set(0, 0)).unwrap_err(), "DaemonSet/agent selects no node");
        assert_eq!(ready(&State::default()).unwrap_err(), "there is no DaemonSet/agent");
    }

    #[test]
    fn an_evicted_pod_does_not_count_as_a_replica() {
        let settled = |pods: &[Pod]| all_ready(&state(pods), ("Deployment", "web"), Some(1));
        let (ready, evicted) = (pod("web-1-b", "Running", "True"), pod("web-1-a", "Failed", "False"));
        settled(std::slice::from_ref(&ready)).unwrap();
        settled(&[evicted.clone(), ready.clone()]).unwrap();
        assert_eq!(settled(&[evicted]).unwrap_err(), "0/1 ready");
        let other = settled(&[ready, pod("web-1-c", "Running", "False")]).unwrap_err();
        assert_eq!(other, "web-1-c Running; 1/1 ready");
    }
}
