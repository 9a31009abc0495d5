//! Describes the last known state of a namespace: each object's state, conditions, containers and events.

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::ResourceExt;

use kubernetes::objects;
use kubernetes::watch::State;

/// Describes all watched objects.
pub fn namespace(state: &State) -> String {
    let pods = state.pods.values().map(|pod| (format!("Pod/{}", pod.name_any()), objects::pod_line(pod), of_pod(pod)));
    let line = |kind: &str, name: &str, line: String| (format!("{kind}/{name}"), line, String::new());
    let sets = state.stateful_sets.iter().map(|(name, set)| line("StatefulSet", name, objects::stateful_set_line(set)));
    let deployments =
        state.deployments.iter().map(|(name, found)| line("Deployment", name, objects::deployment_line(found)));
    let replica_sets =
        state.replica_sets.iter().map(|(name, set)| line("ReplicaSet", name, objects::replica_set_line(set)));
    let jobs = state.jobs.iter().map(|(name, job)| line("Job", name, objects::job_line(job)));
    let claims =
        state.claims.iter().map(|(name, claim)| line("PersistentVolumeClaim", name, objects::claim_line(claim)));
    let mut text = state.trouble.as_ref().map(|trouble| format!("{trouble}\n\n")).unwrap_or_default();
    for (object, line, more) in sets.chain(deployments).chain(replica_sets).chain(pods).chain(jobs).chain(claims) {
        let _ = write!(text, "{object}: {line}\n{more}");
        for event in state.events_about(&object) {
            let time = event.last_timestamp.as_ref().map(|time| time.0.to_string()).unwrap_or_default();
            let _ = writeln!(text, "  event {time} {}", objects::event_line(event));
        }
        text.push('\n');
    }
    text
}

fn of_pod(pod: &Pod) -> String {
    let mut text = String::new();
    let status = pod.status.as_ref();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("none");
    let _ = writeln!(text, "  node {node}, IP {}", objects::ip(pod).unwrap_or("none"));
    for condition in status.and_then(|status| status.conditions.as_ref()).into_iter().flatten() {
        let why = [condition.reason.as_deref(), condition.message.as_deref()].into_iter().flatten();
        let why: Vec<_> = why.filter(|why| !why.is_empty()).collect();
        let _ = writeln!(text, "  condition {}={} {}", condition.type_, condition.status, why.join(": "));
    }
    for container in objects::containers(pod) {
        let now = container.state.as_ref().map_or_else(|| "unknown".to_owned(), container_state);
        let before = container.last_state.as_ref().map(container_state).filter(|before| !before.is_empty());
        let before = before.map(|before| format!(", before: {before}")).unwrap_or_default();
        let restarts = container.restart_count;
        let _ =
            writeln!(text, "  container {} ({}): {now}, {restarts} restarts{before}", container.name, container.image);
    }
    text
}

fn container_state(state: &ContainerState) -> String {
    if let Some(waiting) = &state.waiting {
        let why = [waiting.reason.as_deref(), waiting.message.as_deref()].into_iter().flatten();
        return format!("waiting {}", why.collect::<Vec<_>>().join(": "));
    }
    if let Some(ended) = &state.terminated {
        let reason = ended.reason.as_deref().unwrap_or("terminated");
        let message = ended.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
        return format!("{reason} with exit code {}{message}", ended.exit_code);
    }
    state.running.as_ref().map(|_| "running".to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_described_with_its_previous_container_and_its_events() {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": { "name": "caesium-0" },
            "spec": { "nodeName": "n", "containers": [] },
            "status": {
                "phase": "Running", "podIP": "10.244.0.5",
                "conditions": [{ "type": "Ready", "status": "False", "reason": "ContainersNotReady" }],
                "containerStatuses": [{ "name": "caesium", "image": "i:1", "imageID": "", "ready": false,
                    "restartCount": 2, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
                    "lastState": { "terminated": { "exitCode": 1, "reason": "Error", "message": "no disk" } } }],
            },
        }))
        .unwrap();
        let event = serde_json::from_value(serde_json::json!({
            "metadata": { "name": "e" }, "reason": "BackOff", "message": "back-off",
            "involvedObject": { "kind": "Pod", "name": "caesium-0" }, "lastTimestamp": "2026-11-21T05:00:00Z",
        }))
        .unwrap();
        let mut state = State::default();
        state.pods.insert("caesium-0".to_owned(), pod);
        state.events.insert("e".to_owned(), event);
        let text = namespace(&state);
        for words in [
            "Pod/caesium-0: Running",
            "node n, IP 10.244.0.5",
            "condition Ready=False ContainersNotReady",
            "waiting CrashLoopBackOff, 2 restarts, before: Error with exit code 1: no disk",
            "event 2026-11-21T05:00:00Z BackOff: back-off",
        ] {
            assert!(text.contains(words), "{words} is missing in {text}");
        }
    }
}
