//! Counts pods exactly once: records the UID of a pod that ended, removes its finalizer, then counts it.

use k8s_openapi::api::batch::v1::UncountedTerminatedPods;
use k8s_openapi::api::core::v1::Pod;

use super::{JobSync, TRACKING, owners, pods};
use crate::client::Client;
use crate::controllers::Key;
use crate::controllers::reconcile::unless;
use crate::status::Status;

/// Returns whether a pod counts as failed: it failed, or it was deleted before it succeeded.
pub fn is_failed(pod: &Pod) -> bool {
    pods::phase(pod) == "Failed" || pods::is_terminating(pod) && pods::phase(pod) != "Succeeded"
}

fn is_tracked(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == TRACKING)
}

fn uid(pod: &Pod) -> &str {
    pod.metadata.uid.as_deref().unwrap_or_default()
}

impl JobSync<'_> {
    /// Records the pods that have ended and were not counted yet.
    pub fn note_ended(&mut self) {
        let noted = self.status.uncounted_terminated_pods.get_or_insert_default();
        for pod in self.pods.iter().filter(|pod| is_tracked(pod)) {
            let list = match (pods::phase(pod), is_failed(pod)) {
                ("Succeeded", _) => noted.succeeded.get_or_insert_default(),
                (_, true) => noted.failed.get_or_insert_default(),
                _ => continue,
            };
            if !list.iter().any(|known| known == uid(pod)) {
                list.push(uid(pod).to_owned());
            }
        }
        noted.succeeded.take_if(|list| list.is_empty());
        noted.failed.take_if(|list| list.is_empty());
    }

    /// Records the existing pods.
    pub fn note_active(&mut self) {
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let active = number(self.active().count());
        let ready = number(self.active().filter(|pod| pods::is_ready(pod)).count());
        let ending = |pod: &&Pod| pods::is_terminating(pod) && !pods::is_finished(pod);
        let terminating = number(self.pods.iter().filter(ending).count());
        self.status.active = (active > 0).then_some(active);
        self.status.ready = Some(ready);
        self.status.terminating = Some(terminating);
    }

    /// Removes the finalizers of the recorded pods and counts them; returns whether there were any.
    pub fn count_ended(&mut self) -> Result<bool, Status> {
        let noted = self.status.uncounted_terminated_pods.replace(UncountedTerminatedPods::default());
        let noted = noted.unwrap_or_default();
        let (succeeded, failed) = (noted.succeeded.unwrap_or_default(), noted.failed.unwrap_or_default());
        for pod in self.pods.iter().filter(|pod| succeeded.iter().chain(&failed).any(|noted| noted == uid(pod))) {
            release(self.client, pod)?;
        }
        let add = |count: &mut Option<i32>, more: usize| {
            let sum = count.unwrap_or(0).saturating_add(i32::try_from(more).unwrap_or(i32::MAX));
            *count = (sum > 0).then_some(sum);
        };
        add(&mut self.status.succeeded, succeeded.len());
        add(&mut self.status.failed, failed.len());
        Ok(!succeeded.is_empty() || !failed.is_empty())
    }

    /// Returns the numbers of succeeded and failed pods, including those that are only recorded.
    pub fn totals(&self) -> (i32, i32) {
        let noted = self.status.uncounted_terminated_pods.clone().unwrap_or_default();
        let number = |list: Option<Vec<String>>| i32::try_from(list.map_or(0, |l| l.len())).unwrap_or(i32::MAX);
        let succeeded = self.status.succeeded.unwrap_or(0) + number(noted.succeeded);
        (succeeded, self.status.failed.unwrap_or(0) + number(noted.failed))
    }

    /// Removes the finalizers of all pods: nothing is counted any more.
    pub fn release_all(&self) -> Result<(), Status> {
        self.pods.iter().filter(|pod| is_tracked(pod)).try_for_each(|pod| release(self.client, pod))
    }
}

/// Removes the finalizers of the pods of a deleted job: another job may have its name by now.
pub fn release_orphans(client: &Client, (_, name): &Key, pods: &[Pod], living: Option<&str>) -> Result<(), Status> {
    let is_left = |pod: &&Pod| {
        let owner = owners::controller(&pod.metadata);
        owner.is_some_and(|owner| owner.kind == "Job" && owner.name == *name && Some(owner.uid.as_str()) != living)
    };
    pods.iter().filter(is_left).filter(|pod| is_tracked(pod)).try_for_each(|pod| release(client, pod))
}

fn release(client: &Client, pod: &Pod) -> Result<(), Status> {
    let released = client.modify(pod, |stored: &mut Pod| {
        let finalizers = stored.metadata.finalizers.get_or_insert_default();
        let before = finalizers.len();
        finalizers.retain(|finalizer| finalizer != TRACKING);
        finalizers.len() != before
    });
    unless("NotFound", released)
}
