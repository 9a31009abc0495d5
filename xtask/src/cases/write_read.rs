//! `write_read`: a record written through each replica can be read back through it.

use anyhow::ensure;

use super::ready;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::one_record::{expect, write};
use suite::{CaseKind, missing};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "write_read",
        summary: "a record written through each replica can be read back through it",
        needs: &[&ready::CASE.kind],
        missing: missing::promise,
        ..CaseKind::OF_WORKLOAD
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let deployed = cx.deployed()?;
    let names = deployed.names(deployed.wanted());
    ensure!(!names.is_empty(), "there is no replica to write through");
    for name in &names {
        let record = write(cx, &deployed, name).await?;
        expect(cx, &deployed, name, &record).await?;
    }
    Ok(format!("{} replicas", names.len()))
}
