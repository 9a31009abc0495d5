//! `cargo xtask lint`: runs `helm lint --strict` and `helm template` on each chart with each of its values files.
//!
//! It knows charts as folders, and helm. It must not know suites or clusters: whoever only lints compiles neither.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;

use chart::ChartSource;
use console::exit::{Exit, usage};
use process::{CommandError, Launcher};
use tools::{Name, Tool, helm};

/// The folder of all charts.
const CHARTS: &str = "helm";

/// The flags of `cargo xtask lint`.
#[derive(clap::Args)]
pub struct Args {
    /// Folders, archives, `oci://…`, `repo/name` or `git:REV:FOLDER` of the charts [default: all below helm/]
    #[arg(value_name = "CHART")]
    charts: Vec<String>,
    /// Version of the chart, if it is pulled
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Print every command that is run
    #[arg(short, long)]
    verbose: bool,
}

/// Runs `cargo xtask lint`.
///
/// # Errors
/// If helm or a chart is missing. If a chart has an error, the exit code is 101 after all charts were linted.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let sources = sources(&args)?;
    let launcher = Launcher::light(args.verbose);
    let helm = tools::resolve(&launcher, Name::Helm).await?;
    let folder = tempfile::tempdir().context("creating a temporary folder")?;
    let mut exit = Exit::Passed;
    for (index, source) in sources.iter().enumerate() {
        let prepared = chart::prepare(&launcher, &helm, source, &folder.path().join(index.to_string())).await;
        let chart = prepared.map_err(|error| usage(format!("{error:#}")))?.folder;
        // First with the chart's own values only.
        let files = std::iter::once(None).chain(helm::ci_values(&chart)?.into_iter().map(Some));
        for values in files {
            if !lint(&launcher, &helm, source, &chart, values.as_deref()).await {
                exit = Exit::CaseFailed;
            }
        }
    }
    Ok(exit.into())
}

/// Returns where the charts come from.
fn sources(args: &Args) -> anyhow::Result<Vec<ChartSource>> {
    if args.charts.is_empty() {
        return Ok(all(Path::new(CHARTS))?.into_iter().map(ChartSource::Folder).collect());
    }
    let of =
        |chart: &String| ChartSource::of(chart, args.version.as_deref(), Path::new(""), Path::new(".")).map_err(usage);
    let sources = args.charts.iter().map(of).collect::<anyhow::Result<Vec<_>>>()?;
    match sources.iter().filter_map(ChartSource::folder).find(|folder| !is_chart(folder)) {
        Some(wrong) => Err(usage(format!("{} is not a chart: it has no Chart.yaml", wrong.display()))),
        None => Ok(sources),
    }
}

/// Lints a chart with its own values, or with a values file on top, and prints the result.
async fn lint(launcher: &Launcher, helm: &Tool, source: &ChartSource, chart: &Path, values: Option<&Path>) -> bool {
    let started = Instant::now();
    let name = values.map_or_else(|| "values.yaml".to_owned(), |file| file.display().to_string());
    let checked = check(launcher, helm, chart, values).await;
    match &checked {
        Ok(()) => {
            let took_s = started.elapsed().as_secs_f64();
            console::out(format_args!("ok     {source} with {name} ({took_s:.1} s)"));
        }
        Err(error) => console::out(format_args!("FAILED {source} with {name}\n{error}")),
    }
    checked.is_ok()
}

/// Lints a chart, and renders it, since `helm lint` misses some errors.
async fn check(launcher: &Launcher, helm: &Tool, chart: &Path, values: Option<&Path>) -> Result<(), CommandError> {
    helm::lint(launcher, helm, chart, values).run().await?;
    let values = values.into_iter().flat_map(|file| [OsStr::new("--values"), file.as_os_str()]);
    launcher.cmd(&helm.path).args(["template", "lint"]).arg(chart).args(values).run().await?;
    Ok(())
}

fn is_chart(folder: &Path) -> bool {
    folder.join("Chart.yaml").is_file()
}

fn all(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut charts = Vec::new();
    collect(folder, &mut charts)?;
    charts.sort();
    anyhow::ensure!(!charts.is_empty(), "there is no chart below {}", folder.display());
    Ok(charts)
}

/// Collects every chart below a folder, at any depth. Charts in the `charts/` folder of another chart are left out,
/// since they are linted with it.
fn collect(folder: &Path, charts: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries.filter_map(Result::ok) {
        // Links are not followed, so each chart is linted once.
        if entry.file_name() == "charts" || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let path = entry.path();
        if is_chart(&path) {
            charts.push(path.clone());
        }
        collect(&path, charts)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_are_found_at_any_depth_but_not_those_of_another_chart() {
        let folder = tempfile::tempdir().unwrap();
        let charts = ["beside", "system/api", "system/api/charts/common", "system/web"];
        for chart in charts.map(|chart| folder.path().join(chart)) {
            std::fs::create_dir_all(chart.join("templates")).unwrap();
            std::fs::write(chart.join("Chart.yaml"), "").unwrap();
        }
        std::os::unix::fs::symlink("beside", folder.path().join("link")).unwrap();
        let found = all(folder.path()).unwrap();
        assert_eq!(found, ["beside", "system/api", "system/web"].map(|chart| folder.path().join(chart)));
        let error = all(&folder.path().join("beside")).unwrap_err().to_string();
        assert!(error.starts_with("there is no chart below ") && error.ends_with("beside"), "{error}");
    }
}
