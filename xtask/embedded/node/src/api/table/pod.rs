//! Columns of pods.

use serde_json::Value;

use super::{AGE, Column, NAME, age, column, items, number, or_none, text, wide};

/// Columns of a Pod.
pub const COLUMNS: &[Column] = &[
    NAME,
    column("Ready", |pod| ready(pod).into()),
    column("Status", |pod| status(pod).into()),
    column("Restarts", |pod| restarts(pod).into()),
    AGE,
    wide("IP", |pod| or_none(&text(pod, "/status/podIP"))),
    wide("Node", |pod| or_none(&text(pod, "/spec/nodeName"))),
    wide("Nominated Node", |pod| or_none(&text(pod, "/status/nominatedNodeName"))),
    wide("Readiness Gates", |pod| {
        let gates = items(pod, "/spec/readinessGates").count();
        if gates == 0 { "<none>".into() } else { format!("0/{gates}").into() }
    }),
];

/// Returns `1/2`: sidecars count as containers.
fn ready(pod: &Value) -> String {
    let is_sidecar = |name: &Value| {
        items(pod, "/spec/initContainers")
            .any(|container| container["name"] == *name && container["restartPolicy"] == "Always")
    };
    let sidecars = items(pod, "/spec/initContainers").filter(|container| is_sidecar(&container["name"])).count();
    let of_sidecars = items(pod, "/status/initContainerStatuses").filter(|status| is_sidecar(&status["name"]));
    let statuses = items(pod, "/status/containerStatuses").chain(of_sidecars);
    let ready = statuses.filter(|status| status["ready"] == true).count();
    format!("{ready}/{}", items(pod, "/spec/containers").count() + sidecars)
}

/// Returns the word that summarizes a pod's state.
fn status(pod: &Value) -> String {
    let is_deleting = pod["metadata"]["deletionTimestamp"].is_string();
    let mut shown = text(pod, "/status/phase");
    let reason = text(pod, "/status/reason");
    if !reason.is_empty() {
        shown.clone_from(&reason);
    }
    if items(pod, "/status/conditions").any(|c| c["type"] == "PodScheduled" && c["reason"] == "SchedulingGated") {
        "SchedulingGated".clone_into(&mut shown);
    }
    let init = initializing(pod);
    let is_initializing = init.is_some();
    shown = init.unwrap_or(shown);
    if !is_initializing {
        shown = running(pod).unwrap_or(shown);
    }
    match (is_deleting, reason.as_str(), text(pod, "/status/phase").as_str()) {
        (true, "NodeLost", _) => "Unknown".to_owned(),
        (true, _, "Succeeded" | "Failed") | (false, ..) => shown,
        (true, ..) => "Terminating".to_owned(),
    }
}

/// Returns `Init:1/2`, `Init:Error` … while init containers run.
fn initializing(pod: &Value) -> Option<String> {
    let count = items(pod, "/spec/initContainers").count();
    for (index, status) in items(pod, "/status/initContainerStatuses").enumerate() {
        let spec = items(pod, "/spec/initContainers").find(|container| container["name"] == status["name"]);
        let is_sidecar = spec.is_some_and(|container| container["restartPolicy"] == "Always");
        let (terminated, waiting) = (&status["state"]["terminated"], &status["state"]["waiting"]);
        if terminated.is_object() && number(terminated, "/exitCode") == 0 || is_sidecar && status["started"] == true {
            continue;
        }
        let reason = text(waiting, "/reason");
        return Some(if terminated.is_object() {
            format!("Init:{}", ended(terminated))
        } else if !reason.is_empty() && reason != "PodInitializing" {
            format!("Init:{reason}")
        } else {
            format!("Init:{index}/{count}")
        });
    }
    None
}

/// Returns the state of the containers; the first one takes precedence.
fn running(pod: &Value) -> Option<String> {
    let mut shown = None;
    let mut has_running = false;
    let statuses: Vec<&Value> = items(pod, "/status/containerStatuses").collect();
    for status in statuses.into_iter().rev() {
        let (terminated, waiting) = (&status["state"]["terminated"], text(&status["state"], "/waiting/reason"));
        if !waiting.is_empty() {
            shown = Some(waiting);
        } else if terminated.is_object() {
            shown = Some(ended(terminated));
        } else if status["ready"] == true && status["state"]["running"].is_object() {
            has_running = true;
        }
    }
    if shown.as_deref() == Some("Completed") && has_running {
        let is_ready = items(pod, "/status/conditions").any(|c| c["type"] == "Ready" && c["status"] == "True");
        return Some(if is_ready { "Running" } else { "NotReady" }.to_owned());
    }
    shown
}

fn ended(terminated: &Value) -> String {
    let (reason, signal) = (text(terminated, "/reason"), number(terminated, "/signal"));
    match (reason.as_str(), signal) {
        ("", 0) => format!("ExitCode:{}", number(terminated, "/exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        _ => reason,
    }
}

/// Returns `3 (20s ago)`.
fn restarts(pod: &Value) -> String {
    let statuses = || items(pod, "/status/containerStatuses").chain(items(pod, "/status/initContainerStatuses"));
    let count: i64 = statuses().map(|status| number(status, "/restartCount")).sum();
    let last = statuses()
        .filter_map(|status| status.pointer("/lastState/terminated/finishedAt"))
        .filter_map(Value::as_str)
        .max();
    match last {
        Some(last) if count > 0 => format!("{count} ({} ago)", age::since(&last.into())),
        _ => count.to_string(),
    }
}
