//! Packets between replicas that are late or lost.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::traffic::{ips, of};
use crate::cases::support::disturb::Disturbance;
use crate::cases::support::lasting::Lasting;
use cluster::NotApplicable;
use cluster::traffic::{Direction, Effect, Others};

/// How slow the network is.
#[derive(Debug, Clone, Copy)]
pub struct Slow {
    /// How late each packet is.
    pub delay_ms: u32,
    /// How much later it may be.
    pub jitter_ms: u32,
    /// How many of 100 are lost.
    pub loss_percent: u8,
}

impl Slow {
    fn effects(self) -> impl Iterator<Item = Effect> {
        let Self { delay_ms, jitter_ms, loss_percent } = self;
        let late = (delay_ms + jitter_ms > 0).then_some(Effect::Late { delay_ms, jitter_ms });
        let lost = (loss_percent > 0).then_some(Effect::Lost { percent: loss_percent });
        late.into_iter().chain(lost)
    }
}

/// Slows down what each replica sends to the others.
///
/// # Errors
/// If that fails.
pub async fn begin(disturbance: &Disturbance<'_>, slow: Slow) -> anyhow::Result<Result<Lasting, NotApplicable>> {
    let replicas = disturbance.deployed.replicas();
    let mut changes = Vec::new();
    for pod in &replicas {
        let others = ips(replicas.iter().filter(|other| other.name_any() != pod.name_any()));
        for effect in slow.effects() {
            changes.push(of(pod, Direction::Sends, Others::Only(others.clone()), effect)?);
        }
    }
    let Slow { delay_ms, jitter_ms, loss_percent } = slow;
    let what =
        format!("slow the network between replicas: {delay_ms} to {} ms, {loss_percent} % lost", delay_ms + jitter_ms);
    Lasting::begin(disturbance, what, changes, BTreeSet::new()).await
}
