//! Kills a pod, and sees to it that it really happened.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};

use super::context::Cx;
use super::settled;
use crate::kubernetes::{call, objects};
use crate::stage::Stage;
use crate::workload::recorder::Recorder;

/// How a pod is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// At once, as a node that goes down would.
    None,
    /// As the pod's spec says.
    Default,
}

/// A pod that was killed.
pub struct Killed {
    /// As it was before.
    pub before: Pod,
    /// The fault's number in the recorder.
    pub fault: usize,
}

/// Deletes a pod; the one that is meant, and no other that has its name by now.
///
/// # Errors
/// Where it is not there, or the API server refuses.
pub async fn kill(stage: &Stage, recorder: &Recorder, name: &str, grace: Grace, why: &str) -> anyhow::Result<Killed> {
    let before = stage.pod(name).with_context(|| format!("Pod/{name} is not there to be killed"))?;
    let seconds = if grace == Grace::None { Some(0) } else { None };
    let told = if grace == Grace::None { "grace 0" } else { "its own grace" };
    let fault = recorder.fault(format!("delete Pod/{name} ({why}), {told}"));
    let only = Preconditions { uid: before.uid(), resource_version: None };
    let params = DeleteParams { grace_period_seconds: seconds, preconditions: Some(only), ..DeleteParams::default() };
    call(&format!("deleting Pod/{name}"), stage.pods().delete(name, &params)).await?;
    Ok(Killed { before, fault })
}

/// Waits until the pod's successor is there and everything is ready and agreed again.
///
/// # Errors
/// Where that does not come about in the case's time.
pub async fn recovered(
    cx: &Cx,
    stage: &Stage,
    recorder: &Recorder,
    killed: &Killed,
    replicas: u32,
) -> anyhow::Result<()> {
    let name = killed.before.name_any();
    let old = killed.before.uid();
    let after = cx
        .wait
        .until(&stage.watch, &format!("a successor of Pod/{name}"), |state| match state.pods.get(&name) {
            Some(pod) if pod.uid() != old => Ok(pod.clone()),
            Some(pod) => Err(objects::pod_line(pod)),
            None => Err("gone, no successor yet".to_owned()),
        })
        .await?;
    settled::settled(cx, stage, replicas).await?;
    recorder.recovered(killed.fault);
    let after = stage.pod(&name).unwrap_or(after);
    recorder.evidence(killed.fault, difference(&killed.before, &after));
    Ok(())
}

/// What shows that one pod is not the other.
fn difference(before: &Pod, after: &Pod) -> String {
    let uid = |pod: &Pod| pod.uid().unwrap_or_default();
    let ip = |pod: &Pod| objects::ip(pod).unwrap_or("none").to_owned();
    format!("UID {} → {}, IP {} → {}", uid(before), uid(after), ip(before), ip(after))
}
