//! The charts of a run's suites, as folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chart::{ChartSource, Prepared, prepare};
use console::exit::usage;
use process::Launcher;
use suite::Suite;
use tools::{Tool, helm};

/// Charts as folders.
#[derive(Debug, Default)]
pub struct Charts(BTreeMap<ChartSource, Prepared>);

impl Charts {
    /// Makes the charts of suites into folders below `into`.
    ///
    /// # Errors
    /// A usage error with the place in the suite file, if a chart can't be fetched or lacks one of its values files.
    pub async fn prepare(
        launcher: &Launcher,
        helm: &Tool,
        suites: impl IntoIterator<Item = &Suite>,
        into: &Path,
    ) -> anyhow::Result<Self> {
        let mut charts = Self::default();
        for suite in suites {
            for (source, place) in suite.charts() {
                if charts.0.contains_key(source) {
                    continue;
                }
                let folder = into.join(charts.0.len().to_string());
                let prepared = prepare(launcher, helm, source, &folder).await;
                let prepared = prepared.map_err(|error| usage(format!("{place}: {error:#}")))?;
                charts.0.insert(source.clone(), prepared);
            }
            charts.check_values(suite)?;
        }
        Ok(charts)
    }

    /// Checks the values files in charts that were not here when the suite was loaded.
    fn check_values(&self, suite: &Suite) -> anyhow::Result<()> {
        let places = suite.charts();
        let missing = |(source, file): &(&ChartSource, PathBuf)| !self.values(source).join(file).is_file();
        let Some((source, file)) = suite.values_files().into_iter().find(missing) else { return Ok(()) };
        let place = places.get(source).copied().unwrap_or_default();
        let has = helm::ci_values(&self.folder(source)).unwrap_or_default();
        let has: Vec<_> = has.iter().filter_map(|file| Some(format!("ci/{}", file.file_name()?.display()))).collect();
        let has = if has.is_empty() { String::new() } else { format!("; it has {}", has.join(", ")) };
        Err(usage(format!("{place}: {} is not a file of the chart {source}{has}", file.display())))
    }

    /// Returns the folder of a chart, to render and install it.
    pub fn folder(&self, source: &ChartSource) -> PathBuf {
        let prepared = self.0.get(source).map(|prepared| prepared.folder.clone());
        prepared.or_else(|| source.folder().map(Path::to_owned)).unwrap_or_default()
    }

    /// Returns the folder that values files of a chart are relative to: the user's own, if there is one.
    pub fn values(&self, source: &ChartSource) -> PathBuf {
        source.folder().map_or_else(|| self.folder(source), Path::to_owned)
    }

    /// Returns the files and folders of the user that a chart was made from.
    pub fn inputs(&self, source: &ChartSource) -> Vec<PathBuf> {
        let prepared = self.0.get(source).map(|prepared| prepared.inputs.clone());
        prepared.unwrap_or_else(|| source.folder().map(Path::to_owned).into_iter().collect())
    }

    /// Returns why one of the charts may change although its inputs don't.
    pub fn doubt(&self) -> Option<String> {
        self.0.values().find_map(|prepared| prepared.doubt.clone())
    }
}
