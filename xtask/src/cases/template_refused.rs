//! `template_refused`: helm refuses to render the chart with values that must not be deployed, and says why.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use suite::{CaseKind, Deploys, Parameters, definitions};

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "template_refused",
        summary: "helm refuses to render the chart with these values, and says why",
        takes_release: true,
        parameters: Parameters::of::<With>(),
        // helm gets the values unchanged.
        deploys: |case| vec![Deploys { set: Vec::new(), ..Deploys::of(case) }],
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Values files, relative to the chart.
    #[serde(default)]
    #[schemars(schema_with = "definitions::values")]
    values: Vec<PathBuf>,
    /// Values in the syntax of `--set`.
    #[serde(default)]
    #[schemars(schema_with = "definitions::set")]
    set: Vec<String>,
    /// Text that helm's output must contain; its command line does not count.
    #[schemars(schema_with = "definitions::words")]
    says: String,
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let with = cx.with::<With>()?;
    let suite = &cx.variant()?.suite;
    let release = suite.release(cx.spec.release.as_deref()).map_err(anyhow::Error::msg)?;
    let (chart, own) = (cx.run.charts.folder(&release.source), cx.run.charts.values(&release.source));
    let mut template = cx.run.launcher.cmd(&cx.run.helm.path).args(["template", &release.name]).arg(chart);
    for file in &with.values {
        template = template.arg("--values").arg(own.join(file));
    }
    for value in &with.set {
        template = template.args(["--set", value]);
    }
    let line = template.line();
    match template.run().await {
        Ok(_) => bail!("{line}: it renders, although it should be refused with {:?}", with.says),
        Err(error) => {
            ensure!(
                error.tail.contains(&with.says),
                "helm refused to render it, but its output does not contain {:?}: {error}",
                with.says
            );
            Ok(with.says)
        }
    }
}
