//! `uninstall`: `helm uninstall` leaves nothing behind but claims.

use kube::ResourceExt;
use kube::core::PartialObjectMeta;

use super::context::Cx;
use crate::kubernetes::contents::{self, Kinds};
use crate::kubernetes::objects;
use crate::kubernetes::watch::Watch;
use crate::placed::Placed;
use crate::stage::Stage;
use crate::workload::inside;

/// Kinds that stay on purpose, or that nobody asked for.
const STAY: [&str; 5] = ["PersistentVolumeClaim", "Event", "Lease", "PodMetrics", "LocalSubjectAccessReview"];
/// Objects that every namespace has.
const ALWAYS: [(&str, &str); 2] = [("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")];

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let stage = cx.stage()?;
    let before = claims(&stage);
    inside::remove(&stage).await?;
    for placed in stage.releases.iter().rev() {
        placed.helm.cmd("uninstall").timeout(cx.wait.left()).run().await?;
    }
    let mut kinds = Kinds::default();
    for watch in stage.watches() {
        gone(cx, &stage, &watch, &mut kinds).await?;
    }
    let kept = claims(&stage);
    anyhow::ensure!(kept == before, "{before} claims were there, {kept} are left: their data is gone");
    Ok(format!("{kept} claims kept{}", not_looked_for(&kinds)))
}

fn claims(stage: &Stage) -> usize {
    stage.watches().iter().map(|watch| watch.state().claims.len()).sum()
}

/// Waits until a namespace holds nothing but what stays.
async fn gone(cx: &Cx, stage: &Stage, watch: &Watch, kinds: &mut Kinds) -> anyhow::Result<()> {
    let gone = async || match left(stage, watch.namespace(), kinds).await {
        Ok(left) if left.is_empty() => Ok(()),
        Ok(left) => Err(left.join(", ")),
        Err(error) => {
            // A group may have become unavailable since: asked for again.
            *kinds = Kinds::default();
            Err(format!("{error:#}"))
        }
    };
    cx.wait.ask_until(watch, "nothing left but claims", gone).await
}

/// Every kind of which nothing may be left.
async fn kinds(stage: &Stage) -> anyhow::Result<Kinds> {
    let mut kinds = contents::kinds(&stage.client).await?;
    kinds.listable.retain(|kind| !STAY.contains(&kind.kind.as_str()));
    Ok(kinds)
}

/// The kinds that nobody serves now, and that are not looked for therefore.
fn not_looked_for(kinds: &Kinds) -> String {
    match kinds.unavailable.join(", ") {
        none if none.is_empty() => none,
        groups => format!("; not looked for, since the cluster does not serve it now: {groups}"),
    }
}

async fn left(stage: &Stage, namespace: &str, known: &mut Kinds) -> anyhow::Result<Vec<String>> {
    if known.listable.is_empty() {
        *known = kinds(stage).await?;
    }
    // The suite's Secrets were there before the releases.
    let secrets: Vec<_> = stage.suite.secrets.iter().map(|secret| secret.name.as_str()).collect();
    let hooks: Vec<_> = stage.releases.iter().flat_map(Placed::all_hook_jobs).collect();
    let lists = known.listable.iter().map(async |kind| {
        let found = contents::list(&stage.client, namespace, kind).await?;
        // helm does not count what its hooks made as part of the release, and leaves it.
        let hook = |object: &PartialObjectMeta<_>| {
            let owner = objects::controller(object, "Job");
            object.annotations().contains_key("helm.sh/hook") || owner.is_some_and(|job| hooks.contains(&job))
        };
        let ours = found.iter().filter(|object| {
            let name = object.name_any();
            let secret = kind.kind == "Secret" && secrets.contains(&name.as_str());
            !(secret || ALWAYS.contains(&(kind.kind.as_str(), name.as_str())) || hook(object))
        });
        anyhow::Ok(ours.map(|object| contents::line(kind, object)).collect::<Vec<_>>())
    });
    Ok(futures::future::try_join_all(lists).await?.concat())
}
