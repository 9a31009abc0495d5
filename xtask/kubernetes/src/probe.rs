//! What the last failed probe of a pod that runs but is not ready said.

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;

use super::objects;
use super::state::State;

/// Returns what the last failed startup or readiness probe of a pod's unready container said, as in
/// `startup probe: connection refused (web-0, port 8080, /health)`.
///
/// `None` if a container is not running, which then is the reason, or if no probe has failed.
pub fn last_failure(state: &State, pod: &Pod) -> Option<String> {
    let is_running = |status: &k8s_openapi::api::core::v1::ContainerStatus| {
        status.ready || status.state.as_ref().is_some_and(|state| state.running.is_some())
    };
    if !objects::main_containers(pod).all(is_running) {
        return None;
    }
    let name = pod.name_any();
    let events = state.events_about(&format!("Pod/{name}"));
    let own = |event: &&&Event| event.involved_object.uid.is_none() || event.involved_object.uid == pod.uid();
    let mut said = events.iter().filter(own).rev().filter(|event| event.reason.as_deref() == Some("Unhealthy"));
    let (kind, words, place) = said.find_map(|event| gist(event.message.as_deref()?))?;
    Some(format!("{kind} probe: {words} ({name}{place})"))
}

/// Returns the kind of probe, the cause, and what was asked, from the kubelet's message. The liveness probe's is left out: it restarts
/// the container, which is seen by its restarts.
fn gist(message: &str) -> Option<(&'static str, String, String)> {
    let (kind, rest) = [("startup", "Startup probe "), ("readiness", "Readiness probe ")]
        .into_iter()
        .find_map(|(kind, prefix)| Some((kind, message.strip_prefix(prefix)?)))?;
    let cause = rest.trim_start_matches("failed: ").trim();
    if let Some(status) = cause.strip_prefix("HTTP probe failed with statuscode: ") {
        return Some((kind, format!("status {status}"), String::new()));
    }
    // As Go's HTTP client says it: Get "http://10.244.0.5:8080/health": dial tcp 10.244.0.5:8080: connect: connection refused
    let Some((url, error)) = cause.strip_prefix("Get \"").and_then(|rest| rest.split_once("\": ")) else {
        return Some((kind, cause.lines().next().unwrap_or_default().to_owned(), String::new()));
    };
    let words = if error.contains("Client.Timeout") || error.contains("deadline exceeded") {
        "no response in time"
    } else {
        error.rsplit(": ").next().unwrap_or(error)
    };
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (address, path) = authority.split_once('/').unwrap_or((authority, ""));
    let port = address.rsplit(':').next().unwrap_or_default();
    Some((kind, words.to_owned(), format!(", port {port}, /{path}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(state: &serde_json::Value) -> Pod {
        let container = json!({
            "name": "web", "ready": false, "restartCount": 0, "image": "web", "imageID": "", "state": state,
        });
        let status = json!({ "phase": "Running", "containerStatuses": [container] });
        serde_json::from_value(json!({ "metadata": { "name": "web-0", "uid": "u" }, "status": status })).unwrap()
    }

    fn state(messages: &[(&str, &str)]) -> State {
        let event = |(index, (uid, message)): (usize, &(&str, &str))| {
            let object = json!({ "kind": "Pod", "name": "web-0", "uid": uid });
            let metadata = json!({ "name": format!("e{index}"), "resourceVersion": index.to_string() });
            let event =
                json!({ "metadata": metadata, "involvedObject": object, "reason": "Unhealthy", "message": message });
            (format!("e{index}"), serde_json::from_value(event).unwrap())
        };
        State { events: messages.iter().enumerate().map(event).collect(), ..State::default() }
    }

    #[test]
    fn each_way_to_fail_reads_differently() {
        let url = "Get \"http://10.244.0.5:8080/health\": ";
        for (message, expected) in [
            ("Readiness probe failed: HTTP probe failed with statuscode: 503", "readiness probe: status 503 (web-0)"),
            (
                &format!("Startup probe failed: {url}dial tcp 10.244.0.5:8080: connect: connection refused"),
                "startup probe: connection refused (web-0, port 8080, /health)",
            ),
            (
                &format!(
                    "Readiness probe failed: {url}context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
                ),
                "readiness probe: no response in time (web-0, port 8080, /health)",
            ),
            ("Readiness probe failed: could not connect\nto server", "readiness probe: could not connect (web-0)"),
        ] {
            let seen = last_failure(&state(&[("u", message)]), &pod(&json!({ "running": {} })));
            assert_eq!(seen.as_deref(), Some(expected));
        }
    }

    #[test]
    fn only_the_last_probe_of_this_pod_counts() {
        let running = pod(&json!({ "running": {} }));
        let events = [
            ("u", "Startup probe failed: first"),
            ("u", "Readiness probe failed: last"),
            ("u", "Liveness probe failed: alive?"),
            ("another", "Readiness probe failed: of its predecessor"),
        ];
        assert_eq!(last_failure(&state(&events), &running).as_deref(), Some("readiness probe: last (web-0)"));
        assert_eq!(last_failure(&state(&events[2..]), &running), None);
        let waiting = pod(&json!({ "waiting": { "reason": "CrashLoopBackOff" } }));
        assert_eq!(last_failure(&state(&events), &waiting), None);
    }
}
