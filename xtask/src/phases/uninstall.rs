//! `uninstall`: `helm uninstall` leaves nothing behind but claims.

use kube::api::{Api, DynamicObject, ListParams};
use kube::core::discovery::verbs;
use kube::discovery::{Discovery, Scope};
use kube::{ResourceExt, core::ApiResource};

use super::context::Cx;
use crate::kubernetes::call;
use crate::stage::Stage;

/// Kinds that stay on purpose, or that nobody asked for.
const STAY: [&str; 5] = ["PersistentVolumeClaim", "Event", "Lease", "PodMetrics", "LocalSubjectAccessReview"];
/// Objects that every namespace has.
const ALWAYS: [(&str, &str); 2] = [("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")];

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let stage = cx.stage()?;
    let claims = stage.watch.state().claims.len();
    stage.helm.cmd("uninstall").timeout(cx.wait.left()).run().await?;
    let set = stage.suite.workload.stateful_set.clone();
    cx.wait
        .until(&stage.watch, "every replica gone", |state| match state.replicas(&set).len() {
            0 => Ok(()),
            left => Err(format!("{left} left")),
        })
        .await?;
    let kinds = listable(&stage).await?;
    let gone = async || match left(&stage, &kinds).await {
        Ok(left) if left.is_empty() => Ok(()),
        Ok(left) => Err(left.join(", ")),
        Err(error) => Err(format!("{error:#}")),
    };
    cx.wait.ask_until(&stage.watch, "nothing left but claims", gone).await?;
    let kept = stage.watch.state().claims.len();
    anyhow::ensure!(kept == claims, "{claims} claims were there, {kept} are left: their data is gone");
    Ok(format!("{kept} claims kept"))
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

async fn left(stage: &Stage, kinds: &[ApiResource]) -> anyhow::Result<Vec<String>> {
    let lists = kinds.iter().map(async |kind| {
        let api: Api<DynamicObject> = Api::namespaced_with(stage.client.clone(), stage.namespace(), kind);
        let found = call(&format!("listing {}", kind.plural), api.list_metadata(&ListParams::default())).await?;
        // helm does not count what its hooks made as part of the release, and leaves it.
        let released = found.items.iter().filter(|object| !object.annotations().contains_key("helm.sh/hook"));
        let ours =
            released.map(ResourceExt::name_any).filter(|name| !ALWAYS.contains(&(kind.kind.as_str(), name.as_str())));
        anyhow::Ok(ours.map(|name| format!("{}/{name}", kind.kind)).collect::<Vec<_>>())
    });
    Ok(futures::future::try_join_all(lists).await?.concat())
}
