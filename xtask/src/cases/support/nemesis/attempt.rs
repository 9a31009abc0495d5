//! One run of a sequence of faults under load.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use cluster::NotApplicable;
use cluster::traffic::Direction;
use kube::ResourceExt;
use tokio::time::Instant;

use super::sequence::{Kind, Step};
use crate::cases::support::context::CaseContext;
use crate::cases::support::disturb::Disturbance;
use crate::cases::support::faults::slow_network::{self, Slow};
use crate::cases::support::faults::{partition, pause, traffic};
use crate::cases::support::kill::{self, Grace, Killed};
use crate::cases::support::lasting::Lasting;
use crate::cases::support::settled;
use crate::cases::support::victim::Victim;

/// A network on which elections still succeed, but requests and elections may overtake each other.
const SLOW: Slow = Slow { delay_ms: 50, jitter_ms: 150, loss_percent: 10 };

/// Runs a sequence of faults on a topology that has settled, and judges the history; returns the line for the summary.
///
/// # Errors
/// If the application does not recover, or its history breaks its promise.
pub async fn run(cx: &CaseContext, steps: &[Step]) -> anyhow::Result<String> {
    let disturbance = Disturbance::begin(cx, cx.replicas()?).await?;
    let mut nemesis =
        Nemesis { disturbance: &disturbance, in_force: Vec::new(), killed: Vec::new(), left_out: BTreeSet::new() };
    let began = Instant::now();
    for step in steps {
        nemesis.heal_until(began, Some(step.at_ms)).await?;
        nemesis.begin(step).await?;
    }
    nemesis.heal_until(began, None).await?;
    let left_out = nemesis.recovered().await?;
    disturbance.read_back().await?;
    // What faults cost that overlap says nothing about each of them, so there is no budget.
    let (note, _) = disturbance.judged().await?;
    Ok(format!("{note}{left_out}"))
}

/// The faults of a sequence so far.
struct Nemesis<'a, 'd> {
    disturbance: &'a Disturbance<'d>,
    in_force: Vec<InForce>,
    killed: Vec<Killed>,
    left_out: BTreeSet<String>,
}

/// A fault that lasts until it is healed.
struct InForce {
    until_ms: u64,
    kind: Kind,
    on: Victim,
    lasting: Lasting,
}

impl Nemesis<'_, '_> {
    /// Waits until the sequence's next moment, or until all faults are over, and heals those that are over by then.
    async fn heal_until(&mut self, began: Instant, at_ms: Option<u64>) -> anyhow::Result<()> {
        while let Some(index) = self.first_over(at_ms) {
            self.until(began, self.in_force[index].until_ms).await;
            let over = self.in_force.swap_remove(index);
            self.heal(&over).await?;
        }
        if let Some(at_ms) = at_ms {
            self.until(began, at_ms).await;
        }
        Ok(())
    }

    /// Returns the index of the fault that is over first, if it is by then.
    fn first_over(&self, by_ms: Option<u64>) -> Option<usize> {
        let (index, first) = self.in_force.iter().enumerate().min_by_key(|(_, fault)| fault.until_ms)?;
        by_ms.is_none_or(|by_ms| first.until_ms <= by_ms).then_some(index)
    }

    /// Waits for a moment of the sequence, which is a schedule and not a condition.
    async fn until(&self, began: Instant, ms: u64) {
        self.disturbance.cx.wait.waiting(format!(
            "{} faults so far, {} in force",
            self.killed.len(),
            self.in_force.len()
        ));
        tokio::time::sleep_until(began + Duration::from_millis(ms)).await;
    }

    async fn heal(&self, over: &InForce) -> anyhow::Result<()> {
        match over.kind {
            Kind::Pause => pause::prove(self.disturbance, &over.lasting, &over.on)?,
            Kind::Partition | Kind::Mute | Kind::Deaf | Kind::Slow => {
                let packets = traffic::packets_hit(self.disturbance, &over.lasting).await?;
                self.disturbance.recorder.evidence(over.lasting.fault, format!("{packets} packets hit"));
            }
            Kind::Kill => {}
        }
        over.lasting.heal(self.disturbance).await
    }

    /// Begins a fault, unless there is no replica for it or this cluster can't have it.
    async fn begin(&mut self, step: &Step) -> anyhow::Result<()> {
        let Some(victim) = self.victim(step).await else {
            self.leave_out(format!("{} at {} ms: no replica was free for it", step.fault.name(), step.at_ms));
            return Ok(());
        };
        let begun = match step.fault {
            Kind::Kill => return self.kill(&victim).await,
            Kind::Pause => pause::begin(self.disturbance, &victim).await?,
            Kind::Partition => self.cut(&victim, None).await?,
            Kind::Mute => self.cut(&victim, Some(Direction::Sends)).await?,
            Kind::Deaf => self.cut(&victim, Some(Direction::Receives)).await?,
            Kind::Slow => slow_network::begin(self.disturbance, SLOW).await?,
        };
        match begun {
            Ok(lasting) => {
                let until_ms = step.at_ms + step.for_ms;
                self.in_force.push(InForce { until_ms, kind: step.fault, on: victim, lasting });
            }
            Err(NotApplicable(why)) => self.leave_out(format!("{}: {why}", step.fault.name())),
        }
        Ok(())
    }

    async fn cut(
        &self,
        victim: &Victim,
        direction: Option<Direction>,
    ) -> anyhow::Result<Result<Lasting, NotApplicable>> {
        partition::between(self.disturbance, (BTreeSet::from([victim.name()]), victim.role()), direction).await
    }

    async fn kill(&mut self, victim: &Victim) -> anyhow::Result<()> {
        let (deployed, recorder) = (&self.disturbance.deployed, &self.disturbance.recorder);
        self.killed.push(kill::kill(deployed, recorder, &victim.name(), Grace::None, victim.role()).await?);
        Ok(())
    }

    /// Returns the replica for a fault, or else the next one that runs and that no fault has in its power. There is one
    /// slow network only.
    async fn victim(&self, step: &Step) -> Option<Victim> {
        if step.fault == Kind::Slow && self.in_force.iter().any(|fault| fault.kind == Kind::Slow) {
            return None;
        }
        let (deployed, replicas) = (&self.disturbance.deployed, self.disturbance.replicas);
        let names = deployed.names(replicas);
        let leader = settled::leader(deployed).await;
        let wanted = match step.on {
            Some(place) => names.get(place as usize % names.len().max(1)),
            None => leader.as_ref(),
        };
        let taken: BTreeSet<_> = self.in_force.iter().flat_map(|fault| fault.lasting.apart.iter()).collect();
        let mut free = wanted.into_iter().chain(&names).filter(|name| !taken.contains(name));
        let victim = free.find_map(|name| Victim::of(deployed, name).ok())?;
        Some(Victim { leads: leader == Some(victim.name()), ..victim })
    }

    fn leave_out(&mut self, what: String) {
        self.disturbance.cx.run.events.note(format!("{}: left out: {what}", self.disturbance.cx.name));
        self.left_out.insert(what);
    }

    /// Waits until everything has recovered; returns what was left out, for the summary.
    async fn recovered(self) -> anyhow::Result<String> {
        let disturbance = self.disturbance;
        let faults = disturbance.recorder.fault_count();
        let last = faults.checked_sub(1).context("no fault of the sequence happened")?;
        for killed in &self.killed {
            disturbance.successor(killed).await?;
        }
        // Liveness probes may have restarted what was paused or cut off.
        disturbance.restarts.forget();
        disturbance.settled_again(last).await?;
        (0..last).for_each(|fault| disturbance.recorder.recovered(fault));
        for killed in &self.killed {
            let after = disturbance.deployed.pod(&killed.before.name_any());
            let evidence = after.map_or_else(|| "its pod is gone".to_owned(), |after| killed.difference(&after));
            disturbance.recorder.evidence(killed.fault, evidence);
        }
        Ok(if self.left_out.is_empty() { String::new() } else { format!("; left out: {} faults", self.left_out.len()) })
    }
}
