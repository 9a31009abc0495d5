//! The namespaces of runs on existing clusters, deleted with what their releases created outside of them. They carry the
//! run as a label and its lease as an annotation, so that any later run finds them, even without access to the folder of
//! leases.

use std::time::Duration;

use anyhow::bail;
use chrono::Utc;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::Instant;

use super::lease::{LeaseRecord, Owner, State, is_running};
use super::outside;
use kubernetes::{call, code, contents};

/// The label of every namespace of a run; its value is the run's ID.
pub const RUN_LABEL: &str = "chartproof/run";
/// The annotation of every namespace of a run: its lease.
const LEASE: &str = "chartproof/lease";
/// How long the deletion of namespaces may take: their pods have to terminate first.
const DELETE_TIMEOUT: Duration = Duration::from_secs(180);
/// How long the same foreign finalizers, or an API group that is not served, may block the deletion of namespaces: a
/// running controller removes its finalizers at once.
const HELD_MAX: Duration = Duration::from_secs(30);

/// Parts of the names of Kubernetes' own finalizers, which are removed eventually.
const OWN: [&str; 3] = ["kubernetes.io/", "foregroundDeletion", "orphan"];

/// A namespace of a run.
#[derive(Debug)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// The run's ID.
    pub run_id: String,
    /// Whether its run still needs it; none without a readable lease.
    pub state: Option<State>,
}

/// Returns the annotations for a namespace of a run in this process.
///
/// # Errors
/// If the lease can't be serialized.
pub fn annotations(run_id: &str) -> anyhow::Result<serde_json::Value> {
    Ok(annotation(&serde_json::to_string(&LeaseRecord::of_this_process(run_id, "".as_ref()))?))
}

fn annotation(lease: &str) -> serde_json::Value {
    json!({ LEASE: lease })
}

/// Returns all namespaces of runs on a cluster.
///
/// # Errors
/// If the API server returns an error.
pub async fn all(client: &Client) -> anyhow::Result<Vec<Found>> {
    let ours = ListParams::default().labels(RUN_LABEL);
    let found = call("listing the namespaces of runs", api(client).list(&ours)).await?;
    let (here, now) = (Owner::this_process(), Utc::now());
    let of = |namespace: &Namespace| Found {
        name: namespace.name_any(),
        run_id: namespace.labels().get(RUN_LABEL).cloned().unwrap_or_default(),
        state: lease(namespace).map(|record| record.state(&here, now, is_running)),
    };
    Ok(found.iter().map(of).collect())
}

/// Deletes abandoned namespaces and, if `kept`, also those that were kept on purpose. Returns a line for each.
///
/// # Errors
/// If they can't be listed, or one still exists after the time limit.
pub async fn sweep(client: &Client, kept: bool) -> anyhow::Result<Vec<String>> {
    let mut found = all(client).await?;
    found.retain(|one| one.state == Some(State::Abandoned) || (kept && one.state == Some(State::Kept)));
    delete(client, found.iter().map(|one| one.name.clone()).collect()).await?;
    let line = |one: Found| format!("swept Namespace/{} of run {}, whose process is gone", one.name, one.run_id);
    Ok(found.into_iter().map(line).collect())
}

/// Deletes the namespaces with the label of a run, and waits until they are gone.
///
/// # Errors
/// If one still exists after the time limit, with its name.
pub async fn delete_of_run(client: &Client, run_id: &str) -> anyhow::Result<()> {
    delete(client, of_run(client, run_id).await?).await
}

/// Renews the lease in the annotations of a run in this process and, if `kept`, records that the run keeps them on
/// purpose.
///
/// # Errors
/// If the API server returns an error.
pub async fn annotate(client: &Client, run_id: &str, kept: bool) -> anyhow::Result<()> {
    let record = LeaseRecord { kept, ..LeaseRecord::of_this_process(run_id, "".as_ref()) };
    let patch = Patch::Merge(json!({ "metadata": { "annotations": annotation(&serde_json::to_string(&record)?) } }));
    for name in of_run(client, run_id).await? {
        let what = format!("annotating Namespace/{name}");
        match call(&what, api(client).patch_metadata(&name, &PatchParams::default(), &patch)).await {
            Err(error) if code(&error) != Some(404) => return Err(error),
            // A namespace that is gone needs no lease.
            _ => {}
        }
    }
    Ok(())
}

async fn of_run(client: &Client, run_id: &str) -> anyhow::Result<Vec<String>> {
    let ours = ListParams::default().labels(&format!("{RUN_LABEL}={run_id}"));
    let what = format!("listing the namespaces of run {run_id}");
    let found = call(&what, api(client).list(&ours)).await?;
    Ok(found.iter().map(ResourceExt::name_any).collect())
}

/// Deletes namespaces, and before them what their releases created outside of them: without their webhooks and API
/// services, nothing blocks the deletion.
async fn delete(client: &Client, names: Vec<String>) -> anyhow::Result<()> {
    let mut ours = call("listing namespaces", api(client).list(&ListParams::default().labels(RUN_LABEL))).await?.items;
    ours.retain(|one| names.contains(&one.name_any()));
    outside::delete(client, &ours).await?;
    for name in &names {
        let what = format!("deleting Namespace/{name}");
        let deleted = call(&what, api(client).delete(name, &DeleteParams::background())).await;
        // It may be gone by now: a case deletes namespaces of its own.
        deleted.map(drop).or_else(|error| if code(&error) == Some(404) { Ok(()) } else { Err(error) })?;
    }
    let (deadline, mut stuck) = (Instant::now() + DELETE_TIMEOUT, (Vec::new(), Instant::now()));
    loop {
        let mut there = call("listing namespaces", api(client).list(&ListParams::default())).await?.items;
        there.retain(|one| names.contains(&one.name_any()));
        if there.is_empty() {
            return Ok(());
        }
        let held: Vec<_> = there.iter().filter_map(holds).collect();
        if held != stuck.0 {
            stuck = (held, Instant::now());
        }
        let is_stuck = !stuck.0.is_empty() && stuck.1.elapsed() >= HELD_MAX;
        if is_stuck || Instant::now() >= deadline {
            bail!(still_there(client, &there, if is_stuck { HELD_MAX } else { DELETE_TIMEOUT }).await);
        }
        // Polling, because there is no single event for the removal of the last content of all namespaces.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Returns what blocks the deletion of a namespace, from its conditions; none if it resolves by itself.
fn holds(namespace: &Namespace) -> Option<String> {
    let words = [finalizers(namespace), undiscovered(namespace)].into_iter().flatten().collect::<Vec<_>>();
    (!words.is_empty()).then(|| words.join("; "))
}

/// Returns the condition about finalizers that block its content; none if they are Kubernetes' own.
fn finalizers(namespace: &Namespace) -> Option<String> {
    let message = condition(namespace, "NamespaceFinalizersRemaining")?;
    let holds = |finalizer: &str| !OWN.iter().any(|own| finalizer.contains(own));
    message.split(", ").any(holds).then_some(message)
}

/// Returns the condition about API groups that are not served: the namespace may contain their objects, so it stays
/// until they are served again.
fn undiscovered(namespace: &Namespace) -> Option<String> {
    condition(namespace, "NamespaceDeletionDiscoveryFailure")
}

/// Returns the message of a condition if it is true.
fn condition(namespace: &Namespace, name: &str) -> Option<String> {
    let mut conditions = namespace.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.find(|one| one.type_ == name && one.status == "True")?.message.clone()
}

/// Returns the namespaces that still exist, and what blocks them.
async fn still_there(client: &Client, there: &[Namespace], waited: Duration) -> String {
    let names: Vec<_> = there.iter().map(ResourceExt::name_any).collect();
    let mut lines = vec![format!("not deleted after {} s: Namespace/{}", waited.as_secs(), names.join(", Namespace/"))];
    let apiservices = "start the server of this API, or delete its APIService (see `kubectl get apiservices`)";
    lines.extend(there.iter().filter_map(undiscovered).map(|why| format!("{why}: {apiservices}")));
    for name in &names {
        match contents::held(client, name).await {
            Ok(held) => lines.extend(held),
            Err(error) => lines.push(format!("finding out what blocks Namespace/{name}: {error:#}")),
        }
    }
    lines.join("\n")
}

fn lease(namespace: &Namespace) -> Option<LeaseRecord> {
    serde_json::from_str(namespace.annotations().get(LEASE)?).ok()
}

fn api(client: &Client) -> Api<Namespace> {
    Api::all(client.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is reported about a namespace whose content has these finalizers.
    fn reported(held: &str) -> Option<String> {
        let message = format!("Some content in the namespace has finalizers remaining: {held}");
        let condition = json!({ "type": "NamespaceFinalizersRemaining", "status": "True", "message": message });
        finalizers(&serde_json::from_value(json!({ "status": { "conditions": [condition] } })).unwrap())
    }

    #[test]
    fn only_foreign_finalizers_block_a_namespace() {
        assert_eq!(
            reported(
                "foregroundDeletion in 1 resource instances, kubernetes.io/pvc-protection in 1 resource instances"
            ),
            None
        );
        let both = "example.com/never in 2 resource instances, kubernetes.io/pvc-protection in 1 resource instances";
        assert!(reported(both).unwrap().contains("example.com/never in 2"));
        assert_eq!(finalizers(&Namespace::default()), None);
    }

    #[test]
    fn a_group_that_is_not_served_blocks_a_namespace() {
        let with = |status: &str| -> Namespace {
            let condition = json!({ "type": "NamespaceDeletionDiscoveryFailure", "status": status,
                "message": "Discovery failed for some groups, 1 failing: metrics.k8s.io/v1beta1: stale GroupVersion discovery" });
            serde_json::from_value(json!({ "status": { "conditions": [condition] } })).unwrap()
        };
        assert!(holds(&with("True")).unwrap().contains("metrics.k8s.io/v1beta1"));
        assert_eq!(holds(&with("False")), None);
    }
}
