//! `chart::lint`: `helm lint` passes with the chart's own values and with each of its `ci/*.yaml`.

use std::collections::BTreeSet;

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use suite::CaseKind;
use tools::helm;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "lint",
        summary: "`helm lint` passes with the chart's own values and with each of its `ci/*.yaml`",
        group: Some("chart"),
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let suites = cx.run.subject.suites();
    let releases = suites.iter().flat_map(|suite| &suite.releases);
    let charts: BTreeSet<_> = releases.map(|release| &release.source).collect();
    let mut count = 0;
    for chart in &charts {
        let files = helm::ci_values(&cx.run.charts.values(chart))?;
        // First with the chart's own values only.
        for values in std::iter::once(None).chain(files.iter().map(|file| Some(file.as_path()))) {
            let lint = helm::lint(&cx.run.launcher, &cx.run.helm, &cx.run.charts.folder(chart), values);
            lint.timeout(cx.wait.left()).run().await?;
            count += 1;
        }
    }
    Ok(format!("{count} values files"))
}
