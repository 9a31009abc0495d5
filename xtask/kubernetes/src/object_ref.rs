//! A reference to any object of a cluster, by which it can be found and deleted later.

use std::fmt;

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::{GroupVersionKind, PartialObjectMeta};
use kube::discovery::{self, Scope};
use kube::{Client, ResourceExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{call, code};

/// A reference to an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `v1` or `apps/v1`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace, unless it belongs to the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectRef {
    /// Returns the reference to a rendered object. Its namespace is `None` if it names none.
    pub fn of(object: &Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: Some(text("/metadata/namespace")).filter(|namespace| !namespace.is_empty()),
            name: text("/metadata/name"),
        }
    }

    /// Returns its metadata, or `None` if it does not exist.
    ///
    /// # Errors
    /// If the API server returns an error.
    pub async fn metadata(&self, client: &Client) -> anyhow::Result<Option<PartialObjectMeta<DynamicObject>>> {
        let Some(api) = self.api(client).await? else { return Ok(None) };
        unless_gone(call(&format!("getting {self}"), api.get_metadata(&self.name)).await)
    }

    /// Deletes it, together with what belongs to it. It is fine if it does not exist.
    ///
    /// # Errors
    /// If the API server returns an error.
    pub async fn delete(&self, client: &Client) -> anyhow::Result<()> {
        let Some(api) = self.api(client).await? else { return Ok(()) };
        let deleted = call(&format!("deleting {self}"), api.delete(&self.name, &DeleteParams::background())).await;
        unless_gone(deleted).map(drop)
    }

    /// Gives it a label. It is fine if it does not exist.
    ///
    /// # Errors
    /// If the API server returns an error.
    pub async fn label(&self, client: &Client, label: &str, value: &str) -> anyhow::Result<()> {
        let Some(api) = self.api(client).await? else { return Ok(()) };
        let patch = Patch::Merge(json!({ "metadata": { "labels": { label: value } } }));
        let (what, params) = (format!("labelling {self}"), PatchParams::default());
        unless_gone(call(&what, api.patch_metadata(&self.name, &params, &patch)).await).map(drop)
    }

    /// Returns the API for its kind, or `None` if the cluster does not serve that kind: then it does not exist.
    async fn api(&self, client: &Client) -> anyhow::Result<Option<Api<DynamicObject>>> {
        let Some((resource, scope)) = served(client, &self.api_version, &self.kind).await? else { return Ok(None) };
        Ok(Some(match (&self.namespace, scope) {
            (Some(namespace), Scope::Namespaced) => Api::namespaced_with(client.clone(), namespace, &resource),
            _ => Api::all_with(client.clone(), &resource),
        }))
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)?;
        self.namespace.iter().try_for_each(|namespace| write!(f, " in {namespace}"))
    }
}

/// Returns how the cluster serves a kind, and its scope; `None` if it does not serve it.
///
/// # Errors
/// If the API server returns an error.
pub async fn served(
    client: &Client,
    api_version: &str,
    kind: &str,
) -> anyhow::Result<Option<(kube::core::ApiResource, Scope)>> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let wanted = GroupVersionKind::gvk(group, version, kind);
    let what = format!("discovering kind {kind} of {api_version}");
    match tokio::time::timeout(super::CALL_TIMEOUT, discovery::pinned_kind(client, &wanted)).await {
        Ok(Ok((resource, capabilities))) => Ok(Some((resource, capabilities.scope))),
        Ok(Err(kube::Error::Discovery(_))) => Ok(None),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(None),
        Ok(Err(error)) => Err(anyhow::Error::from(error).context(what)),
        Err(_) => anyhow::bail!("{what}: the api server did not respond within {} s", super::CALL_TIMEOUT.as_secs()),
    }
}

fn unless_gone<T>(result: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if code(&error) == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns `ClusterRole/web`, with the finalizers that block its deletion.
pub fn line(reference: &ObjectRef, object: &PartialObjectMeta<DynamicObject>) -> String {
    let finalizers = object.finalizers().join(", ");
    let held = object.metadata.deletion_timestamp.is_some() && !finalizers.is_empty();
    if held { format!("{reference} (deleted, held by finalizer {finalizers})") } else { reference.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_the_namespace_only_if_there_is_one() {
        let of = |metadata: Value| {
            let kind = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata });
            ObjectRef::of(&kind).to_string()
        };
        assert_eq!(of(json!({ "name": "a" })), "Role/a");
        assert_eq!(of(json!({ "name": "a", "namespace": "kube-system" })), "Role/a in kube-system");
    }
}
