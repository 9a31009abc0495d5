//! `job_completes`: every Job of the release completes.

use super::install;
use super::support::case::{Case, passing};
use super::support::context::Cx;
use super::support::jobs::completed;
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "job_completes",
        summary: "every Job of the release completes",
        needs: &[&install::CASE.kind],
        takes_release: true,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &Cx) -> anyhow::Result<String> {
    let stage = cx.stage()?;
    let placed = cx.placed(&stage)?;
    completed(cx, placed).await?;
    Ok(placed.jobs().join(", "))
}
