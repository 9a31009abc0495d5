//! `container_kill`: the application's container is killed under load, and restarts in its pod with the same IP.

use anyhow::{Context as _, ensure};
use futures::FutureExt;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use super::ready;
use super::support::case::{Case, Conclusion};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::settled;
use crate::deployed_topology::DeployedTopology;
use cluster::RunningContainer;
use kubernetes::objects;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "container_kill",
        summary: "the leader's container is killed on its node, and restarts in its pod with the same IP",
        needs: &[&ready::CASE.kind],
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| run(cx).boxed_local(),
};

async fn run(cx: &CaseContext) -> anyhow::Result<Conclusion> {
    let replicas = cx.replicas()?;
    let disturbance = Disturbance::begin(cx, replicas).await?;
    let deployed = disturbance.deployed.clone();
    let leader = settled::leader(&deployed).await;
    // The leader's container hurts most; if no leader is reported, any container will do.
    let name = leader.clone().or_else(|| deployed.names(replicas).pop()).unwrap_or_default();
    let before = deployed.pod(&name).with_context(|| format!("Pod/{name} does not exist"))?;
    let (victim, restarts) = victim(&deployed, &before)?;
    disturbance.restarts.allow(&victim.pod_uid, &victim.container);
    let which = if leader.is_some() { "the leader's" } else { "a replica's" };
    let fault = disturbance.recorder.fault(format!("kill container {} of Pod/{name} ({which})", victim.container));
    if !cx.run.cluster.kill_container(&victim).await? {
        let why = format!("the container runtime on the nodes of {} can't be reached", cx.run.cluster.name());
        return Ok(Conclusion::NotApplicable(why));
    }
    restarted(cx, &deployed, &name, &victim.container, restarts).await?;
    disturbance.settled_again(fault).await?;
    let after = deployed.pod(&name).with_context(|| format!("Pod/{name} is gone"))?;
    ensure!(after.uid() == before.uid(), "Pod/{name} was replaced, but a killed container should restart in its pod");
    let kept = (objects::ip(&before), objects::ip(&after));
    ensure!(kept.0 == kept.1, "Pod/{name} has another IP after its container restarted: {kept:?}");
    let now = status(&deployed, &after).map_or(0, |status| status.restart_count);
    disturbance.recorder.evidence(fault, format!("restartCount {restarts} → {now}, same UID"));
    disturbance.read_back().await?;
    disturbance.end().await.map(Conclusion::Passed)
}

/// Returns the application's container in a pod, and its restart count.
fn victim(deployed: &DeployedTopology, pod: &Pod) -> anyhow::Result<(RunningContainer, i32)> {
    let missing = || format!("Pod/{} has no running container of the application", pod.name_any());
    let status = status(deployed, pod).with_context(missing)?;
    let victim = RunningContainer {
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).with_context(missing)?,
        pod_uid: pod.uid().with_context(missing)?,
        container: status.name.clone(),
        id: status.container_id.clone().with_context(missing)?,
    };
    Ok((victim, status.restart_count))
}

fn status(deployed: &DeployedTopology, pod: &Pod) -> Option<ContainerStatus> {
    let container = &deployed.tested.as_ref()?.container;
    objects::containers(pod).find(|status| status.name == *container).cloned()
}

/// Waits until the container has restarted.
async fn restarted(
    cx: &CaseContext,
    deployed: &DeployedTopology,
    pod: &str,
    container: &str,
    restarts: i32,
) -> anyhow::Result<()> {
    let what = format!("container {container} of Pod/{pod} restarted");
    cx.wait
        .until(&deployed.watch, &what, |state| {
            let pod = state.pods.get(pod).ok_or("its pod is gone")?;
            let status = objects::containers(pod).find(|status| status.name == container);
            if status.is_some_and(|status| status.restart_count > restarts) {
                return Ok(());
            }
            Err(objects::pod_line(pod))
        })
        .await
}
