//! What a namespace holds, of every kind that the API server knows, and what keeps it from going.

use futures::future::try_join_all;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::discovery::verbs;
use kube::core::{ApiResource, PartialObjectMeta};
use kube::discovery::{ApiGroup, Discovery, Scope};
use kube::{Client, ResourceExt};

use super::call;

/// Every kind that a namespace can hold.
///
/// # Errors
/// Where the API server does not tell.
pub async fn kinds(client: &Client) -> anyhow::Result<Vec<ApiResource>> {
    let discovery = call("asking for the kinds of the api", Discovery::new(client.clone()).run()).await?;
    let all = discovery.groups().flat_map(ApiGroup::recommended_resources);
    let listable = all.filter(|(_, can)| can.scope == Scope::Namespaced && can.supports_operation(verbs::LIST));
    Ok(listable.map(|(kind, _)| kind).collect())
}

/// The objects of a kind in a namespace.
///
/// # Errors
/// What the API server answers.
pub async fn list(
    client: &Client,
    namespace: &str,
    kind: &ApiResource,
) -> anyhow::Result<Vec<PartialObjectMeta<DynamicObject>>> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, kind);
    Ok(call(&format!("listing {}", kind.plural), api.list_metadata(&ListParams::default())).await?.items)
}

/// `ConfigMap/stuck`, and the finalizers that keep it though it was deleted.
pub fn line(kind: &ApiResource, object: &PartialObjectMeta<DynamicObject>) -> String {
    let name = format!("{}/{}", kind.kind, object.name_any());
    let finalizers = object.finalizers().join(", ");
    let held = object.metadata.deletion_timestamp.is_some() && !finalizers.is_empty();
    if held { format!("{name} (deleted, held by finalizer {finalizers})") } else { name }
}

/// The lines of what was deleted and is held by a finalizer, with the command that takes it off.
///
/// # Errors
/// What the API server answers.
pub async fn held(client: &Client, namespace: &str) -> anyhow::Result<Vec<String>> {
    let kinds = kinds(client).await?;
    let lists = kinds.iter().map(async |kind| {
        let objects = list(client, namespace, kind).await?.into_iter();
        let held = objects.filter(|object| {
            object.metadata.deletion_timestamp.is_some() && !object.finalizers().is_empty()
        });
        let told = |object: PartialObjectMeta<_>| {
            let (line, plural, name) = (line(kind, &object), &kind.plural, object.name_any());
            format!(
                "{line}: start what takes it off, or take it off with `kubectl --namespace {namespace} patch {plural} {name} --type merge --patch '{{\"metadata\":{{\"finalizers\":null}}}}'`"
            )
        };
        anyhow::Ok(held.map(told).collect::<Vec<_>>())
    });
    Ok(try_join_all(lists).await?.concat())
}
