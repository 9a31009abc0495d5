//! `chart::dry_run`: the API server accepts every rendered object in a strict dry run, in a separate namespace.
//!
//! Service accounts are really created there, and first, since a pod is refused if its account does not exist.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, ValidationDirective};
use kube::core::GroupVersionKind;
use kube::discovery::{self, Scope};
use serde_json::Value;

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::{chart_template, cluster_create};
use crate::deployed_topology;
use kubernetes::call;
use suite::{CaseKind, PodSecurity};

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
    let mut namespaces = BTreeMap::new();
    let mut accepted = 0;
    for variant in cx.run.subject.about() {
        let rendered = cx.run.render(variant).await?;
        let of_release = |(release, manifests): (&suite::Release, &Vec<Value>)| {
            let level = variant.suite.pod_security(&variant.topology, &release.namespace);
            manifests.iter().map(|manifest| (level, manifest.clone())).collect::<Vec<_>>()
        };
        let mut manifests: Vec<_> = variant.suite.releases.iter().zip(rendered.iter()).flat_map(of_release).collect();
        manifests.sort_by_key(|(_, manifest)| !is_account(manifest));
        for (level, manifest) in manifests {
            let namespace = namespace_of(cx, &mut namespaces, level).await?;
            let what =
                format!("{}/{} of {}", text(&manifest, "/kind"), text(&manifest, "/metadata/name"), variant.label());
            cx.wait.waiting(what.clone());
            apply(&live.client, &namespace, manifest).await.context(what)?;
            accepted += 1;
        }
    }
    ensure!(accepted > 0, "no topology renders any objects");
    let api: Api<Namespace> = Api::all(live.client.clone());
    for namespace in namespaces.values() {
        call(&format!("deleting Namespace/{namespace}"), api.delete(namespace, &DeleteParams::default())).await?;
    }
    Ok(format!("{accepted} objects accepted"))
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
    deployed_topology::create_namespace(&cx.run.live()?.client, &namespace, &cx.run.id, level).await?;
    namespaces.insert(level.label(), namespace.clone());
    Ok(namespace)
}

async fn apply(client: &kube::Client, namespace: &str, manifest: Value) -> anyhow::Result<()> {
    let api_version = text(&manifest, "/apiVersion");
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let kind = GroupVersionKind::gvk(group, version, text(&manifest, "/kind"));
    let pinned = discovery::pinned_kind(client, &kind);
    let (resource, capabilities) = call(&format!("discovering kind {} of {api_version}", kind.kind), pinned).await?;
    ensure!(
        capabilities.scope == Scope::Namespaced,
        "a chart under test must not create a cluster-scoped {}",
        kind.kind
    );
    let (name, dry_run) = (text(&manifest, "/metadata/name").to_owned(), !is_account(&manifest));
    let mut object: DynamicObject = serde_json::from_value(manifest)?;
    // Replaces the namespace of its release.
    object.metadata.namespace = Some(namespace.to_owned());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let params =
        PatchParams { dry_run, field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply(MANAGER) };
    call(if dry_run { "dry run" } else { "creating the account" }, api.patch(&name, &params, &Patch::Apply(&object)))
        .await?;
    Ok(())
}

fn is_account(manifest: &Value) -> bool {
    text(manifest, "/apiVersion") == "v1" && text(manifest, "/kind") == "ServiceAccount"
}

fn text<'a>(manifest: &'a Value, pointer: &str) -> &'a str {
    manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
