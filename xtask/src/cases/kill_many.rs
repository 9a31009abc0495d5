//! `kill_many`: several replicas are killed at once under load, and their claims are kept.

use cluster::NotApplicable;
use cluster::changes::DiskFailure;
use futures::future::try_join_all;
use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::faults::disk;
use super::support::kill::{self, Grace};
use super::support::settled;
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "kill_many",
        summary: "all replicas, or a majority or minority of them with the leader, are killed at once, without a grace \
                  period. What was acknowledged is there once they are back",
        needs: &[&ready::CASE.kind],
        fewest_replicas: 2,
        parameters: Parameters::of::<With>(),
        check: has_a_minority,
        fails_disks: |case| case.with::<With>().is_ok_and(|with| with.power_fails),
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// How many replicas are killed; `all` by default.
    #[serde(default)]
    replicas: Share,
    /// Whether their disks lose power: what was written but never synced is lost, where that can be done; false by
    /// default.
    #[serde(default)]
    power_fails: bool,
}

/// A share of the replicas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Share {
    /// As many as can be lost without losing the quorum.
    Minority,
    /// One more, so that the quorum is lost.
    Majority,
    /// All of them.
    #[default]
    All,
}

impl Share {
    fn of(self, replicas: usize) -> usize {
        match self {
            Self::Minority => replicas.saturating_sub(1) / 2,
            Self::Majority => replicas / 2 + 1,
            Self::All => replicas,
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Minority => "a minority",
            Self::Majority => "a majority",
            Self::All => "all replicas",
        }
    }
}

fn has_a_minority(case: &CaseSpec, topology: &Topology, suite: &Suite) -> Result<(), String> {
    let replicas = suite.workload_of(case).and_then(|workload| workload.replicas(topology));
    if case.with::<With>()?.replicas == Share::Minority && replicas.is_some_and(|replicas| replicas < 3) {
        return Err("with fewer than 3 replicas, none can be lost: remove `replicas = \"minority\"`".to_owned());
    }
    Ok(())
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (replicas, With { replicas: share, power_fails }) = (cx.replicas()?, cx.with::<With>()?);
    let disturbance = Disturbance::begin(cx, replicas).await?;
    let deployed = &disturbance.deployed;
    let mut names = deployed.names(replicas);
    if let Some(leader) = settled::leader(deployed).await {
        names.sort_by_key(|name| *name != leader);
    }
    names.truncate(share.of(names.len()));
    let fault =
        disturbance.recorder.fault(format!("delete {} at once, grace 0: {}", share.describe(), names.join(", ")));
    let power = if power_fails { Some(cut_power(&disturbance, &names).await?) } else { None };
    let killed = try_join_all(names.iter().map(|name| kill::delete(deployed, name, Grace::None, || fault))).await?;
    // What was not synced is lost now; until then, no successor can use its claims.
    cx.undo_changes().await?;
    for one in &killed {
        disturbance.successor(one).await?;
    }
    disturbance.settled_again(fault).await?;
    let evidence = killed.iter().filter_map(|one| Some(one.difference(&deployed.pod(&one.before.name_any())?)));
    disturbance.recorder.evidence(fault, evidence.collect::<Vec<_>>().join("; "));
    disturbance.restarts.count(&deployed.replicas());
    disturbance.read_back().await?;
    let note = disturbance.end().await?;
    Ok(match power {
        None => note,
        Some(Ok(())) => format!("{note}; what was never synced was lost"),
        Some(Err(NotApplicable(why))) => format!("{note}; not proven that it was synced before: {why}"),
    })
}

/// Cuts the power of the disks of replicas, or returns why that can't be done.
async fn cut_power(disturbance: &Disturbance<'_>, names: &[String]) -> anyhow::Result<Result<(), NotApplicable>> {
    let pods: Vec<_> = names.iter().filter_map(|name| disturbance.deployed.pod(name)).collect();
    let changes = match disk::changes(&disturbance.deployed, &pods, DiskFailure::NoPower).await? {
        Ok(changes) => changes,
        Err(why) => return Ok(Err(why)),
    };
    for change in changes {
        if let Err(why) = disturbance.cx.make(change).await? {
            return Ok(Err(why));
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn a_minority_leaves_a_quorum_and_a_majority_does_not() {
        for (replicas, minority, majority) in [(2, 0, 2), (3, 1, 2), (4, 1, 3), (5, 2, 3)] {
            assert_eq!(
                (Share::Minority.of(replicas), Share::Majority.of(replicas)),
                (minority, majority),
                "{replicas}"
            );
            assert_eq!(Share::All.of(replicas), replicas);
        }
    }
}
