//! `uninstall`: `helm uninstall` leaves nothing behind but claims.

use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::discovery::verbs;
use kube::core::{ApiResource, PartialObjectMeta};
use kube::discovery::{Discovery, Scope};

use super::context::Cx;
use crate::kubernetes::watch::Watch;
use crate::kubernetes::{call, objects};
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
    let kinds = listable(&stage).await?;
    for watch in stage.watches() {
        gone(cx, &stage, &watch, &kinds).await?;
    }
    let kept = claims(&stage);
    anyhow::ensure!(kept == before, "{before} claims were there, {kept} are left: their data is gone");
    Ok(format!("{kept} claims kept"))
}

fn claims(stage: &Stage) -> usize {
    stage.watches().iter().map(|watch| watch.state().claims.len()).sum()
}

/// Waits until a namespace holds nothing but what stays.
async fn gone(cx: &Cx, stage: &Stage, watch: &Watch, kinds: &[ApiResource]) -> anyhow::Result<()> {
    let gone = async || match left(stage, watch.namespace(), kinds).await {
        Ok(left) if left.is_empty() => Ok(()),
        Ok(left) => Err(left.join(", ")),
        Err(error) => Err(format!("{error:#}")),
    };
    cx.wait.ask_until(watch, "nothing left but claims", gone).await
}

/// Every kind that a namespace can hold.
async fn listable(stage: &Stage) -> anyhow::Result<Vec<ApiResource>> {
    let discovery = call("asking for the kinds of the api", Discovery::new(stage.client.clone()).run()).await?;
    let kinds = discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources);
    let kept = kinds.filter(|(kind, can)| {
        can.scope == Scope::Namespaced && can.supports_operation(verbs::LIST) && !STAY.contains(&kind.kind.as_str())
    });
    Ok(kept.map(|(kind, _)| kind).collect())
}

async fn left(stage: &Stage, namespace: &str, kinds: &[ApiResource]) -> anyhow::Result<Vec<String>> {
    // The suite's Secrets were there before the releases.
    let secrets: Vec<_> = stage.suite.secrets.iter().map(|secret| secret.name.as_str()).collect();
    let hooks: Vec<_> = stage.releases.iter().flat_map(Placed::all_hook_jobs).collect();
    let lists = kinds.iter().map(async |kind| {
        let api: Api<DynamicObject> = Api::namespaced_with(stage.client.clone(), namespace, kind);
        let found = call(&format!("listing {}", kind.plural), api.list_metadata(&ListParams::default())).await?;
        // helm does not count what its hooks made as part of the release, and leaves it.
        let hook = |object: &&PartialObjectMeta<_>| {
            let owner = objects::controller(*object, "Job");
            object.annotations().contains_key("helm.sh/hook") || owner.is_some_and(|job| hooks.contains(&job))
        };
        let released = found.items.iter().filter(|object| !hook(object));
        let ours = released.map(ResourceExt::name_any).filter(|name| {
            let known = (kind.kind.as_str(), name.as_str());
            let secret = kind.kind == "Secret" && secrets.contains(&name.as_str());
            !(secret || ALWAYS.contains(&known))
        });
        anyhow::Ok(ours.map(|name| format!("{}/{name}", kind.kind)).collect::<Vec<_>>())
    });
    Ok(futures::future::try_join_all(lists).await?.concat())
}
