//! The phases: what each case is, what it needs, and where it is written.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use self::context::Cx;
use crate::suite::{CaseSpec, Suite};

mod answers;
mod autoscaler;
mod bad_release_rolls_back;
mod chart_dry_run;
mod chart_lint;
mod chart_template;
mod claims_removed;
mod cluster_create;
mod cluster_delete;
mod connection_budget;
mod container_kill;
pub mod context;
mod demands;
mod disruption_budget;
mod disturb;
mod drain;
mod each_alone;
mod environments_differ;
pub mod explain;
pub mod extra;
mod failed_upgrade;
mod fits;
mod health;
mod helm_test;
mod hooks_first;
mod images_load;
mod install;
mod job_completes;
mod job_expires;
mod job_fails;
mod kill;
mod leader_write_follower_read;
mod liveness_restarts;
mod names_answer;
pub mod never_below;
mod node_stop;
pub mod output;
mod placement;
mod pod_kill;
mod pod_kill_follower;
mod pod_kill_leader;
mod pod_kill_zero;
mod ready;
mod replace_all;
mod replicas_are;
mod restart;
mod restarts;
mod rollback;
mod rollback_alone;
mod rolled_out;
mod running_image;
mod scale_up;
mod service;
mod settled;
mod several_releases;
mod signs;
mod spread;
mod stays_out;
mod template_refused;
mod uninstall;
mod unready_gets_no_traffic;
mod untouched;
mod upgrade;
mod voters;
mod write_read;
mod zero_downtime;

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
        ContainerKill => Box::pin(container_kill::run(cx)).await,
        ReplaceAll => replace_all::run(cx).await,
        Drain => drain::run(cx).await,
        NodeStop => node_stop::run(cx).await,
        DisruptionBudget => disruption_budget::run(cx).await,
        Upgrade => upgrade::run(cx).await,
        Rollback => rollback::run(cx).await,
        ScaleUp => scale_up::run(cx).await,
        JobCompletes => job_completes::run(cx).await,
        JobFails => job_fails::run(cx).await,
        Output => output::run(cx).await,
        JobExpires => job_expires::run(cx).await,
        SeveralReleases => several_releases::run(cx).await,
        StaysOut => stays_out::run(cx).await,
        TemplateRefused => template_refused::run(cx).await,
        LivenessRestarts => liveness_restarts::run(cx).await,
        Autoscaler => autoscaler::run(cx).await,
        BadReleaseRollsBack => bad_release_rolls_back::run(cx).await,
        FailedUpgrade => failed_upgrade::run(cx).await,
        Answers => answers::run(cx).await,
        HooksFirst => hooks_first::run(cx),
        ConnectionBudget => connection_budget::run(cx).await,
        EnvironmentsDiffer => environments_differ::run(cx).await,
        RollbackAlone => rollback_alone::run(cx).await,
        Fits => fits::run(cx).await,
        EachAlone => each_alone::run(cx).await,
        ReplicasAre => replicas_are::run(cx).await,
        Restart => restart::run(cx).await,
        ZeroDowntime => zero_downtime::run(cx).await,
        NamesAnswer => names_answer::run(cx).await,
        Spread => spread::run(cx).await,
        UnreadyGetsNoTraffic => unready_gets_no_traffic::run(cx).await,
        Uninstall => uninstall::run(cx).await,
        ClaimsRemoved => claims_removed::run(cx).await,
        ClusterDelete => cluster_delete::run(cx).await,
    }
}

/// Whether a case's parameters are right; answers what is wrong.
pub fn check(_: &Suite, case: &CaseSpec) -> Result<(), String> {
    match case.phase {
        DisruptionBudget => parameters::<disruption_budget::With>(case),
        JobFails => parameters::<job_fails::With>(case),
        Output => parameters::<output::With>(case),
        SeveralReleases => parameters::<several_releases::With>(case),
        StaysOut => parameters::<stays_out::With>(case),
        TemplateRefused => parameters::<template_refused::With>(case),
        LivenessRestarts => parameters::<liveness_restarts::With>(case),
        Autoscaler => parameters::<autoscaler::With>(case),
        BadReleaseRollsBack => parameters::<bad_release_rolls_back::With>(case),
        FailedUpgrade => parameters::<failed_upgrade::With>(case),
        Answers => parameters::<answers::With>(case),
        ConnectionBudget => parameters::<connection_budget::With>(case),
        EnvironmentsDiffer => parameters::<environments_differ::With>(case),
        RollbackAlone => parameters::<rollback_alone::With>(case),
        Fits => parameters::<fits::With>(case),
        EachAlone => parameters::<each_alone::With>(case),
        ReplicasAre => parameters::<replicas_are::With>(case),
        NamesAnswer => parameters::<names_answer::With>(case),
        Spread => parameters::<spread::With>(case),
        UnreadyGetsNoTraffic => parameters::<unready_gets_no_traffic::With>(case),
        _ => case.with.keys().next().map_or(Ok(()), |key| Err(format!("it has no parameter `{key}`"))),
    }
}

fn parameters<T: DeserializeOwned>(case: &CaseSpec) -> Result<(), String> {
    case.with.clone().try_into::<T>().map(drop).map_err(|error| error.message().to_owned())
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
    /// The application's container is killed and restarts in its pod.
    ContainerKill,
    /// Every pod is replaced, the highest ordinal first.
    ReplaceAll,
    /// Every pod is evicted, as a drain of its node does.
    Drain,
    /// A node stops and comes back.
    NodeStop,
    /// The eviction that would break the quorum is refused.
    DisruptionBudget,
    /// `helm upgrade` under load.
    Upgrade,
    /// `helm rollback`.
    Rollback,
    /// More replicas join.
    ScaleUp,
    /// Every Job of the release completes.
    JobCompletes,
    /// A Job that can't succeed fails, with its reason and after its retries.
    JobFails,
    /// What a Job left on its claim is there though its pod is gone.
    Output,
    /// A Job that is done is taken away when its time to live is over.
    JobExpires,
    /// More releases of the chart run side by side.
    SeveralReleases,
    /// A release that lacks something does not become ready, and says what it lacks.
    StaysOut,
    /// Values that must not be deployed are refused when the chart is rendered.
    TemplateRefused,
    /// A replica that is made unhealthy is restarted by its liveness probe.
    LivenessRestarts,
    /// The `HorizontalPodAutoscaler` is accepted as it is meant.
    Autoscaler,
    /// A release that can't become ready rolls back by itself, and the old one never stops.
    BadReleaseRollsBack,
    /// An upgrade that can't work shows why, and leaves the old pods at work.
    FailedUpgrade,
    /// A pod of a release answers with what is expected.
    Answers,
    /// The Jobs of pre-install hooks were done before any workload was made.
    HooksFirst,
    /// The connection pools of all releases together fit what the database takes.
    ConnectionBudget,
    /// What a release has that the same one of another environment has not.
    EnvironmentsDiffer,
    /// One release is upgraded and rolled back, and all others are left alone.
    RollbackAlone,
    /// What all replicas request fits the cluster that they are meant for.
    Fits,
    /// The chart with one of its parts switched on, for each of them, and with none.
    EachAlone,
    /// Each workload runs as many replicas as it should, and no placeholder is left.
    ReplicasAre,
    /// Every pod of a release is replaced, and what was written before is still there.
    Restart,
    /// Not one request through the Service fails while an upgrade replaces every pod.
    ZeroDowntime,
    /// Names resolve inside the cluster, also across namespaces, and something listens.
    NamesAnswer,
    /// Requests through the Service are answered by every replica.
    Spread,
    /// A replica that is not ready gets no request through the Service.
    UnreadyGetsNoTraffic,
    /// `helm uninstall` leaves nothing but claims.
    Uninstall,
    /// The claims that outlived their release are found by their label, and deleted.
    ClaimsRemoved,
    /// What the run created is gone.
    ClusterDelete,
}

use Phase::{
    Answers, Autoscaler, BadReleaseRollsBack, ChartDryRun, ChartLint, ChartTemplate, ClaimsRemoved, ClusterCreate,
    ClusterDelete, ConnectionBudget, ContainerKill, DisruptionBudget, Drain, EachAlone, EnvironmentsDiffer,
    FailedUpgrade, Fits, Health, HelmTest, HooksFirst, ImagesLoad, Install, JobCompletes, JobExpires, JobFails,
    LeaderWriteFollowerRead, LivenessRestarts, NamesAnswer, NodeStop, Output, PodKill, PodKillFollower, PodKillLeader,
    PodKillZero, Ready, ReplaceAll, ReplicasAre, Restart, Rollback, RollbackAlone, ScaleUp, SeveralReleases, Spread,
    StaysOut, TemplateRefused, Uninstall, UnreadyGetsNoTraffic, Upgrade, Voters, WriteRead, ZeroDowntime,
};

/// All of them: name, and the phases that must have passed before.
const TABLE: [(Phase, &str, &[Phase]); 51] = [
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
    (ContainerKill, "container_kill", &[Ready]),
    (ReplaceAll, "replace_all", &[Voters]),
    (Drain, "drain", &[Ready]),
    (NodeStop, "node_stop", &[Ready]),
    (DisruptionBudget, "disruption_budget", &[Ready]),
    (Upgrade, "upgrade", &[Ready]),
    (Rollback, "rollback", &[Upgrade]),
    (ScaleUp, "scale_up", &[Ready]),
    (JobCompletes, "job_completes", &[Install]),
    (JobFails, "job_fails", &[Install]),
    (Output, "output", &[JobCompletes]),
    (JobExpires, "job_expires", &[JobCompletes]),
    (SeveralReleases, "several_releases", &[Install]),
    (StaysOut, "stays_out", &[Install]),
    (TemplateRefused, "template_refused", &[]),
    (LivenessRestarts, "liveness_restarts", &[Ready]),
    (Autoscaler, "autoscaler", &[Install]),
    (BadReleaseRollsBack, "bad_release_rolls_back", &[Ready]),
    (FailedUpgrade, "failed_upgrade", &[Ready]),
    (Answers, "answers", &[Ready]),
    (HooksFirst, "hooks_first", &[Install]),
    (ConnectionBudget, "connection_budget", &[Install]),
    (EnvironmentsDiffer, "environments_differ", &[Install]),
    (RollbackAlone, "rollback_alone", &[Ready]),
    (Fits, "fits", &[Install]),
    (EachAlone, "each_alone", &[Install]),
    (ReplicasAre, "replicas_are", &[Install]),
    (Restart, "restart", &[Ready]),
    (ZeroDowntime, "zero_downtime", &[Ready]),
    (NamesAnswer, "names_answer", &[Install]),
    (Spread, "spread", &[Ready]),
    (UnreadyGetsNoTraffic, "unready_gets_no_traffic", &[Ready]),
    (Uninstall, "uninstall", &[Install]),
    (ClaimsRemoved, "claims_removed", &[Uninstall]),
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
                | ContainerKill
                | ReplaceAll
                | Drain
                | NodeStop
                | DisruptionBudget
                | Upgrade
                | ZeroDowntime
                | Rollback
                | ScaleUp
        )
    }

    /// Whether clients write and read around it.
    pub fn is_under_load(self) -> bool {
        self.disturbs() && !matches!(self, DisruptionBudget | ScaleUp)
    }

    /// Whether a client in the cluster takes part.
    pub fn asks_inside(self) -> bool {
        self.is_under_load() || matches!(self, NamesAnswer | Spread | UnreadyGetsNoTraffic)
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
        let records = matches!(
            self,
            WriteRead
                | PodKill
                | ContainerKill
                | Drain
                | NodeStop
                | Upgrade
                | ZeroDowntime
                | Rollback
                | ScaleUp
                | Restart
        ) || members;
        let pods = matches!(self, Health | LivenessRestarts | UnreadyGetsNoTraffic);
        let workload = pods || records || matches!(self, DisruptionBudget | Spread);
        let budget = || suite.workload.as_ref().is_none_or(|workload| workload.disruption_budget.is_none());
        match self {
            _ if workload && suite.workload.is_none() => Some("to know what runs the replicas: add a [workload] table"),
            _ if members && suite.members.is_none() => Some("to know the members: add a [members] table"),
            _ if records && suite.records().is_err() => Some("to know how a record is written: add a [records] table"),
            _ if (records || pods) && suite.http.is_none() => Some("to know the port: add an [http] table"),
            DisruptionBudget if budget() => Some("the budget's name: add `disruption_budget = \"NAME\"` to [workload]"),
            Upgrade | ZeroDowntime if suite.upgrade.set.is_empty() => {
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
