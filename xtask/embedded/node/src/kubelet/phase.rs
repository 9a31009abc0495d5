//! The phase that follows from a pod's containers.

use k8s_openapi::api::core::v1::{ContainerStatus, PodSpec};

use super::record::is_sidecar;

/// The states of the main containers.
#[derive(Default)]
struct Tally {
    running: usize,
    waiting: usize,
    stopped: usize,
    succeeded: usize,
}

/// Returns `Pending`, `Running`, `Succeeded` or `Failed`. `stopping`: the pod is being stopped, so no container will be
/// started again.
pub(super) fn phase(
    spec: &PodSpec,
    init: &[ContainerStatus],
    main: &[ContainerStatus],
    stopping: bool,
) -> &'static str {
    let never = spec.restart_policy.as_deref() == Some("Never");
    if never && init.iter().any(|status| has_failed(spec, status)) {
        return "Failed";
    }
    if init.iter().any(|status| !is_initialized(spec, status)) && !stopping {
        return "Pending";
    }
    let tally = tally(main);
    if tally.waiting > 0 {
        "Pending"
    } else if tally.running > 0 {
        "Running"
    } else if tally.stopped == 0 {
        "Pending"
    } else {
        when_stopped(spec, &tally, stopping)
    }
}

fn when_stopped(spec: &PodSpec, tally: &Tally, stopping: bool) -> &'static str {
    let all_succeeded = tally.stopped == tally.succeeded;
    match spec.restart_policy.as_deref() {
        Some("Never" | "OnFailure") if all_succeeded => "Succeeded",
        Some("Never") => "Failed",
        _ if stopping && all_succeeded => "Succeeded",
        _ if stopping => "Failed",
        _ => "Running",
    }
}

fn tally(statuses: &[ContainerStatus]) -> Tally {
    let mut tally = Tally::default();
    for status in statuses {
        let state = status.state.as_ref();
        let ended = state.and_then(|s| s.terminated.as_ref());
        let ended_before = status.last_state.as_ref().and_then(|s| s.terminated.as_ref());
        if state.is_some_and(|s| s.running.is_some()) {
            tally.running += 1;
        } else if let Some(ended) = ended {
            tally.stopped += 1;
            tally.succeeded += usize::from(ended.exit_code == 0);
        } else if ended_before.is_some() {
            tally.stopped += 1;
        } else {
            tally.waiting += 1;
        }
    }
    tally
}

fn has_failed(spec: &PodSpec, status: &ContainerStatus) -> bool {
    let ended = status.state.as_ref().and_then(|state| state.terminated.as_ref());
    !sidecar(spec, &status.name) && ended.is_some_and(|ended| ended.exit_code != 0)
}

/// Returns whether an init container is complete: it succeeded or, as a sidecar, started.
pub(super) fn is_initialized(spec: &PodSpec, status: &ContainerStatus) -> bool {
    if sidecar(spec, &status.name) {
        return status.started == Some(true);
    }
    let ended = status.state.as_ref().and_then(|state| state.terminated.as_ref());
    ended.is_some_and(|ended| ended.exit_code == 0)
}

fn sidecar(spec: &PodSpec, name: &str) -> bool {
    spec.init_containers.iter().flatten().any(|container| container.name == name && is_sidecar(container))
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` returns values")]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(state: serde_json::Value) -> ContainerStatus {
        let status =
            json!({"name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state});
        serde_json::from_value(status).unwrap()
    }

    fn of(policy: &str, states: &[serde_json::Value], stopping: bool) -> &'static str {
        let spec = PodSpec { restart_policy: Some(policy.into()), ..PodSpec::default() };
        let main: Vec<_> = states.iter().cloned().map(status).collect();
        phase(&spec, &[], &main, stopping)
    }

    #[test]
    fn the_phase_follows_from_the_containers() {
        let (waiting, running) = (json!({"waiting": {}}), json!({"running": {}}));
        let ended = |code| json!({"terminated": {"exitCode": code}});
        assert_eq!(of("Always", std::slice::from_ref(&waiting), false), "Pending");
        assert_eq!(of("Always", &[running.clone(), waiting], false), "Pending");
        assert_eq!(of("Always", &[running.clone(), ended(3)], false), "Running");
        assert_eq!(of("Always", &[ended(0)], false), "Running");
        assert_eq!(of("Always", &[ended(0)], true), "Succeeded");
        assert_eq!(of("Always", &[ended(137)], true), "Failed");
        assert_eq!(of("OnFailure", &[ended(0), ended(0)], false), "Succeeded");
        assert_eq!(of("OnFailure", &[ended(0), ended(1)], false), "Running");
        assert_eq!(of("Never", &[ended(0), ended(1)], false), "Failed");
    }

    #[test]
    fn init_containers_keep_a_pod_pending() {
        let spec = |policy: &str| PodSpec { restart_policy: Some(policy.into()), ..PodSpec::default() };
        let failed = [status(json!({"terminated": {"exitCode": 1}}))];
        let main = [status(json!({"waiting": {}}))];
        assert_eq!(phase(&spec("Always"), &failed, &main, false), "Pending");
        assert_eq!(phase(&spec("Never"), &failed, &main, false), "Failed");
    }
}
