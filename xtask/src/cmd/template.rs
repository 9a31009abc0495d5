//! `cargo xtask template`: renders a suite's chart to stdout with the values of a topology.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use crate::charts::Charts;
use console::exit::{Exit, usage};
use process::Launcher;
use suite::{Suite, load};
use tools::helm::{self, Values};
use tools::{self, Name};

/// The flags of `cargo xtask template`.
#[derive(clap::Args)]
pub struct Args {
    /// Suite file, or folder with an e2e.toml
    #[arg(long, value_name = "PATH", default_value = load::DEFAULT)]
    suite: PathBuf,
    /// Use the values of this topology [default: only the chart's own values]
    #[arg(long, value_name = "NAME")]
    topology: Option<String>,
    /// Values file, applied last; can be repeated
    #[arg(long, value_name = "FILE")]
    values: Vec<PathBuf>,
    /// Value, applied last, in helm's syntax; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

/// Runs `cargo xtask template`.
///
/// # Errors
/// If helm or the topology is missing, or helm can't render the chart. If the chart renders nothing, the exit code is
/// 101.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let suite = load::read(&args.suite, &crate::cases::kinds())?;
    let launcher = Launcher::light(args.verbose);
    let helm = tools::resolve(&launcher, Name::Helm).await?;
    let folder = tempfile::tempdir().context("creating a temporary folder")?;
    let charts = Charts::prepare(&launcher, &helm, [&suite], folder.path()).await?;
    let (release, chart) = (suite.under_test(), charts.folder(&suite.under_test().source));
    let values = values(&args, &suite, &charts.values(&release.source))?;
    let template = launcher.cmd(&helm.path).args(["template", &release.name]).arg(&chart);
    let rendered = template.args(values.args()).run().await?;
    console::out_text(&rendered);
    if helm::objects(&rendered)?.is_empty() {
        console::err(format_args!("{} renders no objects with these values", chart.display()));
        return Ok(Exit::CaseFailed.into());
    }
    Ok(Exit::Passed.into())
}

fn values(args: &Args, suite: &Suite, chart: &Path) -> anyhow::Result<Values> {
    let mut values = Values::default();
    if let Some(name) = &args.topology {
        let Some(topology) = suite.topologies.iter().find(|topology| topology.name == *name) else {
            let names: Vec<_> = suite.topologies.iter().map(|topology| topology.name.as_str()).collect();
            return Err(usage(format!(
                "--topology {name}: no such topology in suite {}; it has {}",
                suite.name,
                names.join(", ")
            )));
        };
        values.files.extend(topology.values.iter().map(|file| chart.join(file)));
        values.set.extend(topology.set.iter().cloned());
    }
    values.files.extend(args.values.iter().cloned());
    values.set.extend(args.set.iter().cloned());
    Ok(values)
}
