//! Waits until everything that a release created is ready, and its workloads run their current revision.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ReplicationController, Service};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::GroupVersionKind;

use super::context::CaseContext;
use super::running_image;
use crate::deployed_release::DeployedRelease;
use kubernetes::call;
use kubernetes::readiness::{Made, Readiness};
use kubernetes::watch::{State, Watch};

/// The objects that a release created, by namespace.
pub type ByNamespace = BTreeMap<String, Vec<Made>>;

/// Waits until everything that a release has created so far is ready; returns the objects that can't be judged, and
/// why.
///
/// # Errors
/// If this takes longer than the case's time limit, a state is unrecoverable, or a pod runs an image other than the
/// loaded one.
pub async fn rolled_out(cx: &CaseContext, deployed_release: &DeployedRelease) -> anyhow::Result<Vec<String>> {
    let made = made(cx, deployed_release).await?;
    all_ready(cx, deployed_release, made).await
}

/// Asks helm which objects a release created.
///
/// # Errors
/// If helm or the API server fails.
pub async fn made(cx: &CaseContext, deployed_release: &DeployedRelease) -> anyhow::Result<ByNamespace> {
    let client = &cx.run.live()?.client;
    let objects = deployed_release.helm.made().await?;
    let made = objects.iter().filter_map(Made::of).map(async |mut made| {
        let namespace = made.namespace.clone().unwrap_or_else(|| deployed_release.watch.namespace().to_owned());
        if made.has_pods() {
            made.generation = generation(client, &namespace, &made).await?;
        }
        anyhow::Ok((namespace, made))
    });
    let mut by_namespace = ByNamespace::new();
    for (namespace, made) in try_join_all(made).await? {
        by_namespace.entry(namespace).or_default().push(made);
    }
    Ok(by_namespace)
}

/// As [`rolled_out`], for the result of [`made`].
///
/// # Errors
/// As [`rolled_out`].
pub async fn all_ready(
    cx: &CaseContext,
    deployed_release: &DeployedRelease,
    made: ByNamespace,
) -> anyhow::Result<Vec<String>> {
    let client = &cx.run.live()?.client;
    let what = format!("release {} rolled out", deployed_release.release.key());
    let mut not_judged = Vec::new();
    for (namespace, made) in made {
        let watch = watch(cx, deployed_release, client, &namespace, &made);
        established(cx, &watch, client, &made).await?;
        let began = Instant::now();
        // A cluster of the run itself has no load balancers, so they are not waited for.
        let waited = || if cx.run.cluster.is_existing() { began.elapsed() } else { Duration::MAX };
        let judged = cx.wait.until(&watch, &what, |state| judge(state, &made, waited())).await?;
        not_judged.extend(judged);
    }
    running_image::of_pods(cx, &deployed_release.pods()).await?;
    Ok(not_judged)
}

/// Asks the API for an object's generation, since the watch may not have seen helm's change yet. Returns `None` if the
/// object does not exist.
async fn generation(client: &Client, namespace: &str, made: &Made) -> anyhow::Result<Option<i64>> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource(made));
    let found = call(&format!("getting {}", made.title()), api.get_metadata_opt(&made.name)).await?;
    // Some kinds have no generation.
    Ok(found.map(|found| found.metadata.generation.unwrap_or(0)))
}

fn resource(made: &Made) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(&made.group, &made.version, &made.kind))
}

/// Watches the kinds that are judged, in the release's namespace or in one that a manifest names.
fn watch(
    cx: &CaseContext,
    deployed_release: &DeployedRelease,
    client: &Client,
    namespace: &str,
    made: &[Made],
) -> Watch {
    let watch = if deployed_release.watch.namespace() == namespace {
        deployed_release.watch.clone()
    } else {
        Watch::start(client, namespace, cx.run.events.clone())
    };
    let has = |kind: &str| made.iter().any(|made| made.kind == kind && made.has_pods());
    if has("DaemonSet") {
        watch.follow::<DaemonSet>(client);
    }
    if has("ReplicationController") {
        watch.follow::<ReplicationController>(client);
    }
    if made.iter().any(Made::wants_load_balancer) {
        watch.follow::<Service>(client);
    }
    watch
}

/// Waits for cluster-scoped objects, which the watch of a namespace does not see.
async fn established(cx: &CaseContext, watch: &Watch, client: &Client, made: &[Made]) -> anyhow::Result<()> {
    for (made, condition) in made.iter().filter_map(|made| Some((made, made.cluster_condition()?))) {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(made));
        let ask = async || {
            let found = call(&format!("getting {}", made.title()), api.get(&made.name)).await;
            has_condition(&found.map_err(|error| format!("{error:#}"))?, condition)
        };
        cx.wait.ask_until(watch, &format!("{} is {condition}", made.title()), ask).await?;
    }
    Ok(())
}

/// Checks that an object's condition is true; otherwise returns its message.
fn has_condition(object: &DynamicObject, condition: &str) -> Result<(), String> {
    let conditions = object.data["status"]["conditions"].as_array();
    let found = conditions.and_then(|all| all.iter().find(|one| one["type"] == condition));
    match found {
        Some(found) if found["status"] == "True" => Ok(()),
        Some(found) => Err(found["message"].as_str().unwrap_or("no reason given").to_owned()),
        None => Err("it has no such condition yet".to_owned()),
    }
}

/// Returns the objects that can't be judged, once all others are ready.
fn judge(state: &State, made: &[Made], waited: Duration) -> Result<Vec<String>, String> {
    let (mut open, mut not_judged) = (Vec::new(), Vec::new());
    for made in made.iter().filter(|made| made.cluster_condition().is_none()) {
        match made.readiness(state, waited) {
            Readiness::Ready => {}
            Readiness::NotYet(seen) => open.push(seen),
            Readiness::NotJudged(why) => not_judged.push(format!("{} ({why})", made.title())),
        }
    }
    if open.is_empty() { Ok(not_judged) } else { Err(open.join("; ")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The conditions are those of a real API server.
    #[test]
    fn a_definition_is_ready_once_it_is_established() {
        let with = |conditions: serde_json::Value| -> DynamicObject {
            serde_json::from_value(json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": { "name": "things.example.com" }, "status": { "conditions": conditions } }))
            .unwrap()
        };
        assert_eq!(has_condition(&with(json!([])), "Established").unwrap_err(), "it has no such condition yet");
        let conflict = json!([{ "type": "NamesAccepted", "status": "False", "reason": "ListKindConflict", "message": "\"ThingList\" is already in use" },
            { "type": "Established", "status": "False", "reason": "NotAccepted", "message": "not all names are accepted" }]);
        assert_eq!(has_condition(&with(conflict), "Established").unwrap_err(), "not all names are accepted");
        has_condition(&with(json!([{ "type": "Established", "status": "True" }])), "Established").unwrap();
    }
}
