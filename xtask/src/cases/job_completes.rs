//! `job_completes`: every Job of the release completes.

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
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

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let deployed_release = cx.deployed_release(&deployed)?;
    completed(cx, deployed_release).await?;
    Ok(deployed_release.jobs().join(", "))
}
