//! What several phases wait for: every Deployment and `StatefulSet` of a release runs its current revision and is ready.

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::{Api, Client};

use super::context::Cx;
use super::running_image;
use crate::kubernetes::call;
use crate::kubernetes::watch::State;
use crate::placed::Placed;

/// A workload, and the change of its spec that is to be rolled out at least.
struct Written<'a> {
    kind: &'a str,
    name: &'a str,
    generation: Option<i64>,
}

/// Waits until every workload of a release is rolled out as it is when this begins.
///
/// # Errors
/// Where that does not come about in the case's time, or can't any more, or another image runs than was loaded.
pub async fn rolled_out(cx: &Cx, placed: &Placed) -> anyhow::Result<()> {
    let client = &cx.run.live()?.client;
    let written = placed.workloads().into_iter().map(|(kind, name)| async move {
        let generation = generation(client, placed.watch.namespace(), kind, name).await?;
        anyhow::Ok(Written { kind, name, generation })
    });
    let written = try_join_all(written).await?;
    let what = format!("release {} rolled out", placed.release.key());
    cx.wait.until(&placed.watch, &what, |state| all_rolled_out(state, &written)).await?;
    running_image::of_pods(cx, &placed.pods()).await
}

/// Asked for: the watch may not have seen yet what helm wrote. None where the workload is not there.
async fn generation(client: &Client, namespace: &str, kind: &str, name: &str) -> anyhow::Result<Option<i64>> {
    let told = format!("getting {kind}/{name}");
    let (sets, deployments) = (
        Api::<StatefulSet>::namespaced(client.clone(), namespace),
        Api::<Deployment>::namespaced(client.clone(), namespace),
    );
    Ok(match kind {
        "StatefulSet" => call(&told, sets.get_opt(name)).await?.and_then(|set| set.metadata.generation),
        _ => call(&told, deployments.get_opt(name)).await?.and_then(|deployment| deployment.metadata.generation),
    })
}

fn all_rolled_out(state: &State, written: &[Written<'_>]) -> Result<(), String> {
    let open = written.iter().filter_map(|Written { kind, name, generation }| {
        let Some(rollout) = state.rollout(kind, name) else { return Some(format!("{kind}/{name} is not there")) };
        let done = rollout.done && rollout.generation >= *generation;
        (!done).then(|| format!("{kind}/{name} {}/{} ready", rollout.ready, rollout.wanted))
    });
    let open: Vec<_> = open.collect();
    if open.is_empty() { Ok(()) } else { Err(open.join("; ")) }
}
