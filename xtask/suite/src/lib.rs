//! The suite file: everything that is a chart's own, documented key by key in `docs/suite.md`.
//!
//! It knows suites, charts, releases, values, and what a kind of case is described by. It must not know which kinds of
//! cases there are (the loader is given them), how one runs, or any cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;

use oci::Reference;

mod application;
pub mod budgets;
mod case;
mod case_kind;
pub mod definitions;
pub mod load;
pub mod missing;
mod pod_security;
mod release;
pub mod variant;
mod verify;

pub use application::{Http, Leader, Members};
pub use case::CaseSpec;
pub use case_kind::{CaseKind, Deploys, Parameters};
pub use client::records::{Pointer, Records, Request};
pub use client::template;
pub use pod_security::PodSecurity;
pub use release::{Namespaces, Release, SecretSpec};
pub use variant::Variant;
pub use verify::Question;

/// A chart, or several, and what has to hold for them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// First part of every case's name.
    pub name: String,
    /// The chart's folder, relative to the suite file, where there is one release, called as the suite is.
    #[serde(default)]
    chart: Option<PathBuf>,
    /// The releases of every topology. The last one is under test: topologies' values and upgrades are its.
    #[serde(default, rename = "release")]
    pub releases: Vec<Release>,
    /// The Secrets of every topology.
    #[serde(default, rename = "secret")]
    pub secrets: Vec<SecretSpec>,
    /// Something to know before reading the results; printed with the first line.
    #[serde(default)]
    pub note: String,
    /// The image under test.
    pub image: ImageUnderTest,
    /// What runs the replicas.
    #[serde(default)]
    pub workload: Option<Workload>,
    /// How the application is asked.
    #[serde(default)]
    pub http: Option<Http>,
    /// How a record is written, read and found again.
    #[serde(default)]
    records: Option<Records>,
    /// How the application tells who its members are, where it does.
    #[serde(default)]
    pub members: Option<Members>,
    /// How the application tells who leads, where it does.
    #[serde(default)]
    pub leader: Option<Leader>,
    /// The Pod Security Standard of its namespaces, if neither a topology nor a release has its own.
    #[serde(default)]
    pod_security: Option<PodSecurity>,
    /// What an upgrade changes.
    #[serde(default)]
    pub upgrade: Upgrade,
    /// How the number of replicas is set.
    #[serde(default)]
    pub scale: Scale,
    /// How long each case may take, by its name; `default` for the others.
    #[serde(default)]
    pub timeouts_s: BTreeMap<String, u64>,
    /// How long states may last before a wait takes them for final, by their keys in the table of final states.
    #[serde(default)]
    pub limits_s: BTreeMap<String, u64>,
    /// How many clients write and read around a fault, and how many writes make it worth judging.
    #[serde(default)]
    pub load: Load,
    /// What the system's owners want to know, and who answers it.
    #[serde(default, rename = "verify")]
    pub questions: Vec<Question>,
    /// The ways in which the chart is deployed.
    #[serde(rename = "topology")]
    pub topologies: Vec<Topology>,
    /// Folder of the suite file; the other paths are relative to it.
    #[serde(skip)]
    pub folder: PathBuf,
    /// What faults may cost, where that is committed beside the suite file.
    #[serde(skip)]
    pub budgets: BTreeMap<&'static str, budgets::Budgets>,
}

/// How the image under test gets into the chart's values, and what stands in for it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageUnderTest {
    /// Path of the value that takes the repository: `image.repository`. Without a `tag` it takes the whole reference.
    pub repository: String,
    /// Path of the value that takes the tag: `image.tag`.
    #[serde(default)]
    pub tag: Option<String>,
    /// Path of the value that takes the registry, where the chart puts one before the repository: `image.registry`.
    #[serde(default)]
    pub registry: Option<String>,
    /// The stand-in's program in its image: `/bin/caesium`. None: there is no stand-in, the chart's own image is tested.
    #[serde(default)]
    pub stand_in: Option<String>,
    /// Where the suite says this: `helm/caesium/e2e.toml:7`.
    #[serde(skip)]
    pub place: String,
}

impl ImageUnderTest {
    /// The values that bring an image into the chart, as `--set-string` takes them.
    pub fn values(&self, image: &Reference) -> Vec<String> {
        let tag = image.tag.clone().unwrap_or_default();
        let name = if self.registry.is_some() { image.repository.clone() } else { image.name() };
        let name = if self.tag.is_some() { name } else { format!("{name}:{tag}") };
        let registry = self.registry.iter().map(|path| format!("{path}={}", image.registry));
        let tag = self.tag.iter().map(|path| format!("{path}={tag}"));
        registry.chain([format!("{}={name}", self.repository)]).chain(tag).collect()
    }
}

/// What runs the replicas.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Name of the `StatefulSet`, where it is one; the replicas are the pods that it controls.
    #[serde(default)]
    pub stateful_set: Option<String>,
    /// Name of the `Deployment`, where it is one; the replicas are the pods of its current revision.
    #[serde(default)]
    pub deployment: Option<String>,
    /// Name of the container that is the application.
    pub container: String,
    /// Name of the Service that clients use.
    pub service: String,
    /// Name of the `PodDisruptionBudget`, where there is one.
    #[serde(default)]
    pub disruption_budget: Option<String>,
}

impl Workload {
    /// Kind and name of what controls the replicas.
    pub fn object(&self) -> (&'static str, &str) {
        match (&self.stateful_set, &self.deployment) {
            (Some(name), _) => ("StatefulSet", name),
            (None, name) => ("Deployment", name.as_deref().unwrap_or_default()),
        }
    }
}

/// What an upgrade changes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    /// Values set on top, as `--set` takes them: something that makes every pod be replaced.
    #[serde(default)]
    pub set: Vec<String>,
}

/// How the number of replicas is set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Path of the value: `replicaCount`.
    #[serde(default = "default_scale_value")]
    pub value: String,
    /// How many replicas `scale_up` goes to.
    #[serde(default = "default_scale_to")]
    pub to: u32,
}

impl Default for Scale {
    fn default() -> Self {
        Self { value: default_scale_value(), to: default_scale_to() }
    }
}

/// The clients around a fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Clients per replica that keep their connection, and as many that don't.
    pub clients_per_replica: u32,
    /// Pause of a client between two operations, in milliseconds.
    pub pause_ms: u64,
    /// Fewest acknowledged writes before the fault.
    pub before: usize,
    /// Fewest acknowledged writes from the fault to recovery.
    pub during: usize,
    /// Fewest acknowledged writes after recovery.
    pub after: usize,
}

impl Default for Load {
    fn default() -> Self {
        Self { clients_per_replica: 1, pause_ms: 100, before: 5, during: 0, after: 5 }
    }
}

/// One way in which the chart is deployed, and what is checked there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// Second part of its cases' names.
    pub name: String,
    /// How many replicas it has.
    pub replicas: u32,
    /// Values files, relative to the chart.
    #[serde(default)]
    pub values: Vec<PathBuf>,
    /// Values on top, as `--set` takes them.
    #[serde(default)]
    pub set: Vec<String>,
    /// The Pod Security Standard of its namespaces, instead of the suite's.
    #[serde(default)]
    pod_security: Option<PodSecurity>,
    /// How many replicas have to be ready at every moment of every case after `ready`.
    #[serde(default)]
    pub never_below: Option<u32>,
    /// Whether `ready` demands that the replicas are spread over the nodes.
    #[serde(default)]
    pub spread_over_nodes: bool,
    /// As the file lists its cases; the loader looks their kinds up.
    #[serde(rename = "cases")]
    listed: Vec<case::Listed>,
    /// Its cases, in the order in which they run.
    #[serde(skip)]
    pub cases: Vec<CaseSpec>,
}

impl Suite {
    /// The release under test: the last one.
    ///
    /// # Panics
    /// Never: a suite without a release is refused when it is read.
    pub fn under_test(&self) -> &Release {
        &self.releases[self.releases.len() - 1]
    }

    /// The folder of the chart under test.
    pub fn chart(&self) -> PathBuf {
        self.chart_of(self.under_test())
    }

    /// The folder of a release's chart.
    pub fn chart_of(&self, release: &Release) -> PathBuf {
        clean(&self.folder.join(&release.chart))
    }

    /// The folders of all charts, each once.
    pub fn charts(&self) -> BTreeSet<PathBuf> {
        self.releases.iter().map(|release| self.chart_of(release)).collect()
    }

    /// The values files that releases, topologies and cases name, each once.
    pub fn values_files(&self) -> BTreeSet<PathBuf> {
        let of_release = |release: &Release| {
            let chart = self.chart_of(release);
            release.values.iter().map(|file| chart.join(file)).collect::<Vec<_>>()
        };
        let of_topology =
            self.topologies.iter().flat_map(|topology| &topology.values).map(|file| self.chart().join(file));
        let cases = self.topologies.iter().flat_map(|topology| &topology.cases);
        let of_deployed = |deployed: &Deploys| {
            let release = self.release(deployed.release.as_deref()).unwrap_or_else(|_| self.under_test());
            deployed.values.iter().map(|file| self.chart_of(release).join(file)).collect::<Vec<_>>()
        };
        let of_case = |case: &CaseSpec| (case.kind.deploys)(case).iter().flat_map(of_deployed).collect::<Vec<_>>();
        self.releases.iter().flat_map(of_release).chain(of_topology).chain(cases.flat_map(of_case)).collect()
    }

    /// The parts that its topologies are made of, a namespace each; the first one is called by no name.
    pub fn parts(&self) -> BTreeSet<&str> {
        let parts = self.releases.iter().map(|release| release.namespace.as_str());
        parts.chain(self.secrets.iter().flat_map(|secret| secret.namespaces.iter().map(String::as_str))).collect()
    }

    /// A release by its key; none means the one under test.
    ///
    /// # Errors
    /// Where there is none, with those that there are.
    pub fn release(&self, key: Option<&str>) -> Result<&Release, String> {
        let Some(key) = key else { return Ok(self.under_test()) };
        let known = || self.releases.iter().map(Release::key).collect::<Vec<_>>().join(", ");
        let found = self.releases.iter().find(|release| release.key() == key);
        found.ok_or_else(|| format!("there is no release `{key}`: there are {}", known()))
    }

    /// Whether every `${namespace:PART}` in these texts names a part that there is.
    ///
    /// # Errors
    /// The first that does not, with those that there are.
    pub fn check_holes(&self, texts: &[String]) -> Result<(), String> {
        let namespaces = self.parts().into_iter().map(|part| (part.to_owned(), String::new()));
        let namespaces = Namespaces(namespaces.collect());
        texts.iter().try_for_each(|text| namespaces.fill(text).map(drop))
    }

    /// How records are written and read.
    ///
    /// # Errors
    /// Where the suite does not say; cases that need it can't be listed then.
    pub fn records(&self) -> anyhow::Result<&Records> {
        self.records.as_ref().context("the suite has no [records]")
    }

    /// How long a case may take.
    pub fn timeout(&self, case: &CaseSpec) -> Duration {
        let names = [case.name.as_str(), case.kind.name, "default"];
        let seconds = names.into_iter().find_map(|name| self.timeouts_s.get(name));
        Duration::from_secs(seconds.copied().unwrap_or(DEFAULT_TIMEOUT_S))
    }
}

/// The chart's `ci/*.yaml`, in order.
///
/// # Errors
/// Where the folder can't be read.
pub fn ci_values(chart: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = chart.join("ci");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    Ok(files)
}

/// A path without the `.` that a relative path in the suite file leaves in it.
fn clean(path: &Path) -> PathBuf {
    path.components().collect()
}

const DEFAULT_TIMEOUT_S: u64 = 120;

fn default_scale_value() -> String {
    "replicaCount".to_owned()
}

fn default_scale_to() -> u32 {
    3
}
