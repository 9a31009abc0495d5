//! `cargo xtask init`: writes a first suite file for a chart, from its rendered objects.

mod cases;
mod found;
mod known;
mod lines;
mod pods;
mod probe;
mod render;
mod security;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod values;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::Value;

use self::found::{Found, Other};
use self::pods::Workload;
use self::render::Renderer;
use chart::ChartSource;
use console::exit::{Exit, usage};
use process::Launcher;
use suite::load;
use tools::{self, Name, yaml};

/// What a chart that is not here may be.
const PULLED: &str = "; if it is `repo/name`, add --version";
/// The maximum length of a suite's name, in characters.
const LONGEST_NAME: usize = 30;

/// The flags of `cargo xtask init`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder or archive (.tgz) of the chart, `oci://…`, `repo/name`, or `git:REV:FOLDER`
    chart: String,
    /// Version of the chart, if it is pulled
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
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
    let source = ChartSource::of(&args.chart, args.version.as_deref(), Path::new(""), Path::new("."));
    let source = source.map_err(|error| usage(error.replace("version = ", "--version ")))?;
    let launcher = Launcher::light(args.verbose);
    let helm = tools::resolve(&launcher, Name::Helm).await?;
    let scratch = tempfile::tempdir().context("creating a temporary folder")?;
    if let Some(folder) = source.folder() {
        chart_name(folder)?;
    }
    let prepared = chart::prepare(&launcher, &helm, &source, scratch.path()).await;
    let folder = prepared.map_err(|error| usage(format!("{error:#}")))?.folder;
    let chart = chart_name(&folder)?;
    let place = Place::of(&source, &chart);
    let file = place.folder.join("e2e.toml");
    if file.exists() && !args.stdout {
        return Err(usage(format!("{} already exists; print a new one with --stdout", file.display())));
    }
    let release = label(&chart);
    let mut renderer = Renderer { launcher, helm, chart: folder, source, release, values: None, set: Vec::new() };
    let objects = renderer.choose(args.values.as_deref()).await?;
    let mut found = find(&mut renderer, &chart, &objects).await?;
    found.chart = (place.chart.clone(), args.version.clone());
    let text = text::suite(&found);
    load::parse(&file, &text, &crate::cases::kinds()).context("internal error: the written suite does not load")?;
    found.missing().into_iter().for_each(|line| console::err(format_args!("note: {line}")));
    if args.stdout {
        console::out_text(&text);
        return Ok(Exit::Passed.into());
    }
    write(&place.folder, &file, &text)?;
    Ok(Exit::Passed.into())
}

fn write(folder: &Path, file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    let (file, folder, command) = (file.display(), folder.display(), console::program::command());
    console::out(format_args!("wrote {file}; review it, then run `{command} e2e --suite {folder}`"));
    Ok(())
}

/// Returns what the suite file says: first from the rendered objects, then by rendering the chart with other values.
async fn find(renderer: &mut Renderer, chart: &str, objects: &[Value]) -> anyhow::Result<Found> {
    let mut found = Found::of(&renderer.release, chart, objects);
    if renderer.chart.join("crds").is_dir() {
        found.others.insert(Other::Definitions);
    }
    let relative = renderer.values.as_deref().and_then(|file| file.strip_prefix(&renderer.chart).ok());
    found.values = relative.map(|file| file.display().to_string());
    let values = renderer.all_values().await?;
    let (images, refused) = values::images(renderer, &values, objects, &mut found.workloads).await;
    (found.images, found.refused) = (images, refused.as_ref().map(render::words));
    found.set.clone_from(&renderer.set);
    let Some(main) = found.workloads.first().filter(|main| !main.is_on_each_node()) else { return Ok(found) };
    found.replicas = values::replicas(renderer, &values, main).await;
    if let Some(replicas) = found.replicas.as_ref().filter(|_| main.replicas < text::SEVERAL) {
        let several = renderer.with_values(&replicas.set(text::SEVERAL)).await;
        found.scales = several.ok().and_then(|objects| scaled(&objects, &found.workloads));
    }
    Ok(found)
}

/// Returns the names of the workloads that always have as many replicas as the first one, or `None` if the chart as it is
/// rendered with several can't run or be described.
fn scaled(objects: &[Value], workloads: &[Workload]) -> Option<BTreeSet<String>> {
    let (main, others) = workloads.split_first()?;
    if !pods::can_scale(objects, main) {
        return None;
    }
    let mut along = BTreeSet::new();
    for other in others.iter().filter(|other| !other.is_on_each_node()) {
        let has = values::replicas_of(objects, other).unwrap_or(1);
        if has == text::SEVERAL && other.replicas == main.replicas {
            along.insert(other.name.clone());
        } else if has != other.replicas {
            return None;
        }
    }
    Some(along)
}

/// The folder of the suite file, and the chart as the file refers to it.
struct Place {
    folder: PathBuf,
    chart: String,
}

impl Place {
    /// The suite file of a chart without a folder of its own goes to one with the chart's name.
    fn of(source: &ChartSource, chart: &str) -> Self {
        match source {
            ChartSource::Folder(folder) => Self { folder: folder.clone(), chart: ".".to_owned() },
            ChartSource::Git { revision, folder } => Self { folder: folder.clone(), chart: format!("git:{revision}") },
            ChartSource::Archive(path) => {
                Self { folder: chart.into(), chart: Path::new("..").join(path).display().to_string() }
            }
            ChartSource::Pulled { name, .. } => Self { folder: chart.into(), chart: name.clone() },
        }
    }
}

/// Returns the name in a chart's Chart.yaml.
fn chart_name(chart: &Path) -> anyhow::Result<String> {
    let file = chart.join("Chart.yaml");
    let text = std::fs::read_to_string(&file)
        .map_err(|error| usage(format!("{} is not a chart: {}: {error}{PULLED}", chart.display(), file.display())))?;
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
