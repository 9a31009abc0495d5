//! `container_kill`: the application's container is killed under load, and restarts in its pod with the same IP.

use anyhow::{Context as _, ensure};
use futures::FutureExt;
use kube::ResourceExt;

use super::ready;
use super::support::case::{Case, Conclusion};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::victim::Victim;
use crate::deployed_topology::DeployedTopology;
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
    let victim = Victim::leader_or_any(&deployed, replicas).await?;
    let (name, before, container) = (victim.name(), &victim.pod, &victim.container);
    disturbance.restarts.allow(&container.pod_uid, &container.container);
    let what = format!("kill container {} of Pod/{name} ({})", container.container, victim.role());
    let fault = disturbance.recorder.fault(what);
    if !cx.run.cluster.kill_container(container).await? {
        let why = format!("the container runtime on the nodes of {} can't be reached", cx.run.cluster.name());
        return Ok(Conclusion::NotApplicable(why));
    }
    restarted(cx, &deployed, &victim).await?;
    disturbance.settled_again(fault).await?;
    let after = deployed.pod(&name).with_context(|| format!("Pod/{name} is gone"))?;
    ensure!(after.uid() == before.uid(), "Pod/{name} was replaced, but a killed container should restart in its pod");
    let kept = (objects::ip(before), objects::ip(&after));
    ensure!(kept.0 == kept.1, "Pod/{name} has another IP after its container restarted: {kept:?}");
    let now = victim.restarts_now(&deployed).unwrap_or(0);
    disturbance.recorder.evidence(fault, format!("restartCount {} → {now}, same UID", victim.restarts));
    disturbance.read_back().await?;
    disturbance.end().await.map(Conclusion::Passed)
}

/// Waits until the container has restarted.
async fn restarted(cx: &CaseContext, deployed: &DeployedTopology, victim: &Victim) -> anyhow::Result<()> {
    let (pod, container) = (victim.name(), &victim.container.container);
    let what = format!("container {container} of Pod/{pod} restarted");
    cx.wait
        .until(&deployed.watch, &what, |state| {
            let pod = state.pods.get(&pod).ok_or("its pod is gone")?;
            let status = objects::containers(pod).find(|status| status.name == *container);
            if status.is_some_and(|status| status.restart_count > victim.restarts) {
                return Ok(());
            }
            Err(objects::pod_line(pod))
        })
        .await
}
