//! The StatefulSet controller: named pods, one after the other.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use k8s_openapi::api::core::v1::Pod;

use super::reconcile::touches_more_than_status;
use super::revisions::{self, Revisions};
use super::{Controller, ControllerContext, Key, ReconcileResult, owners};
use crate::client::Client;
use crate::status::Status;
use crate::store::{self, Change};

mod claims;
mod identity;
mod pass;
#[cfg(test)]
pub(super) mod tests;

const COMPONENT: &str = "statefulset-controller";

/// Creates, updates and deletes the pods of sets.
pub const CONTROLLER: Controller = Controller { name: "statefulset", keys, reconcile };

fn keys(client: &Client, change: &Change) -> Vec<Key> {
    match change.kind.built_in() {
        "StatefulSet" if touches_more_than_status(change) => vec![store::key(&change.object)],
        "Pod" | "ControllerRevision" => owners::keys::<StatefulSet>(client, change),
        "PersistentVolumeClaim" => owners::all::<StatefulSet>(client, &store::key(&change.object).0),
        _ => Vec::new(),
    }
}

fn reconcile(context: &ControllerContext, (namespace, name): &Key) -> ReconcileResult {
    let client = &context.client;
    let Some(set) = client.get::<StatefulSet>(namespace, name) else { return Ok(None) };
    let Some(spec) = &set.spec else { return Ok(None) };
    let is_member = |pod: &Pod| identity::ordinal(&set, pod).is_some();
    let pods = owners::claim(client, &set, &spec.selector, is_member)?;
    let revisions = Revisions::of(client, &set)?;
    let mut pass = pass::Pass::new(client, &set, spec, &revisions, &pods);
    let outcome = if set.metadata.deletion_timestamp.is_some() { Ok(()) } else { pass.advance() };
    let again = pass.available_after();
    let status = pass.status();
    write_status(client, &set, &status)?;
    outcome?;
    revisions.truncate(client, &set, &status, &pods)?;
    Ok(again)
}

fn write_status(client: &Client, set: &StatefulSet, status: &StatefulSetStatus) -> Result<(), Status> {
    client.modify_status(set, |set: &mut StatefulSet| {
        let changed = set.status.as_ref() != Some(status);
        set.status = Some(status.clone());
        changed
    })
}

/// Computes the status from the listed pods.
fn count(pods: &[Pod], spec: &k8s_openapi::api::apps::v1::StatefulSetSpec, revisions: &Revisions) -> StatefulSetStatus {
    use super::pods::{Availability, availability, is_running_and_ready, is_terminating};
    let min_ready = super::clock::seconds(spec.min_ready_seconds.unwrap_or(0));
    let number = |wanted: &dyn Fn(&Pod) -> bool| {
        i32::try_from(pods.iter().filter(|pod| wanted(pod)).count()).unwrap_or(i32::MAX)
    };
    let of = |revision| move |pod: &Pod| !is_terminating(pod) && revisions::of_pod(pod) == Some(revision);
    let available = |pod: &Pod| is_running_and_ready(pod) && availability(pod, min_ready) == Availability::Available;
    StatefulSetStatus {
        replicas: number(&|_| true),
        ready_replicas: some(number(&is_running_and_ready)),
        available_replicas: Some(number(&available)),
        current_replicas: some(number(&of(revisions::name(&revisions.current)))),
        updated_replicas: some(number(&of(revisions::name(&revisions.update)))),
        ..StatefulSetStatus::default()
    }
}

/// Returns a count as the API writes it: `None` if it is zero.
fn some(count: i32) -> Option<i32> {
    (count != 0).then_some(count)
}
