//! `disk`: the leader's disk is full or read-only for a while under load, or ordinal 0 is killed and gets an empty one.

use cluster::NotApplicable;
use cluster::changes::DiskFailure;
use futures::FutureExt;
use kube::api::DeleteParams;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, Conclusion};
use super::support::claims;
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::faults::disk;
use super::support::kill::{self, Grace};
use super::support::lasting;
use super::support::victim::Victim;
use kubernetes::call;
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology};

/// Long enough for every replica to write; short enough for a container that crashes meanwhile to start once more.
const FOR_S: u64 = 5;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "disk",
        summary: "the disk of the leader's claims is full or read-only for `for_s` seconds (5 by default) and then works \
                  again, or ordinal 0 is killed and gets empty claims. The others go on, it joins them again, and nothing \
                  that was acknowledged is lost",
        needs: &[&ready::CASE.kind],
        fewest_replicas: 2,
        parameters: Parameters::of::<With>(),
        check,
        fails_disks: |case| case.with::<With>().is_ok_and(|with| with.becomes.failure().is_some()),
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| run(cx).boxed_local(),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// What becomes of the disk.
    becomes: Becomes,
    /// How long the disk stays full or read-only, in seconds; 5 by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 600))]
    for_s: Option<u64>,
}

/// What becomes of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Becomes {
    /// Nothing more fits.
    Full,
    /// Nothing can be changed.
    ReadOnly,
    /// It is replaced by an empty one.
    Wiped,
}

impl Becomes {
    fn failure(self) -> Option<DiskFailure> {
        match self {
            Self::Full => Some(DiskFailure::Full),
            Self::ReadOnly => Some(DiskFailure::ReadOnly),
            Self::Wiped => None,
        }
    }
}

fn check(case: &CaseSpec, topology: &Topology, suite: &Suite) -> Result<(), String> {
    let with = case.with::<With>()?;
    if with.becomes == Becomes::Wiped && with.for_s.is_some() {
        return Err("a disk that is replaced by an empty one stays so: remove `for_s`".to_owned());
    }
    lasting::check(case, topology, suite)
}

async fn run(cx: &CaseContext) -> anyhow::Result<Conclusion> {
    let (replicas, with) = (cx.replicas()?, cx.with::<With>()?);
    let disturbance = Disturbance::begin(cx, replicas).await?;
    match with.becomes.failure() {
        Some(failure) => fails(disturbance, failure, with.for_s.unwrap_or(FOR_S)).await,
        None => wiped(disturbance).await,
    }
}

/// The disk fails for a while. Its replica may crash, but has to start again once it works.
async fn fails(disturbance: Disturbance<'_>, failure: DiskFailure, for_s: u64) -> anyhow::Result<Conclusion> {
    let victim = Victim::leader_or_any(&disturbance.deployed, disturbance.replicas).await?;
    let failed = match disk::begin(&disturbance, &victim, failure).await? {
        Ok(failed) => failed,
        Err(NotApplicable(why)) => return Ok(Conclusion::NotApplicable(why)),
    };
    disturbance.restarts.forget_pod(&victim.container.pod_uid);
    failed.held(&disturbance, for_s).await?;
    let (answered, sent) = disturbance.recorder.answered_through(&failed.apart, failed.since_ns);
    failed.heal(&disturbance).await?;
    disturbance.settled_again(failed.fault).await?;
    let restarts = victim.restarts_now(&disturbance.deployed).unwrap_or(victim.restarts) - victim.restarts;
    let evidence =
        format!("{answered} of {sent} requests to it were answered meanwhile; it restarted {restarts} times");
    disturbance.recorder.evidence(failed.fault, evidence);
    disturbance.read_back().await?;
    disturbance.end().await.map(Conclusion::Passed)
}

/// Ordinal 0, which most charts let found the cluster, is killed and gets new claims.
async fn wiped(disturbance: Disturbance<'_>) -> anyhow::Result<Conclusion> {
    let deployed = disturbance.deployed.clone();
    let name = deployed.names(disturbance.replicas).into_iter().next().unwrap_or_default();
    let claims = deployed.pod(&name).map(|pod| claims::names(&pod)).unwrap_or_default();
    if claims.is_empty() {
        return Ok(Conclusion::NotApplicable(format!("Pod/{name} has no claims")));
    }
    for claim in &claims {
        // It exists as long as its pod.
        let what = format!("deleting PersistentVolumeClaim/{claim}");
        call(&what, claims::api(&deployed).delete(claim, &DeleteParams::default())).await?;
    }
    let what = format!("delete Pod/{name}, grace 0, with {}", claims.join(", "));
    let killed = kill::delete(&deployed, &name, Grace::None, || disturbance.recorder.fault(what)).await?;
    disturbance.successor(&killed).await?;
    disturbance.settled_again(killed.fault).await?;
    let after = deployed.pod(&name).map(|after| killed.difference(&after)).unwrap_or_default();
    disturbance.recorder.evidence(killed.fault, format!("{after}, with new claims"));
    disturbance.restarts.count(&deployed.replicas());
    disturbance.read_back().await?;
    disturbance.end().await.map(Conclusion::Passed)
}
