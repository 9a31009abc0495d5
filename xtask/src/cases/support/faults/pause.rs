//! Every process of a replica's container is stopped, until it is continued.

use std::collections::BTreeSet;

use anyhow::ensure;
use k8s_openapi::api::core::v1::{Container, Pod, Probe};

use crate::cases::support::disturb::Disturbance;
use crate::cases::support::lasting::Lasting;
use crate::cases::support::victim::Victim;
use cluster::NotApplicable;

/// Stops every process of the container.
///
/// # Errors
/// If that fails.
pub async fn begin(disturbance: &Disturbance<'_>, victim: &Victim) -> anyhow::Result<Result<Lasting, NotApplicable>> {
    let (name, container) = (victim.name(), &victim.container.container);
    let what = format!("pause container {container} of Pod/{name} ({})", victim.role());
    Lasting::begin(disturbance, what, vec![victim.container.pause()], BTreeSet::from([name])).await
}

/// Records what shows that the container was paused: no request through it was answered.
///
/// # Errors
/// If one was.
pub fn prove(disturbance: &Disturbance<'_>, paused: &Lasting, victim: &Victim) -> anyhow::Result<()> {
    let (answered, sent) = disturbance.recorder.answered_through(&paused.apart, paused.since_ns);
    let name = victim.name();
    ensure!(answered == 0, "Pod/{name} answered {answered} requests while every process of its container was stopped");
    let for_ms = (disturbance.recorder.now_ns() - paused.since_ns) / 1_000_000;
    let evidence = format!("its processes did not run for {for_ms} ms; none of {sent} requests to it was answered");
    disturbance.recorder.evidence(paused.fault, evidence);
    Ok(())
}

/// Returns how many seconds a container can be paused before its liveness probe restarts it; none if no probe does. A
/// probe that only connects succeeds: the kernel accepts connections for a process that does not run.
pub fn longest_s(victim: &Victim) -> Option<u64> {
    let container = find(&victim.pod, &victim.container.container)?;
    let probe = container.liveness_probe.as_ref().filter(|probe| probe.tcp_socket.is_none())?;
    Some(fails_after_s(probe))
}

/// Returns the shortest time in which a probe without a response fails often enough.
fn fails_after_s(probe: &Probe) -> u64 {
    let field = |value: Option<i32>, default: u64| value.and_then(|v| u64::try_from(v).ok()).unwrap_or(default);
    let (period_s, timeout_s) = (field(probe.period_seconds, 10), field(probe.timeout_seconds, 1));
    (field(probe.failure_threshold, 3).max(1) - 1) * period_s + timeout_s
}

fn find<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    pod.spec.as_ref()?.containers.iter().find(|container| container.name == name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_probe_fails_after_as_many_periods_as_its_threshold() {
        let after = |probe| fails_after_s(&serde_json::from_value(probe).unwrap());
        assert_eq!(after(json!({})), 21, "Kubernetes' defaults");
        assert_eq!(after(json!({ "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 1 })), 2);
    }
}
