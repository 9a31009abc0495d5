//! The Job controller: runs pods until enough have succeeded, or too many have failed.

use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::Pod;

use super::{Controller, ControllerContext, Key, ReconcileResult, clock, events, owners, pods};
use crate::client::Client;
use crate::registry::DeleteOptions;
use crate::status::Status;
use crate::store::{self, Change};

mod backoff;
mod count;
mod finish;
mod manage;
#[cfg(test)]
mod tests;

const COMPONENT: &str = "job-controller";

/// The finalizer that keeps a pod until it has been counted.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// Runs jobs.
pub const CONTROLLER: Controller = Controller { name: "job", keys, reconcile };

fn keys(client: &Client, change: &Change) -> Vec<Key> {
    match change.kind.built_in() {
        "Job" => vec![store::key(&change.object)],
        "Pod" if !owners::is_orphan(&change.object) => owners::keys::<Job>(client, change),
        _ => Vec::new(),
    }
}

/// A job with its pods, on the way to its next status.
struct JobSync<'a> {
    client: &'a Client,
    job: Job,
    spec: JobSpec,
    pods: Vec<Pod>,
    status: JobStatus,
}

fn reconcile(context: &ControllerContext, key: &Key) -> ReconcileResult {
    let client = &context.client;
    let job = client.get::<Job>(&key.0, &key.1);
    let mut pods = client.list::<Pod>(Some(&key.0));
    count::release_orphans(client, key, &pods, job.as_ref().and_then(|job| job.metadata.uid.as_deref()))?;
    let Some(job) = job else { return Ok(None) };
    let (spec, status) = (job.spec.clone().unwrap_or_default(), job.status.clone().unwrap_or_default());
    pods.retain(|pod| owners::is_controlled_by(&pod.metadata, &job));
    let mut sync = JobSync { client, job, spec, pods, status };
    if sync.job.metadata.deletion_timestamp.is_some() {
        sync.release_all().map(|()| None)
    } else if let Some(finished_at) = finish::finished_at(&sync.status) {
        sync.release_all()?;
        sync.expire(&finished_at)
    } else {
        sync.advance()
    }
}

impl JobSync<'_> {
    /// Counts the pods that have ended, decides whether that is enough, and creates or deletes pods.
    fn advance(&mut self) -> ReconcileResult {
        let began = self.begin();
        self.note_ended();
        finish::judge(self);
        let managed = match finish::target(&self.status) {
            Some(_) => self.delete_active().map(|()| None),
            None if self.spec.suspend == Some(true) => self.delete_active().map(|()| None),
            None => self.manage(),
        };
        self.note_active();
        self.write()?;
        if let Some((reason, message)) = began {
            self.say("Normal", reason, message);
        }
        if self.count_ended()? || finish::target(&self.status).is_some() {
            finish::conclude(self);
            self.write()?;
        }
        let again = managed?;
        Ok([again, self.until_deadline()].into_iter().flatten().min())
    }

    /// Starts the job's clock, or stops it while the job is suspended; returns the event to record.
    fn begin(&mut self) -> Option<(&'static str, &'static str)> {
        let was_suspended = finish::holds(&self.status, "Suspended");
        if self.spec.suspend == Some(true) {
            self.status.start_time = None;
            finish::set(&mut self.status, "Suspended", "True", "JobSuspended", "Job suspended");
            return (!was_suspended).then_some(("Suspended", "Job suspended"));
        }
        if self.status.start_time.is_none() {
            self.status.start_time = Some(clock::now());
        }
        if !was_suspended {
            return None;
        }
        finish::set(&mut self.status, "Suspended", "False", "JobResumed", "Job resumed");
        Some(("Resumed", "Job resumed"))
    }

    fn until_deadline(&self) -> Option<Duration> {
        let (deadline, start) = self.spec.active_deadline_seconds.zip(self.status.start_time.as_ref())?;
        clock::remaining(start, clock::seconds(deadline))
    }

    /// Deletes a finished job once its `ttlSecondsAfterFinished` has passed.
    fn expire(&self, finished_at: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Time) -> ReconcileResult {
        let Some(ttl) = self.spec.ttl_seconds_after_finished else { return Ok(None) };
        if let Some(left) = clock::remaining(finished_at, clock::seconds(ttl)) {
            return Ok(Some(left));
        }
        let options = DeleteOptions { propagation_policy: Some("Foreground".to_owned()), ..DeleteOptions::default() };
        self.client.delete(&self.job, &options).map(|()| None)
    }

    fn write(&mut self) -> Result<(), Status> {
        self.client.modify_status(&self.job, |job: &mut Job| {
            let changed = job.status.as_ref() != Some(&self.status);
            job.status = Some(self.status.clone());
            changed
        })
    }

    fn say(&self, kind: &str, reason: &str, message: &str) {
        self.client.event(&events::reference(&self.job), kind, reason, message, COMPONENT);
    }

    /// Returns the pods that run, or will.
    fn active(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(|pod| pods::is_active(pod))
    }
}
