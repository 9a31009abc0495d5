//! `voters`: every replica is a voter, and all agree on the list of voters, which readiness does not guarantee.

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::settled;
use suite::{CaseKind, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "voters",
        summary: "every replica is a voter, and all agree on the list of voters",
        needs: &[&ready::CASE.kind],
        missing: missing::members,
        ..CaseKind::OF_WORKLOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    settled::voters(cx, &deployed, deployed.wanted()).await?;
    Ok(String::new())
}
