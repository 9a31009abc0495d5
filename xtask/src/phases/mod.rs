//! The phases: what each case is, what it needs, and where it is written.

use serde::Deserialize;

use self::context::Cx;
use crate::suite::{CaseSpec, Suite};

mod chart_dry_run;
mod chart_lint;
mod chart_template;
mod cluster_create;
mod cluster_delete;
pub mod context;
mod disruption_budget;
mod disturb;
pub mod explain;
mod health;
mod helm_test;
mod images_load;
mod install;
mod kill;
mod leader_write_follower_read;
mod pod_kill;
mod pod_kill_follower;
mod pod_kill_leader;
mod pod_kill_zero;
mod ready;
mod replace_all;
mod rollback;
mod rolled_out;
mod scale_up;
mod service;
mod settled;
mod uninstall;
mod upgrade;
mod voters;
mod write_read;

/// Runs one case; answers a line for the summary.
///
/// # Errors
/// Why it does not hold: the first sentence is for a tired person.
pub async fn run(phase: Phase, cx: &Cx) -> anyhow::Result<String> {
    match phase {
        ChartLint => chart_lint::run(cx).await,
        ChartTemplate => chart_template::run(cx).await,
        ClusterCreate => cluster_create::run(cx).await,
        ChartDryRun => chart_dry_run::run(cx).await,
        ImagesLoad => images_load::run(cx).await,
        Install => install::run(cx).await,
        Ready => ready::run(cx).await,
        HelmTest => helm_test::run(cx).await,
        Health => health::run(cx).await,
        WriteRead => write_read::run(cx).await,
        Voters => voters::run(cx).await,
        LeaderWriteFollowerRead => leader_write_follower_read::run(cx).await,
        PodKill => pod_kill::run(cx).await,
        PodKillLeader => pod_kill_leader::run(cx).await,
        PodKillFollower => pod_kill_follower::run(cx).await,
        PodKillZero => pod_kill_zero::run(cx).await,
        ReplaceAll => replace_all::run(cx).await,
        DisruptionBudget => disruption_budget::run(cx).await,
        Upgrade => upgrade::run(cx).await,
        Rollback => rollback::run(cx).await,
        ScaleUp => scale_up::run(cx).await,
        Uninstall => uninstall::run(cx).await,
        ClusterDelete => cluster_delete::run(cx).await,
    }
}

/// Whether a case's parameters are right; answers what is wrong.
pub fn check(_: &Suite, case: &CaseSpec) -> Result<(), String> {
    let mut given = case.with.keys();
    given.next().map_or(Ok(()), |key| Err(format!("it has no parameter `{key}`")))
}

/// A kind of case. One file of this folder each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// `helm lint` with each of the chart's `ci/*.yaml`.
    ChartLint,
    /// `helm template` with each topology's values.
    ChartTemplate,
    /// The cluster is there and answers.
    ClusterCreate,
    /// The rendered objects are accepted by the API server, dry.
    ChartDryRun,
    /// Every image that the chart needs is on the node.
    ImagesLoad,
    /// `helm install` is accepted in a namespace of its own.
    Install,
    /// Every replica is ready.
    Ready,
    /// `helm test` passes.
    HelmTest,
    /// Every replica says that it is healthy.
    Health,
    /// A record written is read back.
    WriteRead,
    /// Every replica votes, and all agree on who does.
    Voters,
    /// A record written through the leader is read through the others.
    LeaderWriteFollowerRead,
    /// The only replica is killed and comes back with its data.
    PodKill,
    /// The leader is killed under load.
    PodKillLeader,
    /// A follower is killed under load.
    PodKillFollower,
    /// Ordinal 0 is killed with an empty disk, and joins again.
    PodKillZero,
    /// Every pod is replaced, the highest ordinal first.
    ReplaceAll,
    /// The eviction that would break the quorum is refused.
    DisruptionBudget,
    /// `helm upgrade` under load.
    Upgrade,
    /// `helm rollback`.
    Rollback,
    /// More replicas join.
    ScaleUp,
    /// `helm uninstall` leaves nothing but claims.
    Uninstall,
    /// What the run created is gone.
    ClusterDelete,
}

use Phase::{
    ChartDryRun, ChartLint, ChartTemplate, ClusterCreate, ClusterDelete, DisruptionBudget, Health, HelmTest,
    ImagesLoad, Install, LeaderWriteFollowerRead, PodKill, PodKillFollower, PodKillLeader, PodKillZero, Ready,
    ReplaceAll, Rollback, ScaleUp, Uninstall, Upgrade, Voters, WriteRead,
};

/// All of them: name, and the phases that must have passed before.
const TABLE: [(Phase, &str, &[Phase]); 23] = [
    (ChartLint, "lint", &[]),
    (ChartTemplate, "template", &[]),
    (ClusterCreate, "create", &[]),
    (ChartDryRun, "dry_run", &[ChartTemplate, ClusterCreate]),
    (ImagesLoad, "load", &[ChartTemplate]),
    (Install, "install", &[ClusterCreate, ImagesLoad]),
    (Ready, "ready", &[Install]),
    (HelmTest, "helm_test", &[Ready]),
    (Health, "health", &[Ready]),
    (WriteRead, "write_read", &[Ready]),
    (Voters, "voters", &[Ready]),
    (LeaderWriteFollowerRead, "leader_write_follower_read", &[Voters]),
    (PodKill, "pod_kill", &[WriteRead]),
    (PodKillLeader, "pod_kill_leader", &[Voters]),
    (PodKillFollower, "pod_kill_follower", &[Voters]),
    (PodKillZero, "pod_kill_zero", &[Voters]),
    (ReplaceAll, "replace_all", &[Voters]),
    (DisruptionBudget, "disruption_budget", &[Ready]),
    (Upgrade, "upgrade", &[Ready]),
    (Rollback, "rollback", &[Upgrade]),
    (ScaleUp, "scale_up", &[Ready]),
    (Uninstall, "uninstall", &[Install]),
    (ClusterDelete, "delete", &[ClusterCreate]),
];

impl Phase {
    fn row(self) -> &'static (Self, &'static str, &'static [Self]) {
        // The table has a row for every phase, in the order of their declaration (a test says so).
        &TABLE[self as usize]
    }

    /// Last part of the case's name.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The phases that must have passed before.
    pub fn needs(self) -> &'static [Self] {
        self.row().2
    }

    /// The phases that must pass, too, but beside which it runs: images are got while the cluster is made.
    pub fn beside(self) -> &'static [Self] {
        if self == ImagesLoad { &[ClusterCreate] } else { &[] }
    }

    /// The group of a phase that belongs to no topology.
    pub fn group(self) -> Option<&'static str> {
        match self {
            ChartLint | ChartTemplate | ChartDryRun => Some("chart"),
            ClusterCreate | ClusterDelete => Some("cluster"),
            ImagesLoad => Some("images"),
            _ => None,
        }
    }

    /// Whether it runs once per topology.
    pub fn has_topology(self) -> bool {
        self.group().is_none()
    }

    /// Whether it changes the release: what comes after it in its topology does not run if it fails,
    /// since nobody knows in which state it left things.
    pub fn disturbs(self) -> bool {
        matches!(
            self,
            PodKill
                | PodKillLeader
                | PodKillFollower
                | PodKillZero
                | ReplaceAll
                | DisruptionBudget
                | Upgrade
                | Rollback
                | ScaleUp
        )
    }

    /// Whether clients write and read around it.
    pub fn is_under_load(self) -> bool {
        self.disturbs() && !matches!(self, DisruptionBudget | ScaleUp)
    }

    /// Whether it cleans up: it runs whatever became of the cases before it.
    pub fn cleans_up(self) -> bool {
        matches!(self, Uninstall | ClusterDelete)
    }

    /// Whether it runs after an interrupt as well.
    pub fn tears_down(self) -> bool {
        self == ClusterDelete
    }

    /// The last parts of all names.
    pub fn names() -> Vec<&'static str> {
        TABLE.iter().map(|(_, name, _)| *name).collect()
    }

    /// What the suite would have to say for this phase to run, and does not.
    pub fn missing(self, suite: &Suite) -> Option<&'static str> {
        let members = matches!(
            self,
            Voters | LeaderWriteFollowerRead | PodKillLeader | PodKillFollower | PodKillZero | ReplaceAll
        );
        let records = matches!(self, WriteRead | PodKill | Upgrade | Rollback | ScaleUp) || members;
        let workload = matches!(self, Health | DisruptionBudget) || records;
        let budget = || suite.workload.as_ref().is_none_or(|workload| workload.disruption_budget.is_none());
        match self {
            _ if workload && suite.workload.is_none() => Some("to know what runs the replicas: add a [workload] table"),
            _ if members && suite.members.is_none() => Some("to know the members: add a [members] table"),
            _ if records && suite.records().is_err() => Some("to know how a record is written: add a [records] table"),
            _ if (records || self == Health) && suite.http.is_none() => Some("to know the port: add an [http] table"),
            DisruptionBudget if budget() => Some("the budget's name: add `disruption_budget = \"NAME\"` to [workload]"),
            Upgrade if suite.upgrade.set.is_empty() => {
                Some("something to change: add `set = [\"key=value\"]` to [upgrade]")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_phases() {
        for (index, (phase, ..)) in TABLE.iter().enumerate() {
            assert_eq!(*phase as usize, index, "{phase:?}");
        }
    }

    #[test]
    fn needs_come_first() {
        for (phase, _, needs) in &TABLE {
            assert!(needs.iter().all(|need| need < phase), "{phase:?}");
        }
    }
}
