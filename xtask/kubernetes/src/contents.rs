//! The objects in a namespace, of every kind that the API server serves, and the finalizers that block its deletion.

use futures::future::{try_join, try_join_all};
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::discovery::v2::{APIGroupDiscovery, APIResourceDiscovery, APIVersionDiscovery};
use kube::core::{ApiResource, PartialObjectMeta};
use kube::{Client, ResourceExt};

use super::{call, code};

/// The kinds of an API server's objects.
#[derive(Debug, Default)]
pub struct Kinds {
    /// Every namespaced kind that can be listed, in the preferred version of its group.
    pub listable: Vec<ApiResource>,
    /// The group versions that are unavailable, for example because metrics-server is down: whether they have objects is
    /// unknown.
    pub unavailable: Vec<String>,
}

/// Returns every namespaced kind.
///
/// # Errors
/// If the API server returns an error or has no aggregated discovery.
pub async fn kinds(client: &Client) -> anyhow::Result<Kinds> {
    Ok(of_groups(&groups(client).await?))
}

/// Returns the served group versions, and the kinds in them: `apps/v1` and `apps/v1/Deployment`, as helm names them.
///
/// # Errors
/// If the API server returns an error or has no aggregated discovery.
pub async fn served(client: &Client) -> anyhow::Result<Vec<String>> {
    Ok(names(&groups(client).await?))
}

fn names(groups: &[APIGroupDiscovery]) -> Vec<String> {
    let mut names = Vec::new();
    for group in groups {
        let group_name = group.metadata.as_ref().and_then(|metadata| metadata.name.as_deref()).unwrap_or_default();
        for version in &group.versions {
            let number = version.version.as_deref().unwrap_or_default();
            let name = if group_name.is_empty() { number.to_owned() } else { format!("{group_name}/{number}") };
            let kinds =
                version.resources.iter().filter_map(|resource| resource.response_kind.as_ref()?.kind.as_deref());
            names.extend(kinds.map(|kind| format!("{name}/{kind}")));
            names.push(name);
        }
    }
    names
}

/// Returns aggregated discovery: two requests, each with its own limit. Neither fails if the server behind an
/// `APIService` is down.
async fn groups(client: &Client) -> anyhow::Result<Vec<APIGroupDiscovery>> {
    let core = call("getting the kinds of /api", client.list_core_api_versions_aggregated());
    let groups = call("getting the kinds of /apis", client.list_api_groups_aggregated());
    let (core, groups) = try_join(core, groups).await?;
    let all: Vec<_> = core.items.into_iter().chain(groups.items).collect();
    // Servers before 1.27 respond without items.
    anyhow::ensure!(!all.is_empty(), "the api server has no aggregated discovery; use Kubernetes 1.27 or later");
    Ok(all)
}

fn of_groups(groups: &[APIGroupDiscovery]) -> Kinds {
    let mut kinds = Kinds::default();
    for group in groups {
        let name = group.metadata.as_ref().and_then(|metadata| metadata.name.as_deref()).unwrap_or_default();
        let is_stale = |version: &&APIVersionDiscovery| version.freshness.as_deref() == Some("Stale");
        let stale = group.versions.iter().filter(is_stale).filter_map(|version| version.version.as_deref());
        kinds.unavailable.extend(stale.map(|version| format!("{name}/{version}")));
        // The versions are in the group's order of preference.
        let Some(version) = group.versions.iter().find(|version| !is_stale(version)) else { continue };
        let number = version.version.as_deref().unwrap_or_default();
        kinds.listable.extend(version.resources.iter().filter_map(|resource| of_resource(name, number, resource)));
    }
    kinds
}

/// Returns the kind if it is namespaced and can be listed.
fn of_resource(group: &str, version: &str, resource: &APIResourceDiscovery) -> Option<ApiResource> {
    let listable = resource.verbs.iter().any(|verb| verb == "list");
    if resource.scope.as_deref() != Some("Namespaced") || !listable {
        return None;
    }
    // Older servers name a kind of another group here; an empty group or version means that of the list.
    let kind = resource.response_kind.as_ref().and_then(|kind| kind.kind.clone())?;
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let (group, version) = (group.to_owned(), version.to_owned());
    Some(ApiResource { group, version, api_version, kind, plural: resource.resource.clone()? })
}

/// Returns the objects of a kind in a namespace; none if the kind's definition has been deleted meanwhile.
///
/// # Errors
/// If the API server returns an error.
pub async fn list(
    client: &Client,
    namespace: &str,
    kind: &ApiResource,
) -> anyhow::Result<Vec<PartialObjectMeta<DynamicObject>>> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, kind);
    match call(&format!("listing {}", kind.plural), api.list_metadata(&ListParams::default())).await {
        Ok(found) => Ok(found.items),
        Err(error) if code(&error) == Some(404) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Returns `ConfigMap/stuck`, with the finalizers that block its deletion.
pub fn line(kind: &ApiResource, object: &PartialObjectMeta<DynamicObject>) -> String {
    let name = format!("{}/{}", kind.kind, object.name_any());
    let finalizers = object.finalizers().join(", ");
    let held = object.metadata.deletion_timestamp.is_some() && !finalizers.is_empty();
    if held { format!("{name} (deleted, held by finalizer {finalizers})") } else { name }
}

/// Returns a line for each deleted object that is held by a finalizer, with the command that removes the finalizer.
///
/// # Errors
/// If the API server returns an error.
pub async fn held(client: &Client, namespace: &str) -> anyhow::Result<Vec<String>> {
    let kinds = kinds(client).await?;
    let lists = kinds.listable.iter().map(async |kind| {
        let objects = list(client, namespace, kind).await?.into_iter();
        let held = objects.filter(|object| {
            object.metadata.deletion_timestamp.is_some() && !object.finalizers().is_empty()
        });
        let with_advice = |object: PartialObjectMeta<_>| {
            let (line, plural, name) = (line(kind, &object), &kind.plural, object.name_any());
            format!(
                "{line}: start the controller that removes it, or remove it with `kubectl --namespace {namespace} patch {plural} {name} --type merge --patch '{{\"metadata\":{{\"finalizers\":null}}}}'`"
            )
        };
        anyhow::Ok(held.map(with_advice).collect::<Vec<_>>())
    });
    Ok(try_join_all(lists).await?.concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A response of an API server while metrics.k8s.io and one version of another group are unavailable.
    #[test]
    fn unavailable_versions_are_named_and_the_rest_is_listed() {
        let kind = |plural: &str, kind: &str, scope: &str, verbs: &[&str]| {
            json!({ "resource": plural, "scope": scope, "verbs": verbs,
                "responseKind": { "group": "", "version": "", "kind": kind } })
        };
        let groups = json!([
            { "metadata": {}, "versions": [{ "version": "v1", "freshness": "Current", "resources": [
                kind("configmaps", "ConfigMap", "Namespaced", &["get", "list"]),
                kind("nodes", "Node", "Cluster", &["get", "list"]),
                kind("bindings", "Binding", "Namespaced", &["create"]),
            ] }] },
            { "metadata": { "name": "metrics.k8s.io" }, "versions": [
                { "version": "v1beta1", "freshness": "Stale", "resources": [] },
            ] },
            { "metadata": { "name": "example.com" }, "versions": [
                { "version": "v2", "freshness": "Stale" },
                { "version": "v1", "freshness": "Current", "resources": [kind("things", "Thing", "Namespaced", &["list"])] },
            ] },
        ]);
        let groups = serde_json::from_value::<Vec<_>>(groups).unwrap();
        let kinds = of_groups(&groups);
        let found: Vec<_> = kinds.listable.iter().map(|kind| format!("{} {}", kind.api_version, kind.plural)).collect();
        assert_eq!(found, ["v1 configmaps", "example.com/v1 things"]);
        let names = names(&groups);
        assert!(["v1", "v1/Node", "example.com/v1/Thing"].iter().all(|name| names.contains(&(*name).to_owned())));
        assert_eq!(kinds.unavailable, ["metrics.k8s.io/v1beta1", "example.com/v2"]);
    }
}
