//! `node_stop`: a worker node that runs replicas stops under load and comes back. On a single node, nothing is
//! checked.

use std::collections::BTreeSet;

use futures::FutureExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::ready;
use super::support::case::{Case, Conclusion};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::placement::{self, Placement};
use crate::deployed_topology::DeployedTopology;
use crate::workload::inside;
use cluster::NotApplicable;
use cluster::lease::Change;
use kubernetes::watch::State;
use kubernetes::{call, objects};
use suite::CaseKind;

/// The label of control planes, which must not stop, since they run the API server.
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "node_stop",
        summary: "a worker node that runs fewer than half of three or more replicas stops and comes back; the client \
                  pod is moved off it first. Not applicable on a single node or without such a worker; the line then \
                  says which node each replica is on",
        needs: &[&ready::CASE.kind],
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| run(cx).boxed_local(),
};

async fn run(cx: &CaseContext) -> anyhow::Result<Conclusion> {
    let (deployed, replicas) = (cx.deployed()?, cx.replicas()?);
    let nodes = nodes(&deployed).await?;
    let node = match worker(&deployed, &nodes) {
        Ok(node) => node,
        Err(why) => return Ok(Conclusion::NotApplicable(why)),
    };
    let disturbance = match cx.run.client_image().filter(|_| takes_client(&nodes, &node)) {
        Some(image) => {
            inside::keep_off((&deployed, &cx.wait), image, &node).await?;
            Disturbance::begin(cx, replicas).await?
        }
        None => Disturbance::begin_outside(cx, replicas).await?,
    };
    let before = on(&deployed, &node);
    let fault = disturbance.recorder.fault(format!("stop Node/{node}"));
    if let Err(NotApplicable(why)) = cx.make(Change::NodeStopped(node.clone())).await? {
        return Ok(Conclusion::NotApplicable(why));
    }
    let stopped_ns = disturbance.recorder.now_ns();
    let kept_working =
        if replicas > 2 { disturbance.acknowledged(stopped_ns, 1, "while the node is down").await } else { Ok(()) };
    cx.undo_changes().await?;
    kept_working?;
    let what = format!("the pods on Node/{node} have started again");
    let started = |state: &State| {
        let same = before.iter().find(|old| state.pods.get(&old.name_any()).is_none_or(|now| life(now) == life(old)));
        same.map_or(Ok(()), |old| Err(format!("Pod/{} has not", old.name_any())))
    };
    cx.wait.until(&deployed.watch, &what, started).await?;
    disturbance.settled_again(fault).await?;
    // All pods on the node have restarted, possibly several times.
    disturbance.restarts.forget();
    disturbance.recorder.evidence(fault, format!("{} pods on it started again", before.len()));
    disturbance.end().await.map(Conclusion::Passed)
}

pub(super) async fn nodes(deployed: &DeployedTopology) -> anyhow::Result<Vec<Node>> {
    let nodes: Api<Node> = Api::all(deployed.client.clone());
    Ok(call("listing the nodes", nodes.list(&ListParams::default())).await?.items)
}

/// Whether a node other than the one that stops can run the client in the cluster, which also tolerates control
/// planes.
pub(super) fn takes_client(nodes: &[Node], stopped: &str) -> bool {
    let is_closed = |node: &Node| node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
    nodes.iter().any(|node| node.name_any() != stopped && !is_closed(node))
}

/// Returns the worker to stop, or why there is none.
pub(super) fn worker(deployed: &DeployedTopology, nodes: &[Node]) -> Result<String, String> {
    if nodes.len() < 2 {
        return Err("the cluster has only one node".to_owned());
    }
    let is_worker = |node: &&Node| !node.labels().contains_key(CONTROL_PLANE);
    let workers = nodes.iter().filter(is_worker).map(ResourceExt::name_any).collect();
    let placement = placement::of(&deployed.replicas());
    choose(&workers, &placement, deployed.wanted() as usize)
}

/// Returns the worker with the fewest replicas, if the other replicas can keep working without it.
fn choose(workers: &BTreeSet<String>, placement: &Placement, replicas: usize) -> Result<String, String> {
    // With three or more replicas, the others must be able to keep working.
    let may_go = |count: usize| replicas < 3 || 2 * count < replicas;
    let running = placement.iter().filter(|(node, pods)| workers.contains(*node) && may_go(pods.len()));
    let found = running.min_by_key(|(_, pods)| pods.len()).map(|(node, _)| node.clone());
    found.ok_or_else(|| {
        let runs = if replicas < 3 { "runs replicas" } else { "runs between one and fewer than half of the replicas" };
        format!("no worker node {runs}: {}", placement::describe(placement))
    })
}

/// Returns the replicas on a node.
pub(super) fn on(deployed: &DeployedTopology, node: &str) -> Vec<Pod> {
    deployed.replicas().into_iter().filter(|pod| objects::node(pod) == Some(node)).collect()
}

/// Returns what changes when a pod's containers start again.
fn life(pod: &Pod) -> (Option<String>, i32) {
    (pod.uid(), objects::containers(pod).map(|status| status.restart_count).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers(count: usize) -> BTreeSet<String> {
        (1..=count).map(|number| format!("worker{number}")).collect()
    }

    /// Returns every way to place these replicas on `count` workers.
    fn placements(replicas: usize, count: usize) -> Vec<Placement> {
        let all = 0..count.pow(u32::try_from(replicas).unwrap());
        let place = |mut code: usize| {
            let mut placement = Placement::new();
            for ordinal in 0..replicas {
                placement.entry(format!("worker{}", code % count + 1)).or_default().push(format!("caesium-{ordinal}"));
                code /= count;
            }
            placement
        };
        all.map(place).collect()
    }

    #[test]
    fn three_replicas_on_several_of_the_workers_always_leave_one_that_may_stop() {
        for (count, spread) in [(2, 6), (3, 24)] {
            let all = placements(3, count);
            let (spread_out, together): (Vec<_>, Vec<_>) = all.iter().partition(|placement| placement.len() > 1);
            assert_eq!((spread_out.len(), together.len()), (spread, count));
            for placement in spread_out {
                let node = choose(&workers(count), placement, 3).unwrap();
                assert_eq!(placement[&node].len(), 1, "{placement:?}");
            }
            for placement in together {
                choose(&workers(count), placement, 3).unwrap_err();
            }
        }
    }

    #[test]
    fn a_quorum_remains_and_control_planes_are_never_stopped() {
        let placement = |pods: &[(&str, &str)]| {
            let mut placement = Placement::new();
            for (node, pod) in pods {
                placement.entry((*node).to_owned()).or_default().push((*pod).to_owned());
            }
            placement
        };
        let one = placement(&[("worker1", "web-0")]);
        assert_eq!(choose(&workers(2), &one, 1).unwrap(), "worker1", "nothing must keep working without it");
        let four = placement(&[("worker1", "w-0"), ("worker1", "w-1"), ("worker2", "w-2"), ("worker2", "w-3")]);
        choose(&workers(2), &four, 4).unwrap_err();
        let with_control_plane = placement(&[("control-plane", "w-0"), ("worker1", "w-1"), ("worker1", "w-2")]);
        let error = "no worker node runs between one and fewer than half of the replicas: w-0 on Node/control-plane; w-1, \
                     w-2 on Node/worker1";
        assert_eq!(choose(&workers(2), &with_control_plane, 3).unwrap_err(), error);
        assert_eq!(
            choose(&workers(2), &Placement::new(), 1).unwrap_err(),
            "no worker node runs replicas: no replica has a node"
        );
    }
}
