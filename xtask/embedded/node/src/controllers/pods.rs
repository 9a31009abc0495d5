//! Properties of pods that controllers need.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, PodCondition};

use super::clock;

/// Whether a pod is available, given a controller's `minReadySeconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// Ready for long enough.
    Available,
    /// Ready, and available after this time if it stays so.
    After(Duration),
    /// Not ready.
    Unavailable,
}

/// Returns `status.phase`, empty if there is none yet.
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or_default()
}

/// Returns one of its conditions.
pub fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|c| c.type_ == kind)
}

/// Returns whether its `Ready` condition is true.
pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|c| c.status == "True")
}

/// Returns whether it is running and ready.
pub fn is_running_and_ready(pod: &Pod) -> bool {
    phase(pod) == "Running" && is_ready(pod)
}

/// Returns whether it is being deleted.
pub fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Returns whether all of its containers have ended for good.
pub fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Returns whether it has neither ended nor is being deleted.
pub fn is_active(pod: &Pod) -> bool {
    !is_finished(pod) && !is_terminating(pod)
}

/// Returns whether it has been ready for `min_ready`.
pub fn availability(pod: &Pod, min_ready: Duration) -> Availability {
    let Some(ready) = condition(pod, "Ready").filter(|c| c.status == "True") else {
        return Availability::Unavailable;
    };
    let since = ready.last_transition_time.as_ref();
    match since.and_then(|since| clock::remaining(since, min_ready)) {
        Some(left) if !min_ready.is_zero() => Availability::After(left),
        _ => Availability::Available,
    }
}

/// Returns the node that it is bound to.
pub fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty())
}

/// Returns the names of the claims that its volumes use.
pub fn claims(pod: &Pod) -> impl Iterator<Item = &str> {
    let volumes = pod.spec.iter().filter_map(|spec| spec.volumes.as_ref()).flatten();
    volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref()).map(|claim| claim.claim_name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ready(seconds_ago: i64) -> Pod {
        let at = chrono::Utc::now() - chrono::Duration::seconds(seconds_ago);
        let pod = json!({"status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": at.to_rfc3339()},
        ]}});
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn a_ready_pod_is_available_after_min_ready_seconds() {
        assert_eq!(availability(&ready(0), Duration::ZERO), Availability::Available);
        assert_eq!(availability(&ready(60), Duration::from_secs(30)), Availability::Available);
        let Availability::After(left) = availability(&ready(1), Duration::from_secs(30)) else { panic!() };
        assert!(left > Duration::from_secs(20) && left <= Duration::from_secs(29), "{left:?}");
        assert_eq!(availability(&Pod::default(), Duration::ZERO), Availability::Unavailable);
    }
}
