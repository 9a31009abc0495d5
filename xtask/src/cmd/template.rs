//! `cargo xtask template`: renders a suite's chart to stdout, as a topology of it is deployed.

use std::path::PathBuf;
use std::process::ExitCode;

use console::exit::{Exit, usage};
use process::Launcher;
use suite::{Suite, load};
use tools::helm::{self, Values};
use tools::{self, Name};

/// Its flags.
#[derive(clap::Args)]
pub struct Args {
    /// The suite file, or a chart's folder that has an e2e.toml
    #[arg(long, value_name = "PATH", default_value = load::DEFAULT)]
    suite: PathBuf,
    /// With the values of this topology [default: the chart's own values]
    #[arg(long, value_name = "NAME")]
    topology: Option<String>,
    /// Values file on top
    #[arg(long, value_name = "FILE")]
    values: Vec<PathBuf>,
    /// Value on top, as helm takes it
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Show every command line
    #[arg(short, long)]
    verbose: bool,
}

/// Runs it.
///
/// # Errors
/// Where there is no helm, no such topology, or helm does not render the chart. One that renders nothing is exit code 101.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let suite = load::read(&args.suite, &crate::cases::kinds())?;
    let values = values(&args, &suite)?;
    let launcher = Launcher::light(args.verbose);
    let helm = tools::resolve(&launcher, Name::Helm).await?;
    let template = launcher.cmd(&helm.path).args(["template", &suite.under_test().name]).arg(suite.chart());
    let rendered = template.args(values.args()).run().await?;
    console::out_text(&rendered);
    if helm::objects(&rendered)?.is_empty() {
        console::err(format_args!("{} renders no object with these values", suite.chart().display()));
        return Ok(Exit::CaseFailed.into());
    }
    Ok(Exit::Passed.into())
}

fn values(args: &Args, suite: &Suite) -> anyhow::Result<Values> {
    let mut values = Values::default();
    if let Some(name) = &args.topology {
        let Some(topology) = suite.topologies.iter().find(|topology| topology.name == *name) else {
            let names: Vec<_> = suite.topologies.iter().map(|topology| topology.name.as_str()).collect();
            return Err(usage(format!("--topology {name}: suite {} has {}", suite.name, names.join(", "))));
        };
        values.files.extend(topology.values.iter().map(|file| suite.chart().join(file)));
        values.set.extend(topology.set.iter().cloned());
    }
    values.files.extend(args.values.iter().cloned());
    values.set.extend(args.set.iter().cloned());
    Ok(values)
}
