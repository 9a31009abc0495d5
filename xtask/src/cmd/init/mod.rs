//! `cargo xtask init`: writes a first suite file for a chart, from its rendered objects.

mod found;
mod known;
mod pods;
mod probe;
mod render;
mod security;
#[cfg(test)]
mod tests;
mod text;
mod values;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::Value;

use self::found::Found;
use self::render::Renderer;
use self::values::ImageFound;
use console::exit::{Exit, usage};
use process::Launcher;
use suite::load;
use tools::{self, Name, yaml};

/// The maximum length of a suite's name, in characters.
const LONGEST_NAME: usize = 30;

/// The flags of `cargo xtask init`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of the chart
    chart: PathBuf,
    /// Values file for rendering, relative to the chart [default: none, or the smallest of its ci/*.yaml that it needs]
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    /// Write the suite file to stdout instead of CHART/e2e.toml
    #[arg(long)]
    stdout: bool,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

/// Runs `cargo xtask init`.
///
/// # Errors
/// If there is no chart, the suite file already exists, or helm can't render the chart.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let file = args.chart.join("e2e.toml");
    if file.exists() && !args.stdout {
        return Err(usage(format!("{} already exists; print a new one with --stdout", file.display())));
    }
    let chart = chart_name(&args.chart)?;
    let launcher = Launcher::light(args.verbose);
    let helm = tools::resolve(&launcher, Name::Helm).await?;
    let mut renderer =
        Renderer { launcher, helm, chart: args.chart.clone(), release: label(&chart), values: None, set: Vec::new() };
    let objects = renderer.choose(args.values.as_deref()).await?;
    let found = find(&mut renderer, &chart, &objects).await?;
    let text = text::suite(&found);
    load::parse(&file, &text, &crate::cases::kinds()).context("internal error: the written suite does not load")?;
    found.missing().into_iter().for_each(|line| console::err(format_args!("note: {line}")));
    if args.stdout {
        console::out_text(&text);
        return Ok(Exit::Passed.into());
    }
    std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    let (file, chart, command) = (file.display(), args.chart.display(), console::program::command());
    console::out(format_args!("wrote {file}; review it, then run `{command} e2e --suite {chart}`"));
    Ok(Exit::Passed.into())
}

/// Returns what the suite file says: first from the rendered objects, then by rendering the chart with other values.
async fn find(renderer: &mut Renderer, chart: &str, objects: &[Value]) -> anyhow::Result<Found> {
    let mut found = Found::of(&renderer.release, chart, objects);
    let relative = renderer.values.as_deref().and_then(|file| file.strip_prefix(&renderer.chart).ok());
    found.values = relative.map(|file| file.display().to_string());
    let values = renderer.all_values().await?;
    let main = found.workloads.first();
    match values::image(renderer, &values, objects, main).await {
        ImageFound::Values(image) => found.image = Some(image),
        ImageFound::No { refused } => found.refused = refused.as_ref().map(render::words),
    }
    found.set.clone_from(&renderer.set);
    if let Some(main) = main {
        found.replicas = values::replicas(renderer, &values, main).await;
        if let Some(replicas) = &found.replicas {
            let several = renderer.with_values(&replicas.set(text::SEVERAL)).await;
            found.is_scalable = several.is_ok_and(|objects| pods::can_scale(&objects, main));
        }
    }
    Ok(found)
}

/// Returns the name in a chart's Chart.yaml.
fn chart_name(chart: &Path) -> anyhow::Result<String> {
    let file = chart.join("Chart.yaml");
    let text = std::fs::read_to_string(&file)
        .map_err(|error| usage(format!("{} is not a chart: {}: {error}", chart.display(), file.display())))?;
    let described = yaml::document(&text).map_err(|error| usage(format!("{}: {error:#}", file.display())))?;
    let name = described["name"].as_str().filter(|name| !name.is_empty());
    name.map(str::to_owned).ok_or_else(|| usage(format!("{} has no `name`", file.display())))
}

/// Turns a chart's name into a valid suite name. Of a name that is too long, the first letters of its words are left: charts
/// put the release's name before their own, and labels are short.
fn label(chart: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let mut name: String = chart.chars().map(letter).collect();
    if name.len() > LONGEST_NAME {
        name = name.split('-').filter_map(|word| word.chars().next()).take(LONGEST_NAME).collect();
    }
    Some(name.trim_matches('-')).filter(|name| !name.is_empty()).unwrap_or("chart").to_owned()
}
