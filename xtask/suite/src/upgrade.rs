//! What an upgrade changes: values, or the chart itself.

use std::path::PathBuf;

use oci::Reference;
use serde::Deserialize;

use super::ChartSource;

/// What an upgrade changes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    /// Additional values, for `--set`, that cause every pod to be replaced.
    #[serde(default)]
    pub set: Vec<String>,
    /// The chart that users upgrade from.
    #[serde(default)]
    pub from: Option<Earlier>,
}

/// The chart that users upgrade from: an earlier one of the release under test.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Earlier {
    /// The chart, in every form that a release's chart may have.
    pub(super) chart: String,
    /// Its version, if it is pulled.
    #[serde(default)]
    pub(super) version: Option<String>,
    /// Values files relative to this chart, instead of the topology's.
    #[serde(default)]
    pub values: Option<Vec<PathBuf>>,
    /// The image that it ran, instead of the image under test.
    #[serde(default)]
    pub image: Option<String>,
    /// The source of the chart.
    #[serde(skip)]
    pub source: ChartSource,
    /// The place in the suite file: `helm/caesium/e2e.toml:7`.
    #[serde(skip)]
    pub place: String,
}

impl Earlier {
    /// Returns the name of the chart as the suite has it.
    pub fn label(&self) -> String {
        let version = self.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        format!("{}{version}", self.chart)
    }

    /// Returns the image that it ran.
    ///
    /// # Errors
    /// If it is not a reference, which the loader rejects.
    pub fn image(&self) -> Result<Option<Reference>, String> {
        let parsed = |image: &String| image.parse().map_err(|error| format!("`image = {image:?}`: {error}"));
        self.image.as_ref().map(parsed).transpose()
    }
}
