//! `chart::dry_run`: the API server accepts every rendered object, strictly and dry, in a namespace of its own.

use anyhow::{Context as _, ensure};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, ValidationDirective};
use kube::core::GroupVersionKind;
use kube::discovery::{self, Scope};
use serde_json::Value;

use super::context::Cx;
use crate::kubernetes::call;
use crate::stage;

/// Who applies, as the API server's managed fields name it.
const MANAGER: &str = "chartproof";

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let live = cx.run.live()?;
    let namespace = format!("chartproof-dry-run-{}", cx.run.id);
    stage::create_namespace(&live.client, &namespace, &cx.run.id).await?;
    let mut accepted = 0;
    for variant in cx.run.about() {
        for manifest in cx.run.render(variant).await?.iter().flatten().cloned() {
            let told =
                format!("{}/{} of {}", text(&manifest, "/kind"), text(&manifest, "/metadata/name"), variant.label());
            cx.wait.waiting(told.clone());
            apply(&live.client, &namespace, manifest).await.context(told)?;
            accepted += 1;
        }
    }
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(live.client.clone());
    call(&format!("deleting Namespace/{namespace}"), namespaces.delete(&namespace, &DeleteParams::default())).await?;
    Ok(format!("{accepted} objects accepted"))
}

async fn apply(client: &kube::Client, namespace: &str, manifest: Value) -> anyhow::Result<()> {
    let api_version = text(&manifest, "/apiVersion");
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let kind = GroupVersionKind::gvk(group, version, text(&manifest, "/kind"));
    let pinned = discovery::pinned_kind(client, &kind);
    let (resource, capabilities) = call(&format!("asking for kind {} of {api_version}", kind.kind), pinned).await?;
    ensure!(
        capabilities.scope == Scope::Namespaced,
        "a chart under test may not make a {} for the whole cluster",
        kind.kind
    );
    let name = text(&manifest, "/metadata/name").to_owned();
    let mut object: DynamicObject = serde_json::from_value(manifest)?;
    // Rendered for its release's namespace; this one stands in for it.
    object.metadata.namespace = Some(namespace.to_owned());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let params = PatchParams {
        dry_run: true,
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply(MANAGER)
    };
    call("dry run", api.patch(&name, &params, &Patch::Apply(&object))).await?;
    Ok(())
}

fn text<'a>(manifest: &'a Value, pointer: &str) -> &'a str {
    manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
