//! No name server responds to the replicas.

use std::collections::BTreeSet;

use super::traffic::of;
use crate::cases::support::disturb::Disturbance;
use crate::cases::support::lasting::Lasting;
use cluster::NotApplicable;
use cluster::traffic::{Direction, Effect, Others};

/// Loses all questions of the replicas to name servers.
///
/// # Errors
/// If a packet filter can't be set.
pub async fn begin(disturbance: &Disturbance<'_>) -> anyhow::Result<Result<Lasting, NotApplicable>> {
    let replicas = disturbance.deployed.replicas();
    let changes = replicas.iter().map(|pod| of(pod, Direction::Sends, Others::NameServers, Effect::CUT));
    let changes = changes.collect::<anyhow::Result<_>>()?;
    let what = "lose all questions of the replicas to name servers".to_owned();
    Lasting::begin(disturbance, what, changes, BTreeSet::new()).await
}
