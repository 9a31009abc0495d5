//! Probes: one task for each probe of a running container.

mod check;
mod dial;
mod http;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

pub(super) use self::check::Target;
pub(super) use self::http::get;
use super::record::Health;
use super::reporter::Reporter;
use super::time;

/// The delay before the first probe, about as long as kubelet takes to notice that the container runs. A server that
/// listens at once passes its first probe.
const HEAD_START: Duration = Duration::from_millis(150);

/// The type of a container's probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeKind {
    Startup,
    Liveness,
    Readiness,
}

/// The result of a single probe.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ProbeResult {
    Success,
    /// With the message of the event.
    Failure(String),
}

/// A running probe.
pub(super) struct Prober {
    pub kind: ProbeKind,
    pub probe: Probe,
    pub target: Target,
    pub health: watch::Sender<Health>,
    pub reporter: Reporter,
    /// Wakes the pod's worker when the verdict changes.
    pub wake: Arc<Notify>,
    /// When the container was started.
    pub started_at: Instant,
}

/// Returns the probes of a container.
pub(super) fn of(container: &Container) -> impl Iterator<Item = (ProbeKind, Probe)> {
    let probes = [
        (ProbeKind::Startup, &container.startup_probe),
        (ProbeKind::Liveness, &container.liveness_probe),
        (ProbeKind::Readiness, &container.readiness_probe),
    ];
    probes.into_iter().filter_map(|(kind, probe)| Some((kind, probe.clone()?)))
}

/// Returns the health of a container that was just started: healthy, where there is no probe.
pub(super) fn initial(container: &Container) -> Health {
    let (started, ready) = (container.startup_probe.is_none(), container.readiness_probe.is_none());
    Health { started, ready, ..Health::default() }
}

impl Prober {
    /// Probes until the container is condemned or, for a startup probe, has started.
    pub async fn run(self) {
        if self.kind != ProbeKind::Startup && self.health.subscribe().wait_for(|health| health.started).await.is_err() {
            return;
        }
        let first = self.started_at + time::seconds(self.probe.initial_delay_seconds, 0).max(HEAD_START);
        let period = time::seconds(self.probe.period_seconds, 10).max(Duration::from_secs(1));
        let mut ticks = interval_at(first.max(Instant::now()), period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut streak = Streak::default();
        loop {
            ticks.tick().await;
            let finding = self.target.check(&self.probe).await;
            if let ProbeResult::Failure(why) = &finding {
                self.reporter.warning("Unhealthy", &format!("{:?} probe failed: {why}", self.kind));
            }
            if let Some(verdict) = streak.count(&finding, &self.probe)
                && self.judge(verdict)
            {
                return;
            }
        }
    }

    /// Applies a verdict; returns whether probing is over.
    fn judge(&self, well: bool) -> bool {
        let changed = self.health.send_if_modified(|health| {
            let before = *health;
            match self.kind {
                ProbeKind::Readiness => health.ready = well,
                ProbeKind::Startup if well => health.started = true,
                ProbeKind::Liveness if well => {}
                ProbeKind::Startup => health.failed = Some("startup"),
                ProbeKind::Liveness => health.failed = Some("liveness"),
            }
            if health.failed.is_some() {
                health.grace_s = self.probe.termination_grace_period_seconds;
            }
            *health != before
        });
        if changed {
            self.wake.notify_one();
        }
        match self.kind {
            ProbeKind::Readiness => false,
            ProbeKind::Startup => true,
            ProbeKind::Liveness => !well,
        }
    }
}

/// Consecutive successes or failures.
#[derive(Default)]
struct Streak {
    last: Option<bool>,
    length: i32,
}

impl Streak {
    /// Counts a finding; returns a verdict once its threshold is reached.
    fn count(&mut self, finding: &ProbeResult, probe: &Probe) -> Option<bool> {
        let well = *finding == ProbeResult::Success;
        self.length = if self.last == Some(well) { self.length.saturating_add(1) } else { 1 };
        self.last = Some(well);
        let threshold = if well { probe.success_threshold.unwrap_or(1) } else { probe.failure_threshold.unwrap_or(3) };
        (self.length >= threshold).then_some(well)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_needs_a_threshold_of_consecutive_findings() {
        let probe = Probe { success_threshold: Some(2), failure_threshold: Some(3), ..Probe::default() };
        let mut streak = Streak::default();
        let mut count = |well: bool| {
            let finding = if well { ProbeResult::Success } else { ProbeResult::Failure(String::new()) };
            streak.count(&finding, &probe)
        };
        let findings = [false, false, true, false, false, false, false, true, true];
        let verdicts = findings.map(&mut count);
        let failed = Some(false);
        assert_eq!(verdicts, [None, None, None, None, None, failed, failed, None, Some(true)]);
    }
}
