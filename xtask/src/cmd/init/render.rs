//! Renders the chart, with its own values or with the smallest values file with which it renders at all.

use std::path::{Path, PathBuf};

use serde_json::Value;

use chart::ChartSource;
use console::exit::usage;
use process::{CommandError, Launcher};
use tools::Tool;
use tools::helm::ci_values;
use tools::{helm, yaml};

/// How many lines of helm's refusal are shown.
const LINES_MAX: usize = 3;

/// Renders one chart.
pub struct Renderer {
    pub launcher: Launcher,
    pub helm: Tool,
    /// The chart's folder.
    pub chart: PathBuf,
    /// The chart as the user names it.
    pub source: ChartSource,
    pub release: String,
    /// The values file that the chart needs.
    pub values: Option<PathBuf>,
    /// Values that it needs on top, as for `--set`.
    pub set: Vec<String>,
}

impl Renderer {
    /// Chooses the values file: the one that the user names, otherwise none if the chart renders without, otherwise the
    /// smallest of its `ci/*.yaml` with which it renders. Returns the rendered objects.
    ///
    /// # Errors
    /// A usage error with helm's words if the chart renders with none of them.
    pub async fn choose(&mut self, named: Option<&Path>) -> anyhow::Result<Vec<Value>> {
        self.values = named.map(|file| self.chart.join(file));
        let refused = match self.objects(&[]).await {
            Ok(objects) => return Ok(objects),
            Err(error) => error,
        };
        let mut files = if named.is_some() { Vec::new() } else { ci_values(&self.chart)? };
        files.sort_by_key(|file| file.metadata().map_or(u64::MAX, |metadata| metadata.len()));
        for file in files {
            self.values = Some(file);
            if let Ok(objects) = self.objects(&[]).await {
                return Ok(objects);
            }
        }
        let with = named.map_or_else(|| "its own values".to_owned(), |file| format!("--values {}", file.display()));
        let fix = "write the values that it asks for to a file, and pass it with --values";
        Err(usage(format!("{} does not render with {with}: {}; {fix}", self.source, words(&refused))))
    }

    /// Renders the chart with additional values, each as for `--set-string`.
    ///
    /// # Errors
    /// If helm refuses the chart or these values, or prints no YAML.
    pub async fn objects(&self, set_string: &[String]) -> anyhow::Result<Vec<Value>> {
        let strings = set_string.iter().map(|value| ("--set-string", value));
        self.template(strings.flat_map(|(flag, value)| [flag.to_owned(), value.clone()])).await
    }

    /// Renders the chart with values as for `--set`.
    ///
    /// # Errors
    /// As [`Renderer::objects`].
    pub async fn with_values(&self, set: &[String]) -> anyhow::Result<Vec<Value>> {
        self.template(set.iter().flat_map(|value| ["--set".to_owned(), value.clone()])).await
    }

    async fn template(&self, flags: impl Iterator<Item = String>) -> anyhow::Result<Vec<Value>> {
        let mut template = self.launcher.cmd(&self.helm.path).args(["template", &self.release]).arg(&self.chart);
        if let Some(values) = &self.values {
            template = template.arg("--values").arg(values);
        }
        let set = self.set.iter().flat_map(|value| ["--set", value.as_str()]);
        helm::objects(&template.args(set).args(flags).run().await?)
    }

    /// Returns the chart's values: its defaults, those of its dependencies, and on top of them the values file's.
    ///
    /// # Errors
    /// If helm can't read the chart, or the file is not YAML.
    pub async fn all_values(&self) -> anyhow::Result<Value> {
        let mut values = helm::defaults(&self.launcher, &self.helm, &self.chart).await?;
        if let Some(file) = &self.values {
            merge(&mut values, yaml::document(&std::fs::read_to_string(file)?)?);
        }
        Ok(values)
    }
}

/// Puts values over others, as helm does with a values file.
fn merge(values: &mut Value, over: Value) {
    match (values, over) {
        (Value::Object(values), Value::Object(over)) => {
            for (name, value) in over {
                merge(values.entry(name).or_insert(Value::Null), value);
            }
        }
        (values, over) => *values = over,
    }
}

/// Returns all that helm printed, without its command line.
pub fn said(error: &anyhow::Error) -> String {
    error.downcast_ref::<CommandError>().map_or_else(|| format!("{error:#}"), |error| error.tail.clone())
}

/// Returns the first lines of what helm says.
pub fn words(error: &anyhow::Error) -> String {
    let said = said(error);
    let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let first = lines.iter().position(|line| line.starts_with("Error")).unwrap_or_default();
    lines[first..].iter().take(LINES_MAX).copied().collect::<Vec<_>>().join(" ")
}
