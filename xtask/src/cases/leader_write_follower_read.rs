//! `leader_write_follower_read`: a record written through the leader can be read through the other replicas. This
//! shows that followers reach the leader, not that data is replicated, which `pod_kill_leader` checks.

use anyhow::ensure;

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::one_record;
use super::support::settled;
use super::voters;
use suite::{CaseKind, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "leader_write_follower_read",
        summary: "records written through the leader can be read through the other replicas",
        needs: &[&voters::CASE.kind],
        fewest_replicas: 2,
        missing: |suite, workload| missing::members(suite, workload).or_else(|| missing::promise(suite, workload)),
        ..CaseKind::OF_WORKLOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let names = deployed.names(deployed.wanted());
    ensure!(names.len() > 1, "there is no follower: the topology has {} replica", names.len());
    let leader = settled::leader(&deployed).await;
    // If no leader is reported, write through every replica.
    let writers = leader.as_ref().map_or_else(|| names.clone(), |leader| vec![leader.clone()]);
    for writer in &writers {
        let record = one_record::write(cx, &deployed, writer).await?;
        for reader in names.iter().filter(|name| *name != writer) {
            one_record::expect(cx, &deployed, reader, &record).await?;
        }
    }
    Ok(match leader {
        Some(leader) => format!("{leader} leads"),
        None => "the application reports no leader, so every replica was written through".to_owned(),
    })
}
