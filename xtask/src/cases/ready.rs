//! `ready`: everything that the releases created becomes ready, and the replicas are spread if the topology requires
//! it.

use futures::future::try_join_all;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::{placement, rolled_out, running_image, settled};
use suite::CaseKind;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "ready",
        summary: "every replica is ready, and so is [everything else that the releases created](#what-ready-waits-for)",
        needs: &[&install::CASE.kind],
        keeps_replicas: false,
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let workloads: Vec<_> =
        deployed.suite.workloads.iter().map(|workload| deployed.about(Some(workload.name()))).collect();
    for about in &workloads {
        settled::ready(cx, about, about.wanted()).await?;
    }
    // helm runs for all releases in parallel; the waits are in sequence, so that each names its release.
    let made =
        try_join_all(deployed.releases.iter().map(|deployed_release| rolled_out::made(cx, deployed_release))).await?;
    let mut not_judged = Vec::new();
    for (deployed_release, made) in deployed.releases.iter().zip(made) {
        not_judged.extend(rolled_out::all_ready(cx, deployed_release, made).await?);
    }
    let mut notes = Vec::new();
    for about in &workloads {
        notes.extend([running_image::note(cx, about), placement::check(cx, about)?]);
    }
    notes.extend((!not_judged.is_empty()).then(|| format!("not judged: {}", not_judged.join(", "))));
    notes.retain(|note| !note.is_empty());
    Ok(notes.join("; "))
}
