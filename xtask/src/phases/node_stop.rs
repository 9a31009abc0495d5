//! `node_stop`: a worker node that runs a replica stops under load, and comes back. Where there is one node, nothing is
//! checked.

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, ResourceExt};

use super::context::{Cx, NotApplicable};
use super::disturb::Disturbance;
use crate::cluster::lease::Change;
use crate::kubernetes::watch::State;
use crate::kubernetes::{call, objects};
use crate::stage::Stage;
use crate::workload::inside;

/// A control plane's label: the API would go with it.
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let (stage, replicas) = (cx.stage()?, cx.replicas()?);
    let node = worker(&stage).await?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    let before = on(&stage, &node);
    let fault = disturbance.recorder.fault(format!("stop Node/{node}"));
    if !cx.make(Change::NodeStopped(node.clone())).await? {
        return Err(NotApplicable(format!("nothing reaches the machines of {}", cx.run.cluster.name())).into());
    }
    let stopped_ns = disturbance.recorder.now_ns();
    let went_on =
        if replicas > 2 { disturbance.acknowledged(stopped_ns, 1, "while the node is down").await } else { Ok(()) };
    cx.undo_changes().await?;
    went_on?;
    let what = format!("what ran on Node/{node} has started again");
    let started = |state: &State| {
        let same = before.iter().find(|old| state.pods.get(&old.name_any()).is_none_or(|now| life(now) == life(old)));
        same.map_or(Ok(()), |old| Err(format!("Pod/{} has not", old.name_any())))
    };
    cx.wait.until(&stage.watch, &what, started).await?;
    disturbance.settled_again(fault).await?;
    // All that ran there has restarted, once or more.
    disturbance.restarts.forget();
    disturbance.recorder.evidence(fault, format!("{} pods on it started again", before.len()));
    disturbance.end().await
}

/// A worker that runs a replica.
async fn worker(stage: &Stage) -> anyhow::Result<String> {
    let nodes: Api<Node> = Api::all(stage.client.clone());
    let nodes = call("listing the nodes", nodes.list(&kube::api::ListParams::default())).await?.items;
    if nodes.len() < 2 {
        return Err(NotApplicable("the cluster has one node, several are needed to stop one".to_owned()).into());
    }
    let workers = nodes.iter().filter(|node| !node.labels().contains_key(CONTROL_PLANE)).map(ResourceExt::name_any);
    let replicas = stage.topology.replicas as usize;
    // The rest has to be able to go on, where there is a rest.
    let may_go = |count: usize| count > 0 && (replicas < 3 || 2 * count < replicas);
    let found = workers.into_iter().find(|node| may_go(on(stage, node).len()) && !runs_client(stage, node));
    found.ok_or_else(|| {
        let why = "no worker node runs replicas, fewer than half of them, and not the client in the cluster";
        NotApplicable(why.to_owned()).into()
    })
}

/// The replicas on a node.
fn on(stage: &Stage, node: &str) -> Vec<Pod> {
    stage.replicas().into_iter().filter(|pod| node_of(pod) == Some(node)).collect()
}

fn runs_client(stage: &Stage, node: &str) -> bool {
    stage.pod(inside::POD).is_some_and(|pod| node_of(&pod) == Some(node))
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

/// What changes when a pod's containers start anew.
fn life(pod: &Pod) -> (Option<String>, i32) {
    (pod.uid(), objects::containers(pod).map(|status| status.restart_count).sum())
}
