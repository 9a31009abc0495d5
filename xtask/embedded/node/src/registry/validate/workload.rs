//! StatefulSets, Deployments, ReplicaSets, Jobs and CronJobs.

use serde_json::{Map, Value, json};

use super::{Cause, immutable, meta, names, not_negative, one_of, pod};
use crate::registry::value::{items, remove, text};

const STATEFUL_SET_CHANGEABLE: &[&str] = &[
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// Checks a StatefulSet.
pub fn stateful_set(set: &Value) -> Vec<Cause> {
    let spec = &set["spec"];
    let mut causes = Vec::new();
    let name = text(&set["metadata"], "name");
    let faults = names::label(name);
    if names::subdomain(name).is_empty() {
        causes.extend(faults.iter().map(|fault| Cause::bad("metadata.name", &json!(name), fault)));
    }
    one_of(spec, "podManagementPolicy", "spec", &["OrderedReady", "Parallel"], &mut causes);
    one_of(&spec["updateStrategy"], "type", "spec.updateStrategy", &["OnDelete", "RollingUpdate"], &mut causes);
    not_negative(
        &spec["updateStrategy"]["rollingUpdate"],
        "partition",
        "spec.updateStrategy.rollingUpdate",
        &mut causes,
    );
    // kube-apiserver does not check the templates either: their pods and claims are rejected one by one.
    causes.extend(meta::labels(&spec["template"]["metadata"]["labels"], "spec.template.labels"));
    replicated(spec, "statefulset", &mut causes);
    causes
}

/// Checks a Deployment.
pub fn deployment(deployment: &Value) -> Vec<Cause> {
    let spec = &deployment["spec"];
    let mut causes = Vec::new();
    replicated(spec, "deployment", &mut causes);
    template(&spec["template"], "spec.template", &mut causes);
    one_of(&spec["strategy"], "type", "spec.strategy", &["Recreate", "RollingUpdate"], &mut causes);
    let rolling = &spec["strategy"]["rollingUpdate"];
    if spec["strategy"]["type"] == "Recreate" && rolling.is_object() {
        let why = "may not be specified when strategy `type` is 'Recreate'";
        causes.push(Cause::forbidden("spec.strategy.rollingUpdate", why));
    }
    let is_zero = |value: &Value| value.as_i64() == Some(0) || value.as_str() == Some("0%");
    if is_zero(&rolling["maxUnavailable"]) && is_zero(&rolling["maxSurge"]) {
        let why = "may not be 0 when `maxSurge` is 0";
        let field = "spec.strategy.rollingUpdate.maxUnavailable";
        causes.push(Cause::bad(field, &rolling["maxUnavailable"], why));
    }
    not_negative(spec, "progressDeadlineSeconds", "spec", &mut causes);
    let deadline = spec["progressDeadlineSeconds"].as_i64();
    if deadline.is_some_and(|deadline| deadline <= spec["minReadySeconds"].as_i64().unwrap_or(0)) {
        let why = "must be greater than minReadySeconds";
        causes.push(Cause::bad("spec.progressDeadlineSeconds", &spec["progressDeadlineSeconds"], why));
    }
    causes
}

/// Checks a ReplicaSet.
pub fn replica_set(set: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    replicated(&set["spec"], "replicaset", &mut causes);
    template(&set["spec"]["template"], "spec.template", &mut causes);
    causes
}

/// Checks a `DaemonSet`.
pub fn daemon_set(set: &Value) -> Vec<Cause> {
    let spec = &set["spec"];
    let mut causes = Vec::new();
    replicated(spec, "daemonset", &mut causes);
    template(&spec["template"], "spec.template", &mut causes);
    one_of(&spec["updateStrategy"], "type", "spec.updateStrategy", &["RollingUpdate", "OnDelete"], &mut causes);
    let rolling = &spec["updateStrategy"]["rollingUpdate"];
    let is_zero = |value: &Value| value.is_null() || value.as_i64() == Some(0) || value.as_str() == Some("0%");
    let path = "spec.updateStrategy.rollingUpdate";
    if rolling.is_object() {
        match (is_zero(&rolling["maxUnavailable"]), is_zero(&rolling["maxSurge"])) {
            (true, true) => {
                let field = format!("{path}.maxUnavailable");
                causes.push(Cause::required(field, "cannot be 0 when maxSurge is 0"));
            }
            (false, false) => {
                let why = "may not be set when maxUnavailable is non-zero";
                causes.push(Cause::bad(format!("{path}.maxSurge"), &rolling["maxSurge"], why));
            }
            _ => {}
        }
    }
    causes
}

/// Checks what all workloads with a number of pods have in common.
fn replicated(spec: &Value, sort: &str, causes: &mut Vec<Cause>) {
    not_negative(spec, "replicas", "spec", causes);
    not_negative(spec, "minReadySeconds", "spec", causes);
    not_negative(spec, "revisionHistoryLimit", "spec", causes);
    let selector = &spec["selector"];
    if selector.is_null() {
        causes.push(Cause::required("spec.selector", ""));
    } else if is_empty_selector(selector) {
        let why = format!("empty selector is invalid for {sort}");
        causes.push(Cause::bad("spec.selector", &json!({}), &why));
    } else {
        causes.extend(meta::labels(&selector["matchLabels"], "spec.selector.matchLabels"));
        if !selects(selector, &spec["template"]["metadata"]["labels"]) {
            let labels = spec["template"]["metadata"]["labels"].clone();
            let labels = if labels.is_null() { Value::Object(Map::new()) } else { labels };
            let why = "`selector` does not match template `labels`";
            causes.push(Cause::bad("spec.template.metadata.labels", &labels, why));
        }
    }
    let policy = &spec["template"]["spec"]["restartPolicy"];
    if matches!(policy.as_str(), Some("OnFailure" | "Never")) {
        causes.push(Cause::not_supported("spec.template.spec.restartPolicy", policy, &["Always"]));
    }
}

fn template(template: &Value, path: &str, causes: &mut Vec<Cause>) {
    causes.extend(meta::labels(&template["metadata"]["labels"], &format!("{path}.labels")));
    causes.extend(pod::spec(&template["spec"], &format!("{path}.spec")));
}

fn is_empty_selector(selector: &Value) -> bool {
    let labels = selector["matchLabels"].as_object().is_none_or(Map::is_empty);
    labels && items(selector, "matchExpressions").next().is_none()
}

fn selects(selector: &Value, labels: &Value) -> bool {
    let parsed = serde_json::from_value(selector.clone());
    let labels = serde_json::from_value(labels.clone()).unwrap_or_default();
    parsed.is_ok_and(|selector| crate::selector::matches(&selector, Some(&labels)))
}

/// Checks a Job.
pub fn job(job: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    job_spec(&job["spec"], "spec", &mut causes);
    causes
}

fn job_spec(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    for field in ["parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"] {
        not_negative(spec, field, path, causes);
    }
    one_of(spec, "completionMode", path, &["Indexed", "NonIndexed"], causes);
    let field = format!("{path}.template.spec.restartPolicy");
    let policy = &spec["template"]["spec"]["restartPolicy"];
    let valid = "valid values: \"OnFailure\", \"Never\"";
    template(&spec["template"], &format!("{path}.template"), causes);
    if policy == "Always" {
        causes.push(Cause::required(field, valid));
    }
}

/// Checks a CronJob.
pub fn cron_job(cron: &Value) -> Vec<Cause> {
    let spec = &cron["spec"];
    let mut causes = Vec::new();
    if text(spec, "schedule").is_empty() {
        causes.push(Cause::required("spec.schedule", ""));
    }
    one_of(spec, "concurrencyPolicy", "spec", &["Allow", "Forbid", "Replace"], &mut causes);
    job_spec(&spec["jobTemplate"]["spec"], "spec.jobTemplate.spec", &mut causes);
    causes
}

/// Checks a StatefulSet that replaces another.
pub fn stateful_set_changed(stored: &Value, set: &Value) -> Vec<Cause> {
    let fixed = |set: &Value| {
        let mut spec = set["spec"].clone();
        for field in STATEFUL_SET_CHANGEABLE {
            remove(&mut spec, field);
        }
        spec
    };
    if immutable::is_same(&fixed(stored), &fixed(set)) {
        return Vec::new();
    }
    let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
        'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are \
        forbidden";
    vec![Cause::forbidden("spec", why)]
}

/// Checks a Job that replaces another.
pub fn job_changed(stored: &Value, job: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (before, after) = (&stored["spec"], &job["spec"]);
    let is_waiting = before["suspend"] == true;
    if !is_waiting && !immutable::is_same(&before["template"], &after["template"]) {
        causes.push(Cause::bad("spec.template", &after["template"], "field is immutable"));
    }
    if before["completions"] != after["completions"] {
        let is_indexed = after["completionMode"] == "Indexed";
        if !is_indexed {
            causes.push(Cause::bad("spec.completions", &after["completions"], "field is immutable"));
        } else if after["completions"] != after["parallelism"] {
            let why = "can only be modified in tandem with spec.parallelism";
            causes.push(Cause::bad("spec.completions", &after["completions"], why));
        }
    }
    causes
}
