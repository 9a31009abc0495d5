//! StatefulSets, Deployments, ReplicaSets, Jobs and CronJobs.

use serde_json::{Value, json};

use super::pod;
use crate::registry::value::{empty, fill, items_mut};

fn template(spec: &mut Value) {
    fill(&mut spec["template"], "metadata", empty());
    fill(&mut spec["template"], "spec", empty());
    pod::spec(&mut spec["template"]["spec"]);
}

/// Fills in a StatefulSet.
pub fn stateful_set(set: &mut Value) {
    let spec = &mut set["spec"];
    fill(spec, "podManagementPolicy", "OrderedReady");
    fill(spec, "updateStrategy", empty());
    fill(&mut spec["updateStrategy"], "type", "RollingUpdate");
    if spec["updateStrategy"]["type"] == "RollingUpdate" {
        fill(&mut spec["updateStrategy"], "rollingUpdate", empty());
        fill(&mut spec["updateStrategy"]["rollingUpdate"], "partition", 0);
    }
    fill(spec, "persistentVolumeClaimRetentionPolicy", empty());
    fill(&mut spec["persistentVolumeClaimRetentionPolicy"], "whenDeleted", "Retain");
    fill(&mut spec["persistentVolumeClaimRetentionPolicy"], "whenScaled", "Retain");
    fill(spec, "replicas", 1);
    fill(spec, "revisionHistoryLimit", 10);
    template(spec);
    for claim in items_mut(spec, "volumeClaimTemplates") {
        fill(claim, "apiVersion", "v1");
        fill(claim, "kind", "PersistentVolumeClaim");
        fill(&mut claim["spec"], "volumeMode", "Filesystem");
        fill(&mut claim["status"], "phase", "Pending");
    }
}

/// Fills in a Deployment.
pub fn deployment(deployment: &mut Value) {
    let spec = &mut deployment["spec"];
    fill(spec, "replicas", 1);
    fill(spec, "strategy", empty());
    fill(&mut spec["strategy"], "type", "RollingUpdate");
    if spec["strategy"]["type"] == "RollingUpdate" {
        fill(&mut spec["strategy"], "rollingUpdate", empty());
        fill(&mut spec["strategy"]["rollingUpdate"], "maxUnavailable", "25%");
        fill(&mut spec["strategy"]["rollingUpdate"], "maxSurge", "25%");
    }
    fill(spec, "revisionHistoryLimit", 10);
    fill(spec, "progressDeadlineSeconds", 600);
    template(spec);
}

/// Fills in a ReplicaSet.
pub fn replica_set(set: &mut Value) {
    fill(&mut set["spec"], "replicas", 1);
    template(&mut set["spec"]);
}

/// Fills in a `DaemonSet`.
pub fn daemon_set(set: &mut Value) {
    let spec = &mut set["spec"];
    fill(spec, "updateStrategy", empty());
    fill(&mut spec["updateStrategy"], "type", "RollingUpdate");
    if spec["updateStrategy"]["type"] == "RollingUpdate" {
        fill(&mut spec["updateStrategy"], "rollingUpdate", empty());
        fill(&mut spec["updateStrategy"]["rollingUpdate"], "maxUnavailable", 1);
        fill(&mut spec["updateStrategy"]["rollingUpdate"], "maxSurge", 0);
    }
    fill(spec, "revisionHistoryLimit", 10);
    template(spec);
}

/// Fills in a `ReplicationController`: its selector and its labels are those of its template.
pub fn replication_controller(controller: &mut Value) {
    let labels = controller["spec"]["template"]["metadata"]["labels"].clone();
    if labels.is_object() {
        fill(&mut controller["spec"], "selector", labels.clone());
        fill(&mut controller["metadata"], "labels", labels);
    }
    fill(&mut controller["spec"], "replicas", 1);
    template(&mut controller["spec"]);
}

/// Fills in a `PodTemplate`.
pub fn pod_template(object: &mut Value) {
    template(object);
}

/// Fills in a Job.
pub fn job(job: &mut Value) {
    job_spec(&mut job["spec"]);
    let has_labels = job["metadata"]["labels"].as_object().is_some_and(|labels| !labels.is_empty());
    let labels = job["spec"]["template"]["metadata"]["labels"].clone();
    if !has_labels && labels.is_object() {
        job["metadata"]["labels"] = labels;
    }
}

fn job_spec(spec: &mut Value) {
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        spec["completions"] = 1.into();
    }
    fill(spec, "parallelism", 1);
    fill(spec, "backoffLimit", 6);
    fill(spec, "completionMode", "NonIndexed");
    fill(spec, "suspend", false);
    fill(spec, "manualSelector", false);
    let replacement = if spec["podFailurePolicy"].is_null() { "TerminatingOrFailed" } else { "Failed" };
    fill(spec, "podReplacementPolicy", replacement);
    template(spec);
}

/// Fills in a CronJob.
pub fn cron_job(cron: &mut Value) {
    let spec = &mut cron["spec"];
    fill(spec, "concurrencyPolicy", "Allow");
    fill(spec, "suspend", false);
    fill(spec, "successfulJobsHistoryLimit", 3);
    fill(spec, "failedJobsHistoryLimit", 1);
    fill(&mut spec["jobTemplate"], "metadata", empty());
    fill(&mut spec["jobTemplate"], "spec", empty());
    template(&mut spec["jobTemplate"]["spec"]);
}

/// Sets the selector and labels of a new Job, from its own UID.
pub fn own_pods(job: &mut Value) {
    if job["spec"]["manualSelector"] == true {
        return;
    }
    let (uid, name) = (job["metadata"]["uid"].clone(), job["metadata"]["name"].clone());
    job["spec"]["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    let labels = &mut job["spec"]["template"]["metadata"]["labels"];
    for prefix in ["batch.kubernetes.io/", ""] {
        labels[format!("{prefix}controller-uid")] = uid.clone();
        labels[format!("{prefix}job-name")] = name.clone();
    }
}
