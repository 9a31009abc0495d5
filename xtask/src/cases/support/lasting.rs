//! A fault that lasts until it is healed: changes on nodes, and the replicas that they stop or cut off.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use super::disturb::Disturbance;
use cluster::NotApplicable;
use cluster::lease::Change;
use suite::{CaseSpec, Suite, Topology};

/// The parameter that the cases of such faults have in common.
#[derive(Deserialize)]
struct With {
    for_s: Option<u64>,
}

/// Checks that the fault can end within the case's time limit.
///
/// # Errors
/// If it can't, with what to write.
pub fn check(case: &CaseSpec, _: &Topology, suite: &Suite) -> Result<(), String> {
    let (for_s, limit_s) = (case.with::<With>()?.for_s.unwrap_or(0), suite.timeout(case).as_secs());
    if for_s < limit_s {
        return Ok(());
    }
    Err(format!("`for_s = {for_s}` is not below its time limit of {limit_s} s: write more into [timeouts_s]"))
}

/// A fault in force.
pub struct Lasting {
    /// Its number in the recorder.
    pub fault: usize,
    /// When it was in force, on the run's clock.
    pub since_ns: u64,
    /// The replicas that it stops or cuts off.
    pub apart: BTreeSet<String>,
    what: String,
    changes: Vec<Change>,
}

impl Lasting {
    /// Makes the changes and records the fault, or returns why this cluster can't make one of them.
    ///
    /// # Errors
    /// If a change fails.
    pub async fn begin(
        disturbance: &Disturbance<'_>,
        what: String,
        changes: Vec<Change>,
        apart: BTreeSet<String>,
    ) -> anyhow::Result<Result<Self, NotApplicable>> {
        let began_ns = disturbance.recorder.now_ns();
        for (made, change) in changes.iter().enumerate() {
            if let Err(why) = disturbance.cx.make(change.clone()).await? {
                disturbance.cx.undo(&changes[..made]).await?;
                return Ok(Err(why));
            }
        }
        let fault = disturbance.recorder.lasting_fault(&what, apart.clone(), began_ns);
        let since_ns = disturbance.recorder.now_ns();
        Ok(Ok(Self { fault, since_ns, apart, what, changes }))
    }

    /// Keeps the fault in force for this long and, if the other replicas are a majority, until one of them then
    /// acknowledges a write: one that it acknowledged before may have been under way when the fault began.
    ///
    /// # Errors
    /// If none does so within the case's time limit.
    pub async fn held(&self, disturbance: &Disturbance<'_>, for_s: u64) -> anyhow::Result<()> {
        disturbance.cx.wait.waiting(format!("{}: for {for_s} s", self.what));
        tokio::time::sleep(Duration::from_secs(for_s)).await;
        let others = (disturbance.replicas as usize).saturating_sub(self.apart.len());
        if others <= disturbance.replicas as usize / 2 {
            return Ok(());
        }
        disturbance.acknowledged_without(&self.apart, disturbance.recorder.now_ns(), &self.what).await
    }

    /// Returns its changes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Undoes the changes.
    ///
    /// # Errors
    /// If one can't be undone; all others are undone.
    pub async fn heal(&self, disturbance: &Disturbance<'_>) -> anyhow::Result<()> {
        let healed = disturbance.cx.undo(&self.changes).await;
        disturbance.recorder.healed(self.fault);
        healed
    }
}
