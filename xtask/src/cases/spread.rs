//! `spread`: requests through the Service reach every replica.

use std::collections::BTreeSet;

use anyhow::ensure;
use kube::ResourceExt;

use super::ready;
use super::support::asking::{self, Question};
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use suite::{CaseKind, Parameters};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "spread",
        summary: "requests through the Service (`to`, with its port) reach every replica; `pod` points to the name of \
                  the pod that responded",
        needs: &[&ready::CASE.kind],
        asks_inside: true,
        fewest_replicas: 2,
        parameters: Parameters::of::<Question>(),
        check: |case, _, _| asking::goes_through_a_service(&case.with::<Question>()?.request),
        ..CaseKind::OF_WORKLOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<Question>()?);
    let wanted: BTreeSet<_> = deployed.replicas().iter().map(ResourceExt::name_any).collect();
    ensure!(!wanted.is_empty(), "there is no replica");
    let mut asker = asking::open(cx, &deployed).await?;
    let mut seen = BTreeSet::new();
    let ask = async || {
        seen.insert(asking::responding_pod(&mut asker, &with).await?);
        let missing: Vec<_> = wanted.difference(&seen).cloned().collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("no response yet from {}", missing.join(", "))) }
    };
    cx.wait.ask_until(&deployed.watch, &format!("responses of every replica through {}", with.to), ask).await?;
    Ok(format!("{} replicas responded", wanted.len()))
}
