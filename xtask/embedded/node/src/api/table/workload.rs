//! Columns of workloads and of what belongs to them.

use serde_json::Value;

use super::{AGE, Column, NAME, age, column, items, labels, number, or_none, text, wide};

const CONTAINERS: Column = wide("Containers", |object| listed(object, "name"));
const IMAGES: Column = wide("Images", |object| listed(object, "image"));
const SELECTOR: Column = wide("Selector", |object| or_none(&labels(&object["spec"]["selector"]["matchLabels"])));

fn listed(object: &Value, field: &str) -> Value {
    let values: Vec<&str> =
        items(object, "/spec/template/spec/containers").filter_map(|container| container[field].as_str()).collect();
    values.join(",").into()
}

fn ready(object: &Value) -> Value {
    format!("{}/{}", number(object, "/status/readyReplicas"), number(object, "/spec/replicas")).into()
}

/// Columns of a `StatefulSet`.
pub const STATEFUL_SET: &[Column] = &[NAME, column("Ready", ready), AGE, CONTAINERS, IMAGES];

/// Columns of a Deployment.
pub const DEPLOYMENT: &[Column] = &[
    NAME,
    column("Ready", ready),
    column("Up-to-date", |object| number(object, "/status/updatedReplicas").into()),
    column("Available", |object| number(object, "/status/availableReplicas").into()),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

/// Columns of a `ReplicaSet`.
pub const REPLICA_SET: &[Column] = &[
    NAME,
    column("Desired", |object| number(object, "/spec/replicas").into()),
    column("Current", |object| number(object, "/status/replicas").into()),
    column("Ready", |object| number(object, "/status/readyReplicas").into()),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

/// Columns of a `DaemonSet`.
pub const DAEMON_SET: &[Column] = &[
    NAME,
    column("Desired", |object| number(object, "/status/desiredNumberScheduled").into()),
    column("Current", |object| number(object, "/status/currentNumberScheduled").into()),
    column("Ready", |object| number(object, "/status/numberReady").into()),
    column("Up-to-date", |object| number(object, "/status/updatedNumberScheduled").into()),
    column("Available", |object| number(object, "/status/numberAvailable").into()),
    column("Node Selector", |object| or_none(&labels(&object["spec"]["template"]["spec"]["nodeSelector"]))),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

/// Columns of a Job.
pub const JOB: &[Column] = &[
    NAME,
    column("Status", |job| job_status(job).into()),
    column("Completions", |job| {
        let wanted = job["spec"]["completions"].as_i64().unwrap_or_else(|| number(job, "/spec/parallelism"));
        format!("{}/{wanted}", number(job, "/status/succeeded")).into()
    }),
    column("Duration", |job| job_duration(job).into()),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

fn job_status(job: &Value) -> &'static str {
    let holds = |name: &str| items(job, "/status/conditions").any(|c| c["type"] == *name && c["status"] == "True");
    match () {
        () if holds("Complete") => "Complete",
        () if holds("Failed") => "Failed",
        () if job["metadata"]["deletionTimestamp"].is_string() => "Terminating",
        () if holds("Suspended") => "Suspended",
        () if holds("FailureTarget") => "FailureTarget",
        () if holds("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn job_duration(job: &Value) -> String {
    let time = |pointer: &str| chrono::DateTime::parse_from_rfc3339(&text(job, pointer)).ok();
    match (time("/status/startTime"), time("/status/completionTime")) {
        (None, _) => String::new(),
        (Some(_), None) => age::since(&job["status"]["startTime"]),
        (Some(start), Some(end)) => age::duration((end - start).num_seconds()),
    }
}

/// Columns of a `CronJob`.
pub const CRON_JOB: &[Column] = &[
    NAME,
    column("Schedule", |cron| cron["spec"]["schedule"].clone()),
    column("Timezone", |cron| or_none(&text(cron, "/spec/timeZone"))),
    column("Suspend", |cron| if cron["spec"]["suspend"] == true { "True".into() } else { "False".into() }),
    column("Active", |cron| items(cron, "/status/active").count().into()),
    column("Last Schedule", |cron| {
        let last = &cron["status"]["lastScheduleTime"];
        if last.is_string() { age::since(last).into() } else { "<none>".into() }
    }),
    AGE,
];

/// Columns of a `HorizontalPodAutoscaler`; this cluster has no metrics.
pub const AUTOSCALER: &[Column] = &[
    NAME,
    column("Reference", |scaler| {
        format!("{}/{}", text(scaler, "/spec/scaleTargetRef/kind"), text(scaler, "/spec/scaleTargetRef/name")).into()
    }),
    column("Targets", |scaler| or_none(&items(scaler, "/spec/metrics").map(target).collect::<Vec<_>>().join(", "))),
    column("MinPods", |scaler| number(scaler, "/spec/minReplicas").into()),
    column("MaxPods", |scaler| number(scaler, "/spec/maxReplicas").into()),
    column("Replicas", |scaler| number(scaler, "/status/currentReplicas").into()),
    AGE,
];

fn target(metric: &Value) -> String {
    let percent = &metric["resource"]["target"]["averageUtilization"];
    match percent.as_i64() {
        Some(percent) => format!("{}: <unknown>/{percent}%", text(metric, "/resource/name")),
        None => "<unknown>".to_owned(),
    }
}

/// Columns of a `PodDisruptionBudget`.
pub const BUDGET: &[Column] = &[
    NAME,
    column("Min Available", |budget| or_not_available(&text(budget, "/spec/minAvailable"))),
    column("Max Unavailable", |budget| or_not_available(&text(budget, "/spec/maxUnavailable"))),
    column("Allowed Disruptions", |budget| number(budget, "/status/disruptionsAllowed").into()),
    AGE,
];

fn or_not_available(text: &str) -> Value {
    if text.is_empty() { "N/A".into() } else { text.into() }
}

/// Columns of a `ControllerRevision`.
pub const REVISION: &[Column] = &[
    NAME,
    column("Controller", |revision| {
        let owner = items(revision, "/metadata/ownerReferences").find(|owner| owner["controller"] == true);
        let Some(owner) = owner else { return "<none>".into() };
        let (kind, version, name) = (text(owner, "/kind"), text(owner, "/apiVersion"), text(owner, "/name"));
        let group = version.split_once('/').map_or(String::new(), |(group, _)| format!(".{group}"));
        format!("{}{group}/{name}", kind.to_lowercase()).into()
    }),
    column("Revision", |revision| number(revision, "/revision").into()),
    AGE,
];
