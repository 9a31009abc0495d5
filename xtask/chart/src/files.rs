//! Charts as files: packaged ones are unpacked, those of registries and repositories pulled, and dependencies that are
//! missing are built.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use flate2::read::GzDecoder;
use serde::Deserialize;

use process::{CommandError, Launcher};
use tools::Tool;

/// How long helm may take to fetch charts.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);
/// No chart is larger than this once it is unpacked.
const UNPACKED_MAX_BYTES: u64 = 200_000_000;

/// What is read of a `Chart.yaml`, or of the `requirements.yaml` of a chart with `apiVersion: v1`.
#[derive(Deserialize, Default)]
struct Described {
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    #[serde(default)]
    repository: String,
}

/// Unpacks a packaged chart into an empty folder; returns the chart's folder in it.
///
/// # Errors
/// If it is not a packaged chart, or too large.
pub fn unpack(archive: &Path, into: &Path) -> anyhow::Result<PathBuf> {
    let file = File::open(archive).with_context(|| format!("reading {}", archive.display()))?;
    untar(GzDecoder::new(file), into).with_context(|| format!("unpacking {}", archive.display()))?;
    only_chart(into).with_context(|| format!("{} is not a packaged chart", archive.display()))
}

/// Unpacks a tar archive; nothing is written outside of the folder.
///
/// # Errors
/// If it is not a tar archive, or too large.
pub fn untar(tar: impl Read, into: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(into)?;
    let mut bytes = tar.take(UNPACKED_MAX_BYTES);
    tar::Archive::new(&mut bytes).unpack(into)?;
    ensure!(bytes.limit() > 0, "it is larger than {} MB", UNPACKED_MAX_BYTES / 1_000_000);
    Ok(())
}

/// Returns the only chart in a folder.
fn only_chart(folder: &Path) -> anyhow::Result<PathBuf> {
    let entries = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut charts = entries.filter(|entry| entry.join("Chart.yaml").is_file());
    match (charts.next(), charts.next()) {
        (Some(chart), None) => Ok(chart),
        (None, _) => bail!("no folder in it has a Chart.yaml"),
        (Some(_), Some(_)) => bail!("several folders in it have a Chart.yaml"),
    }
}

/// Pulls a chart, named as for `helm pull`, into an empty folder; returns the chart's folder in it.
///
/// # Errors
/// If helm can't pull it.
pub async fn pull(launcher: &Launcher, helm: &Tool, name: &str, version: &str, into: &Path) -> anyhow::Result<PathBuf> {
    let pull = launcher.cmd(&helm.path).args(["pull", name, "--version", version, "--untar", "--untardir"]);
    pull.arg(into).timeout(FETCH_TIMEOUT).run().await?;
    only_chart(into).with_context(|| format!("{name} {version}"))
}

/// Returns the `repository` of each of a chart's dependencies.
///
/// # Errors
/// If the chart can't be read.
pub fn repositories(chart: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for file in ["Chart.yaml", "requirements.yaml"] {
        let path = chart.join(file);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let described: Described = serde_saphyr::from_str(&text).with_context(|| path.display().to_string())?;
        found.extend(described.dependencies.into_iter().map(|dependency| dependency.repository));
    }
    Ok(found)
}

/// Returns the names of the dependencies that helm does not find in a chart's `charts/`.
///
/// # Errors
/// If helm can't read the chart.
pub async fn missing_dependencies(launcher: &Launcher, helm: &Tool, chart: &Path) -> Result<Vec<String>, CommandError> {
    let listed = launcher.cmd(&helm.path).args(["dependency", "list"]).arg(chart).run().await?;
    let missing = listed.lines().filter(|line| line.trim_end().ends_with("missing"));
    Ok(missing.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// Runs `helm dependency build` for a chart that may be written to. helm's own configuration stays as it is: `scratch`
/// holds a copy, to which the repositories of the dependencies are added.
///
/// # Errors
/// If helm can't fetch them, or the chart's lock file does not match.
pub async fn build_dependencies(launcher: &Launcher, helm: &Tool, chart: &Path, scratch: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(scratch)?;
    let (config, cache) = (scratch.join("repositories.yaml"), scratch.join("cache"));
    let own = launcher.cmd(&helm.path).args(["env", "HELM_REPOSITORY_CONFIG"]).run().await?;
    if Path::new(own.trim()).is_file() {
        std::fs::copy(own.trim(), &config)?;
    }
    let with_config = |args: &[&str]| {
        let cmd = launcher.cmd(&helm.path).args(args).arg("--repository-config").arg(&config);
        cmd.arg("--repository-cache").arg(&cache).timeout(FETCH_TIMEOUT)
    };
    for (index, url) in repositories(chart)?.iter().filter(|url| is_http(url)).enumerate() {
        let known = std::fs::read_to_string(&config).unwrap_or_default();
        if !known.contains(url.trim_end_matches('/')) {
            with_config(&["repo", "add", &format!("dependency-{index}"), url]).run().await?;
        }
    }
    with_config(&["dependency", "build"]).arg(chart).run().await?;
    Ok(())
}

fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a `.tgz` with one file.
    fn tar_gz(name: &str, bytes: &[u8]) -> Vec<u8> {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gzip);
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn a_packaged_chart_is_unpacked_and_anything_else_reported() {
        let folder = tempfile::tempdir().unwrap();
        let unpacked = |name: &str, bytes: &[u8]| {
            let archive = folder.path().join(format!("{name}.tgz"));
            std::fs::write(&archive, bytes).unwrap();
            unpack(&archive, &folder.path().join(name)).map_err(|error| format!("{error:#}"))
        };
        let chart = unpacked("web", &tar_gz("web/Chart.yaml", b"name: web")).unwrap();
        assert_eq!(chart, folder.path().join("web/web"));
        assert!(unpacked("page", b"<html>").unwrap_err().contains("unpacking "));
        assert!(unpacked("other", &tar_gz("a/b", b"")).unwrap_err().ends_with("no folder in it has a Chart.yaml"));
    }

    #[test]
    fn repositories_of_both_api_versions_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("Chart.yaml", "name: a\ndependencies: [{name: b, repository: 'file://../b'}, {name: c}]\n");
        write("requirements.yaml", "dependencies: [{name: d, repository: 'https://charts.example'}]\n");
        assert_eq!(repositories(folder.path()).unwrap(), ["file://../b", "", "https://charts.example"]);
    }
}
