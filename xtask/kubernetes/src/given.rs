//! Objects that a cluster creates in each new namespace, and without which it rejects pods.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use k8s_openapi::{Metadata, NamespaceResourceScope};
use kube::api::PostParams;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::watch_object;
use kube::{Api, Client, ResourceExt};
use serde::de::DeserializeOwned;

use super::call;
use super::pause::Pause;
use super::wait::Waiter;
use super::watch::Watch;

/// How long the cluster may take to create them.
const WITHIN: Duration = Duration::from_secs(30);

/// Parts of the messages of temporary rejections: a controller is a moment behind.
const PASSING: [&str; 2] = ["error looking up service account", "status unknown for quota"];

/// Waits until a new namespace has its service account and the cluster's certificate, which every pod mounts.
///
/// # Errors
/// If one of them does not appear in time.
pub async fn arrived(client: &Client, namespace: &str) -> anyhow::Result<()> {
    let account = appears::<ServiceAccount>(client, namespace, "default");
    let certificate = appears::<ConfigMap>(client, namespace, "kube-root-ca.crt");
    tokio::try_join!(account, certificate).map(drop)
}

async fn appears<K>(client: &Client, namespace: &str, name: &str) -> anyhow::Result<()>
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope> + k8s_openapi::Resource + Metadata,
    K: Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let mut objects = watch_object(api, name).backoff(Pause::default()).boxed();
    let mut seen = "nothing yet".to_owned();
    let there = async {
        while let Some(found) = objects.next().await {
            match found {
                Ok(Some(_)) => return,
                Ok(None) => "it does not exist".clone_into(&mut seen),
                Err(error) => seen = error.to_string(),
            }
        }
    };
    let kind = <K as k8s_openapi::Resource>::KIND;
    if tokio::time::timeout(WITHIN, there).await.is_err() {
        anyhow::bail!(
            "Namespace/{namespace} has no {kind}/{name} after {} s (last seen: {seen}), and pods need it; \
             the cluster's controller manager creates it: check that this is running",
            WITHIN.as_secs()
        );
    }
    Ok(())
}

/// Creates a pod as soon as the namespace has the objects that admission requires.
///
/// # Errors
/// If the API server rejects it for another reason, or still rejects it when the case's time is up.
pub async fn create_pod((wait, watch): (&Waiter, &Watch), pods: &Api<Pod>, pod: &Pod) -> anyhow::Result<()> {
    let what = format!("creating Pod/{}", pod.name_any());
    let create = async || match call(&what, pods.create(&PostParams::default(), pod)).await {
        Err(error) if passes(&format!("{error:#}")) => Err(format!("{error:#}")),
        created => Ok(created),
    };
    wait.ask_until(watch, &what, create).await?.map(drop)
}

fn passes(refusal: &str) -> bool {
    PASSING.iter().any(|words| refusal.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_rejections_are_distinguished_from_others() {
        let account = "pods \"a\" is forbidden: error looking up service account b/default: serviceaccount \"default\" \
                       not found";
        assert!(passes(account));
        assert!(passes("pods \"a\" is forbidden: status unknown for quota: compute, resources: pods"));
        assert!(!passes("pods \"a\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=1"));
        assert!(!passes("pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\""));
    }
}
