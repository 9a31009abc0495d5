//! `partition`: the network between some replicas and the others loses every packet for a while, under load.

use std::collections::BTreeSet;
use std::time::Duration;

use cluster::NotApplicable;
use cluster::traffic::Direction as OneWay;
use futures::FutureExt;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::case::{Case, Conclusion};
use super::support::context::CaseContext;
use super::support::disturb::Disturbance;
use super::support::faults::{partition, traffic};
use super::support::lasting::{self, Lasting};
use super::support::settled;
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology};

/// Longer than the elections of most systems take; the partition lasts until the majority acknowledges a write in any
/// case.
const FOR_S: u64 = 10;
/// With fewer replicas, a minority is a single one.
const MINORITY_OF: u32 = 5;
/// The pause between two questions for the leader.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "partition",
        summary: "every packet between the leader and the other replicas is lost for `for_s` seconds (10 by default); \
                  `cut_off` names others to cut off: a `\"follower\"`, a `\"minority\"` of five or more with the leader \
                  in it, or all `\"clients\"` and Services while the replicas reach each other. With `direction`, only \
                  what they send or receive is lost. A majority must acknowledge writes while it lasts; nobody may \
                  acknowledge what is lost later, or return what is outdated; afterwards all must agree. Clients reach \
                  every replica through port-forwards, also while it is cut off",
        needs: &[&ready::CASE.kind],
        fewest_replicas: 2,
        parameters: Parameters::of::<With>(),
        check,
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| run(cx).boxed_local(),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Who is cut off; the leader by default.
    #[serde(default)]
    cut_off: CutOff,
    /// What is lost, seen from those who are cut off; both directions by default.
    #[serde(default)]
    direction: Direction,
    /// How long, in seconds; 10 by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 600))]
    for_s: Option<u64>,
}

/// Who is cut off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum CutOff {
    #[default]
    Leader,
    Follower,
    Minority,
    Clients,
}

/// Which packets are lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Direction {
    #[default]
    Both,
    Sends,
    Receives,
}

impl Direction {
    fn one_way(self) -> Option<OneWay> {
        match self {
            Self::Both => None,
            Self::Sends => Some(OneWay::Sends),
            Self::Receives => Some(OneWay::Receives),
        }
    }
}

fn check(case: &CaseSpec, topology: &Topology, suite: &Suite) -> Result<(), String> {
    let with = case.with::<With>()?;
    if with.cut_off == CutOff::Minority && topology.replicas < MINORITY_OF {
        return Err(format!("with `replicas = {}` a minority is one: write `cut_off = \"leader\"`", topology.replicas));
    }
    if with.cut_off == CutOff::Clients && with.direction != Direction::Both {
        return Err("clients are cut off in both directions: remove `direction`".to_owned());
    }
    lasting::check(case, topology, suite)
}

async fn run(cx: &CaseContext) -> anyhow::Result<Conclusion> {
    let with = cx.with::<With>()?;
    let disturbance = Disturbance::begin(cx, cx.replicas()?).await?;
    let leader = settled::leader(&disturbance.deployed).await;
    let begun = if with.cut_off == CutOff::Clients {
        partition::from_everyone_else(&disturbance).await?
    } else {
        let names = disturbance.deployed.names(disturbance.replicas);
        let voting = settled::voting(&disturbance.deployed, &names).await;
        let apart = apart(with.cut_off, (leader.as_deref(), &voting), &names);
        partition::between(&disturbance, apart, with.direction.one_way()).await?
    };
    let partition = match begun {
        Ok(partition) => partition,
        Err(NotApplicable(why)) => return Ok(Conclusion::NotApplicable(why)),
    };
    let for_s = with.for_s.unwrap_or(FOR_S);
    let loses_leader = leader.is_some_and(|leader| partition.apart.contains(&leader));
    let (held, ()) = tokio::join!(partition.held(&disturbance, for_s), async {
        if loses_leader {
            await_new_leader(&disturbance, &partition, for_s).await;
        }
    });
    held?;
    traffic::prove(&disturbance, &partition, "lost").await?;
    partition.heal(&disturbance).await?;
    disturbance.settled_again(partition.fault).await?;
    disturbance.read_back().await?;
    disturbance.end().await.map(Conclusion::Passed)
}

/// Returns the replicas to cut off, and their role. Of the followers, those that do not vote are the first in a minority:
/// the others must have a majority of the votes.
fn apart(
    who: CutOff,
    (leader, voting): (Option<&str>, &BTreeSet<String>),
    names: &[String],
) -> (BTreeSet<String>, &'static str) {
    // If no leader is reported, any replica may lead.
    let first = names.iter().find(|name| leader == Some(name.as_str())).or(names.last());
    let mut followers: Vec<&String> = names.iter().filter(|name| Some(*name) != first).collect();
    match who {
        CutOff::Follower => {
            followers.sort_by_key(|name| !voting.contains(*name));
            (followers.into_iter().take(1).cloned().collect(), "a follower")
        }
        CutOff::Minority => {
            followers.sort_by_key(|name| voting.contains(*name));
            let minority = first.into_iter().chain(followers).take((names.len() - 1) / 2);
            (minority.cloned().collect(), "a minority with the leader")
        }
        CutOff::Leader | CutOff::Clients => {
            let role = if leader.is_some() { "the leader" } else { "a replica" };
            (first.into_iter().cloned().collect(), role)
        }
    }
}

/// Records when one of the other replicas reports another leader, if one does so in time.
async fn await_new_leader(disturbance: &Disturbance<'_>, partition: &Lasting, for_s: u64) {
    let ask = async {
        while settled::leader_without(&disturbance.deployed, &partition.apart).await.is_none() {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(for_s), ask).await.is_ok() {
        disturbance.recorder.new_leader(partition.fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_is_in_the_minority_and_never_a_follower() {
        let names: Vec<_> = (0..5).map(|ordinal| format!("c-{ordinal}")).collect();
        let voting: BTreeSet<_> = names[..3].iter().cloned().collect();
        let of = |who, leader, voting| apart(who, (leader, voting), &names).0.into_iter().collect::<Vec<_>>().join(" ");
        let all = BTreeSet::new();
        assert_eq!(of(CutOff::Leader, Some("c-1"), &all), "c-1");
        assert_eq!(of(CutOff::Leader, None, &all), "c-4");
        assert_eq!(of(CutOff::Follower, Some("c-0"), &voting), "c-1", "it votes");
        assert_eq!(of(CutOff::Minority, Some("c-1"), &all), "c-0 c-1");
        assert_eq!(of(CutOff::Minority, Some("c-1"), &voting), "c-1 c-3", "two of three votes remain");
    }
}
