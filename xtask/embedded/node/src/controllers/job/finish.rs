//! The end of a job: it is decided first, and reported once all of its pods have ended.

use k8s_openapi::api::batch::v1::{JobCondition, JobStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{JobSync, clock, pods};

/// Returns whether a condition is true.
pub fn holds(status: &JobStatus, kind: &str) -> bool {
    find(status, kind).is_some()
}

fn find<'a>(status: &'a JobStatus, kind: &str) -> Option<&'a JobCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind && condition.status == "True")
}

/// Sets a condition; an existing one with this status stays as it is.
pub fn set(status: &mut JobStatus, kind: &str, value: &str, reason: &str, message: &str) {
    let conditions = status.conditions.get_or_insert_default();
    if conditions.iter().any(|condition| condition.type_ == kind && condition.status == value) {
        return;
    }
    conditions.retain(|condition| condition.type_ != kind);
    conditions.push(JobCondition {
        type_: kind.to_owned(),
        status: value.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: Some(clock::now()),
        last_transition_time: Some(clock::now()),
    });
}

/// Returns when the job ended.
pub fn finished_at(status: &JobStatus) -> Option<Time> {
    let over = find(status, "Complete").or_else(|| find(status, "Failed"))?;
    over.last_transition_time.clone()
}

/// Returns the decision, if there is one: `SuccessCriteriaMet` or `FailureTarget`.
pub fn target(status: &JobStatus) -> Option<&JobCondition> {
    find(status, "FailureTarget").or_else(|| find(status, "SuccessCriteriaMet"))
}

/// Decides whether the job has failed or succeeded.
pub fn judge(sync: &mut JobSync) {
    if target(&sync.status).is_some() {
        return;
    }
    let (succeeded, failed) = sync.totals();
    let limit = sync.spec.backoff_limit.unwrap_or(6);
    let exhausted = failed > limit || restarted_too_often(sync, limit);
    let failure = if exhausted {
        Some(("BackoffLimitExceeded", "Job has reached the specified backoff limit"))
    } else if is_late(sync) {
        Some(("DeadlineExceeded", "Job was active longer than specified deadline"))
    } else {
        None
    };
    if let Some((reason, message)) = failure {
        set(&mut sync.status, "FailureTarget", "True", reason, message);
        return;
    }
    let enough = match sync.spec.completions {
        Some(completions) => succeeded >= completions,
        // A work queue is complete when one pod has succeeded and none is left.
        None => succeeded > 0 && sync.active().next().is_none(),
    };
    if enough && sync.spec.suspend != Some(true) {
        let message = "Reached expected number of succeeded pods";
        set(&mut sync.status, "SuccessCriteriaMet", "True", "CompletionsReached", message);
    }
}

fn is_late(sync: &JobSync) -> bool {
    let limited = sync.spec.active_deadline_seconds.is_some() && sync.spec.suspend != Some(true);
    limited && sync.status.start_time.is_some() && sync.until_deadline().is_none()
}

/// Returns whether restarts inside pods have exceeded the limit, which they count towards as well.
fn restarted_too_often(sync: &JobSync, limit: i32) -> bool {
    let policy = sync.spec.template.spec.as_ref().and_then(|s| s.restart_policy.as_deref());
    if policy != Some("OnFailure") {
        return false;
    }
    let statuses = sync.active().filter_map(|pod| pod.status.as_ref());
    let containers = statuses.flat_map(|s| s.container_statuses.iter().chain(&s.init_container_statuses).flatten());
    let restarts: i32 = containers.map(|status| status.restart_count).sum();
    if limit == 0 { restarts > 0 } else { restarts >= limit }
}

/// Reports the end of the job, once none of its pods is running.
pub fn conclude(sync: &mut JobSync) {
    let Some(decided) = target(&sync.status).cloned() else { return };
    let running = |pod: &k8s_openapi::api::core::v1::Pod| !pods::is_finished(pod);
    if sync.pods.iter().any(running) {
        return;
    }
    let (reason, message) = (decided.reason.unwrap_or_default(), decided.message.unwrap_or_default());
    if decided.type_ == "FailureTarget" {
        set(&mut sync.status, "Failed", "True", &reason, &message);
        sync.say("Warning", &reason, &message);
    } else {
        set(&mut sync.status, "Complete", "True", &reason, &message);
        sync.status.completion_time = Some(clock::now());
        sync.say("Normal", "Completed", "Job completed");
    }
}
