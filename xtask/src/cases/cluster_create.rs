//! `cluster::create`: the cluster exists, its API responds, and if it has several nodes, all of them accept pods. Pods
//! that are created earlier would all run on the first ready node.

use std::time::{Duration, Instant};

use anyhow::bail;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::ListParams;

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use crate::run::Live;
use kubernetes::call;
use kubernetes::unrecoverable::NodeProblem;
use suite::CaseKind;

/// The interval at which the nodes are checked.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long to wait for the nodes of an existing cluster, since one may be down for good.
const EXISTING_MAX: Duration = Duration::from_secs(60);

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "create",
        summary: "the cluster exists, its API responds, and if it has several nodes, all of them accept pods",
        group: Some("cluster"),
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    cx.run.create_cluster().await?;
    let live = cx.run.live()?;
    let version = live.client.apiserver_version().await?;
    let several = several_ready(cx, live).await?;
    Ok(format!("kubernetes {}{several}", version.git_version))
}

/// Waits until each of several nodes is ready. A single node needs no wait: images are loaded meanwhile, and pods
/// start as soon as it is ready.
async fn several_ready(cx: &CaseContext, live: &Live) -> anyhow::Result<String> {
    let listed = call("listing the nodes", Api::<Node>::all(live.client.clone()).list(&ListParams::default())).await;
    let count = match listed {
        Ok(listed) => listed.items.len(),
        // On an existing cluster, listing nodes may be forbidden.
        Err(error) if cx.run.cluster.is_existing() => {
            cx.run.events.note(format!("the nodes of the cluster are unknown: {error:#}"));
            return Ok(String::new());
        }
        Err(error) => return Err(error),
    };
    if count < 2 {
        return Ok(String::new());
    }
    let began = Instant::now();
    loop {
        let unready = live.nodes.unready();
        if live.nodes.count() >= count && unready.is_empty() {
            return Ok(format!(", {count} nodes ready"));
        }
        let words = unready.iter().map(|trouble| trouble.sentence.as_str()).collect::<Vec<_>>().join("; ");
        cx.wait.waiting(format!("{count} nodes ready: {words}"));
        if cx.run.cluster.is_existing() {
            if began.elapsed() >= EXISTING_MAX {
                cx.run.events.note(format!("replicas may not spread: {words}"));
                return Ok(String::new());
            }
        } else if is_unrecoverable(&unready, began) || cx.wait.left().is_zero() {
            bail!("{words}; {} of {count} nodes are ready", count.saturating_sub(unready.len()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether one of the nodes has exceeded its time limit.
fn is_unrecoverable(unready: &[NodeProblem], began: Instant) -> bool {
    unready.iter().filter_map(|trouble| trouble.final_after).any(|limit| began.elapsed() >= limit)
}
