//! `install`: creates the topology's namespaces and Secrets, and installs its releases, each as soon as the releases
//! that it needs are ready.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use tokio::sync::watch;

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::{beginning, outside, rolled_out};
use super::{cluster_create, images_load};
use crate::deployed_release::DeployedRelease;
use crate::deployed_topology::{self, DeployedTopology};
use kubernetes::baseline::Baseline;
use kubernetes::wait::WaitFailed;
use kubernetes::watch::Watch;
use kubernetes::{call, contents};
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "install",
        summary: "the API server accepts the release in a namespace that enforces the `pod_security` level",
        needs: &[&cluster_create::CASE.kind, &images_load::CASE.kind],
        keeps_replicas: false,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = create_namespaces(cx).await?;
    for secret in &deployed.suite.secrets {
        for part in &secret.namespaces {
            create_secret(cx, part, &secret.name, &secret.data).await?;
        }
    }
    let ready = watch::Sender::new(BTreeSet::new());
    try_join_all(deployed.releases.iter().map(|deployed_release| install(cx, &deployed, deployed_release, &ready)))
        .await?;
    Ok(format!("namespace {}{}", deployed.namespace(), beginning::note(cx)?))
}

/// Creates the namespaces, and starts to watch them.
async fn create_namespaces(cx: &CaseContext) -> anyhow::Result<Arc<DeployedTopology>> {
    let (variant, live) = (cx.variant()?, cx.run.live()?);
    let namespaces = variant.namespaces(&cx.run.id);
    let mut watches = BTreeMap::new();
    for (part, namespace) in &namespaces.0 {
        let level = variant.suite.pod_security(&variant.topology, part);
        deployed_topology::create_namespace(&live.client, namespace, &cx.run.id, level, variant.disks_can_fail())
            .await?;
        watches.insert(part.clone(), Watch::start(&live.client, namespace, cx.run.events.clone()).on(&live.nodes));
    }
    let baselines = baselines(cx, &live.client, namespaces.0.values()).await;
    let rendered = cx.run.render_for_cluster(variant).await?;
    let releases = variant.suite.releases.iter().zip(rendered.iter()).map(|(release, objects)| {
        let watch = watches[&release.namespace].clone();
        let helm = live.helm(&cx.run, &release.name, watch.namespace());
        let values = cx.run.values(variant, release)?;
        let chart = cx.run.charts.folder(&release.source);
        Ok(DeployedRelease { release: release.clone(), chart, helm, values, watch, objects: objects.clone() })
    });
    let folder = cx.run.folder.join(variant.label());
    let releases = releases.collect::<anyhow::Result<_>>()?;
    let deployed = DeployedTopology::new(variant, live.client.clone(), releases, baselines, folder)?;
    Ok(cx.run.add_deployed(cx.variant, deployed))
}

/// Returns the content of the new namespaces. If it can't be listed, `uninstall` compares with an empty namespace.
async fn baselines(
    cx: &CaseContext,
    client: &kube::Client,
    namespaces: impl Iterator<Item = &String>,
) -> BTreeMap<String, Baseline> {
    let found = async {
        let kinds = contents::kinds(client).await?.listable;
        let each = namespaces.map(async |name| anyhow::Ok((name.clone(), Baseline::of(client, name, &kinds).await?)));
        anyhow::Ok(try_join_all(each).await?.into_iter().collect())
    };
    found.await.unwrap_or_else(|error| {
        cx.run.events.note(format!("{}: the content of its new namespaces can't be listed: {error:#}", cx.name));
        BTreeMap::new()
    })
}

/// Creates a Secret in one of the topology's namespaces.
async fn create_secret(
    cx: &CaseContext,
    part: &str,
    name: &str,
    data: &BTreeMap<String, String>,
) -> anyhow::Result<()> {
    let namespaces = cx.variant()?.namespaces(&cx.run.id);
    let namespace = &namespaces.0[part];
    let secret: Secret = serde_json::from_value(json!({ "metadata": { "name": name }, "stringData": data }))?;
    let secrets: Api<Secret> = Api::namespaced(cx.run.live()?.client.clone(), namespace);
    let what = format!("creating Secret/{name} in {namespace}");
    call(&what, secrets.create(&PostParams::default(), &secret)).await?;
    Ok(())
}

/// Installs a release once the releases that it needs are ready. If another release needs this one, waits until it is
/// ready and announces it.
async fn install(
    cx: &CaseContext,
    deployed: &DeployedTopology,
    deployed_release: &DeployedRelease,
    ready: &watch::Sender<BTreeSet<String>>,
) -> anyhow::Result<()> {
    let needs = &deployed_release.release.needs;
    let all = |ready: &BTreeSet<String>| needs.iter().all(|need| ready.contains(need));
    // The sender outlives this wait; if another release fails, this future is dropped.
    drop(ready.subscribe().wait_for(all).await);
    outside::prepare(cx, deployed_release).await?;
    let install = beginning::install(cx, deployed_release)?.timeout(cx.wait.left());
    let installed = cx.wait.unless_hopeless(&deployed_release.watch, &install.line(), install.run()).await;
    cluster::outside::mark(&deployed.client, &deployed_release.helm.namespace, &cx.run.id).await?;
    if let Err(error) = installed? {
        return match cx.wait.failed_hook(&deployed_release.watch).await {
            Some(hook) => {
                let (sentence, namespace) = (hook.sentence.clone(), deployed_release.watch.namespace().to_owned());
                Err(WaitFailed { sentence, namespace, sighting: Some(hook) }.into())
            }
            None => Err(error.into()),
        };
    }
    let key = deployed_release.release.key();
    if deployed.releases.iter().any(|other| other.release.needs.contains(&key)) {
        rolled_out::rolled_out(cx, deployed_release).await?;
        ready.send_if_modified(|ready| ready.insert(key));
    }
    Ok(())
}
