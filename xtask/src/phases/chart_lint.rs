//! `chart::lint`: `helm lint` finds nothing, with each of the chart's `ci/*.yaml`.

use std::collections::BTreeSet;

use super::context::Cx;
use crate::suite;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let charts: BTreeSet<_> = cx.run.suites().into_iter().flat_map(|suite| suite.charts()).collect();
    let mut count = 0;
    for chart in &charts {
        for file in suite::ci_values(chart)? {
            let lint = cx.run.launcher.cmd(&cx.run.helm.path).args(["lint", "--strict"]).arg(chart);
            lint.arg("--values").arg(file).timeout(cx.wait.left()).run().await?;
            count += 1;
        }
    }
    Ok(format!("{count} values files"))
}
