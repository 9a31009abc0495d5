//! `chart::dry_run`: the API server accepts every rendered object in a strict dry run, in a separate namespace.
//!
//! Service accounts are really created there, and first, since a pod is refused if its account does not exist. Custom
//! resources can't be checked if their kind comes with the chart: nothing serves it yet. The case's line counts them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, ValidationDirective};
use kube::discovery::Scope;
use serde_json::Value;

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::{chart_template, cluster_create};
use crate::deployed_topology;
use crate::run::defines;
use kubernetes::{call, object_ref};
use suite::{CaseKind, PodSecurity, Variant};

/// The field manager of these requests.
const MANAGER: &str = "chartproof";

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "dry_run",
        summary: "the API server accepts the rendered objects in a strict dry run",
        group: Some("chart"),
        needs: &[&chart_template::CASE.kind, &cluster_create::CASE.kind],
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let live = cx.run.live()?;
    let (mut namespaces, mut unserved) = (BTreeMap::new(), BTreeSet::new());
    let mut accepted = 0;
    for variant in cx.run.subject.about() {
        let manifests = manifests(cx, variant).await?;
        for (level, manifest) in &manifests {
            let namespace = namespace_of(cx, &mut namespaces, *level).await?;
            let (kind, name) = (text(manifest, "/kind"), text(manifest, "/metadata/name"));
            let what = format!("{kind}/{name} of {}", variant.label());
            cx.wait.waiting(what.clone());
            if apply(&live.client, &namespace, manifest.clone()).await.context(what)? {
                accepted += 1;
                continue;
            }
            let api_version = text(manifest, "/apiVersion");
            let comes_with_it = manifests.iter().any(|(_, other)| defines(other, api_version, kind));
            ensure!(
                comes_with_it,
                "{kind}/{name} of {}: the cluster does not serve kind {kind} of {api_version}, and the chart does not \
                 define it",
                variant.label()
            );
            unserved.insert(format!("{kind}/{name}"));
        }
    }
    ensure!(accepted > 0, "no topology renders any objects");
    let api: Api<Namespace> = Api::all(live.client.clone());
    for namespace in namespaces.values() {
        call(&format!("deleting Namespace/{namespace}"), api.delete(namespace, &DeleteParams::default())).await?;
    }
    let not_checked = match unserved.len() {
        0 => String::new(),
        count => format!("; {count} custom resources not checked, since their kinds come with the chart"),
    };
    Ok(format!("{accepted} objects accepted{not_checked}"))
}

/// Returns what helm would create for a variant, with the level that its namespace enforces; service accounts first.
async fn manifests(cx: &CaseContext, variant: &Variant) -> anyhow::Result<Vec<(PodSecurity, Value)>> {
    let rendered = cx.run.render_for_cluster(variant).await?;
    let mut manifests = Vec::new();
    for (release, objects) in variant.suite.releases.iter().zip(rendered.iter()) {
        let level = variant.suite.pod_security(&variant.topology, &release.namespace);
        let definitions = cx.run.definitions(release).await?;
        manifests.extend(definitions.into_iter().chain(objects.iter().cloned()).map(|object| (level, object)));
    }
    manifests.sort_by_key(|(_, manifest)| !is_account(manifest));
    Ok(manifests)
}

/// The namespace that enforces a level; created when it is first needed.
async fn namespace_of(
    cx: &CaseContext,
    namespaces: &mut BTreeMap<&'static str, String>,
    level: PodSecurity,
) -> anyhow::Result<String> {
    if let Some(namespace) = namespaces.get(level.label()) {
        return Ok(namespace.clone());
    }
    let namespace = format!("chartproof-dry-run-{}-{}", level.label(), cx.run.id);
    deployed_topology::create_namespace(&cx.run.live()?.client, &namespace, &cx.run.id, level, false).await?;
    namespaces.insert(level.label(), namespace.clone());
    Ok(namespace)
}

/// Returns whether the cluster serves the object's kind; then it has accepted the object.
async fn apply(client: &kube::Client, namespace: &str, manifest: Value) -> anyhow::Result<bool> {
    let served = object_ref::served(client, text(&manifest, "/apiVersion"), text(&manifest, "/kind")).await?;
    let Some((resource, scope)) = served else { return Ok(false) };
    let (name, dry_run) = (text(&manifest, "/metadata/name").to_owned(), !is_account(&manifest));
    let mut object: DynamicObject = serde_json::from_value(manifest)?;
    // Replaces the namespace of its release.
    object.metadata.namespace = (scope == Scope::Namespaced).then(|| namespace.to_owned());
    let api: Api<DynamicObject> = match scope {
        Scope::Namespaced => Api::namespaced_with(client.clone(), namespace, &resource),
        Scope::Cluster => Api::all_with(client.clone(), &resource),
    };
    // A topology that runs at the same time may have created the same object for the whole cluster.
    let force = scope == Scope::Cluster;
    let field_validation = Some(ValidationDirective::Strict);
    let params = PatchParams { dry_run, force, field_validation, ..PatchParams::apply(MANAGER) };
    call(if dry_run { "dry run" } else { "creating the account" }, api.patch(&name, &params, &Patch::Apply(&object)))
        .await?;
    Ok(true)
}

fn is_account(manifest: &Value) -> bool {
    text(manifest, "/apiVersion") == "v1" && text(manifest, "/kind") == "ServiceAccount"
}

fn text<'a>(manifest: &'a Value, pointer: &str) -> &'a str {
    manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
