//! Objects that a run creates outside of its namespaces: for the whole cluster, or in a namespace of others. Their list is
//! an annotation of the run's namespace, so that any later run can delete them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::bail;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::Instant;

use super::RUN_LABEL;
use kubernetes::call;
use kubernetes::object_ref::{self, ObjectRef};

/// The annotation of a namespace with the objects that its releases create elsewhere.
const OUTSIDE: &str = "chartproof/outside";
/// The annotation in which helm names the namespace of an object's release.
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";
/// How long the deletion of these objects may take.
const DELETE_TIMEOUT: Duration = Duration::from_secs(60);

/// Adds objects to the list of a namespace. Call this before they are created.
///
/// # Errors
/// If the API server returns an error; then nothing should be created.
pub async fn record(client: &Client, namespace: &str, objects: &BTreeSet<ObjectRef>) -> anyhow::Result<()> {
    let api: Api<Namespace> = Api::all(client.clone());
    let found = call(&format!("getting Namespace/{namespace}"), api.get(namespace)).await?;
    let all: BTreeSet<_> = recorded(&found).into_iter().chain(objects.iter().cloned()).collect();
    let annotations = json!({ OUTSIDE: serde_json::to_string(&all)? });
    let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
    let what = format!("recording in Namespace/{namespace} what is created outside of it");
    call(&what, api.patch_metadata(namespace, &PatchParams::default(), &patch)).await?;
    Ok(())
}

/// Gives the run's label to those objects of a namespace's list that helm does not mark: hooks, and definitions in `crds/`.
///
/// # Errors
/// If the API server returns an error.
pub async fn mark(client: &Client, namespace: &str, run_id: &str) -> anyhow::Result<()> {
    let api: Api<Namespace> = Api::all(client.clone());
    let found = call(&format!("getting Namespace/{namespace}"), api.get(namespace)).await?;
    for object in recorded(&found) {
        if object.metadata(client).await?.is_some_and(|made| release_namespace(&made).is_none()) {
            object.label(client, RUN_LABEL, run_id).await?;
        }
    }
    Ok(())
}

/// Returns the namespace of the release that helm created an object for.
pub fn release_namespace(object: &PartialObjectMeta<DynamicObject>) -> Option<&str> {
    object.annotations().get(RELEASE_NAMESPACE).map(String::as_str)
}

/// Returns whether an object carries the label of a run.
pub fn is_of_run(object: &PartialObjectMeta<DynamicObject>, run_id: &str) -> bool {
    object.labels().get(RUN_LABEL).is_some_and(|of| of == run_id)
}

/// Deletes what the releases in a run's namespaces created outside of them, and waits until it is gone. An object of the
/// list that carries neither the run's label nor helm's annotation is somebody else's, and stays.
///
/// # Errors
/// If one still exists after the time limit, with its name.
pub(super) async fn delete(client: &Client, namespaces: &[Namespace]) -> anyhow::Result<()> {
    let mut made = BTreeSet::new();
    for namespace in namespaces {
        for object in recorded(namespace) {
            if object.metadata(client).await?.is_some_and(|found| is_made_by(namespace, &found)) {
                made.insert(object);
            }
        }
    }
    delete_all(client, &made).await
}

/// Deletes objects, and waits until they are gone.
///
/// # Errors
/// If one still exists after the time limit, with its name.
pub async fn delete_all(client: &Client, objects: &BTreeSet<ObjectRef>) -> anyhow::Result<()> {
    for object in objects {
        object.delete(client).await?;
    }
    let deadline = Instant::now() + DELETE_TIMEOUT;
    loop {
        let left = existing(client, objects).await?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!("not deleted after {} s: {}", DELETE_TIMEOUT.as_secs(), left.join(", "));
        }
        // Polling, because these objects are of many kinds.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Returns a line for each of these objects that exists, with the finalizers that block its deletion.
///
/// # Errors
/// If the API server returns an error.
pub async fn existing(client: &Client, objects: &BTreeSet<ObjectRef>) -> anyhow::Result<Vec<String>> {
    let mut left = Vec::new();
    for object in objects {
        left.extend(object.metadata(client).await?.map(|found| object_ref::line(object, &found)));
    }
    Ok(left)
}

fn is_made_by(namespace: &Namespace, object: &PartialObjectMeta<DynamicObject>) -> bool {
    let run_id = namespace.labels().get(RUN_LABEL);
    release_namespace(object) == Some(namespace.name_any().as_str())
        || run_id.is_some_and(|run_id| is_of_run(object, run_id))
}

fn recorded(namespace: &Namespace) -> BTreeSet<ObjectRef> {
    let listed = namespace.annotations().get(OUTSIDE);
    listed.and_then(|listed| serde_json::from_str(listed).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_with_a_mark_of_the_run_are_its_own() {
        let namespace: Namespace = serde_json::from_value(
            json!({ "metadata": { "name": "chartproof-web-r1-0a1b2c3d", "labels": { RUN_LABEL: "0a1b2c3d" } } }),
        )
        .unwrap();
        let is_made = |metadata: serde_json::Value| {
            let found =
                json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata });
            is_made_by(&namespace, &serde_json::from_value(found).unwrap())
        };
        let helms = |namespace: &str| json!({ "name": "web", "annotations": { RELEASE_NAMESPACE: namespace } });
        assert!(is_made(helms("chartproof-web-r1-0a1b2c3d")));
        assert!(!is_made(helms("production")));
        let labelled = |run: &str| json!({ "name": "web", "labels": { RUN_LABEL: run } });
        assert!(is_made(labelled("0a1b2c3d")));
        assert!(!is_made(labelled("ffffffff")) && !is_made(json!({ "name": "web" })));
    }

    #[test]
    fn the_list_of_a_namespace_is_read_back() {
        let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "name": "web" });
        let namespace: Namespace =
            serde_json::from_value(json!({ "metadata": { "annotations": { OUTSIDE: json!([role]).to_string() } } }))
                .unwrap();
        assert_eq!(
            recorded(&namespace).into_iter().map(|one| one.to_string()).collect::<Vec<_>>(),
            ["ClusterRole/web"]
        );
        assert!(recorded(&Namespace::default()).is_empty());
    }
}
