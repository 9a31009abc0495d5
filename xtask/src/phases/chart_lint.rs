//! `chart::lint`: `helm lint` finds nothing, with each of the chart's `ci/*.yaml`.

use super::context::Cx;
use crate::suite;

/// Runs the case.
pub async fn run(cx: &Cx) -> anyhow::Result<String> {
    let chart = cx.run.suite.chart();
    let files = suite::ci_values(&chart)?;
    for file in &files {
        let lint = cx.run.launcher.cmd(&cx.run.helm.path).args(["lint", "--strict"]).arg(&chart);
        lint.arg("--values").arg(file).timeout(cx.wait.left()).run().await?;
    }
    Ok(format!("{} values files", files.len()))
}
