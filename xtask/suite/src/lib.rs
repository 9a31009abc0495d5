//! The suite file: everything that is specific to a chart, documented key by key in `docs/suite.md`.
//!
//! It knows suites, charts, releases, values, and how a kind of case is described. It must not know which kinds of cases
//! there are (the loader gets them as an argument), how one runs, or any cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

mod application;
pub mod budgets;
mod case;
mod case_kind;
pub mod definitions;
mod image;
pub mod load;
pub mod missing;
mod pod_security;
mod release;
mod tables;
mod upgrade;
pub mod variant;
mod verify;
mod workload;

pub use application::{Exec, Health, Http, Leader, Members, Scheme, Tcp};
pub use case::CaseSpec;
pub use case_kind::{CaseKind, Deploys, Parameters, Starts};
pub use chart::ChartSource;
pub use client::records::Records;
pub use client::request::Request;
pub use client::template;
pub use client::value::{ListAt, ValueAt};
pub use history::Promise;
pub use image::ImageUnderTest;
pub use pod_security::PodSecurity;
pub use release::{Namespaces, Release, SecretSpec};
pub use upgrade::{Earlier, Upgrade};
pub use variant::Variant;
pub use verify::Question;
pub use workload::Workload;

/// One or several charts, and the properties that must hold for them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// The first part of every case's name.
    pub name: String,
    /// The chart, if there is only one release, which has the suite's name.
    #[serde(default)]
    chart: Option<String>,
    /// The chart's version, if it is pulled.
    #[serde(default)]
    version: Option<String>,
    /// The releases of every topology. The last one is under test: the values of topologies and upgrades apply to it.
    #[serde(default, rename = "release")]
    pub releases: Vec<Release>,
    /// The Secrets of every topology.
    #[serde(default, rename = "secret")]
    pub secrets: Vec<SecretSpec>,
    /// A remark about the results, printed with the first line.
    #[serde(default)]
    pub note: String,
    /// The images under test; several have names.
    #[serde(default, rename = "image", deserialize_with = "tables::one_or_several")]
    pub images: Vec<ImageUnderTest>,
    /// The workloads under test. A case is about the first, unless it names another.
    #[serde(default, rename = "workload", deserialize_with = "tables::one_or_several")]
    pub workloads: Vec<Workload>,
    /// The only workload's tables, `http` to `leader`; the loader moves them there.
    #[serde(default)]
    http: Option<Http>,
    #[serde(default)]
    tcp: Option<Tcp>,
    #[serde(default)]
    exec: Option<Exec>,
    #[serde(default)]
    health: Option<Health>,
    #[serde(default)]
    records: Option<Records>,
    #[serde(default)]
    members: Option<Members>,
    #[serde(default)]
    leader: Option<Leader>,
    /// The Pod Security Standard of its namespaces, if neither a topology nor a release has its own.
    #[serde(default)]
    pod_security: Option<PodSecurity>,
    /// The change that an upgrade makes.
    #[serde(default)]
    pub upgrade: Upgrade,
    /// How the number of replicas is set.
    #[serde(default)]
    pub scale: Scale,
    /// The time limit of each case, by its name; `default` for the others.
    #[serde(default)]
    pub timeouts_s: BTreeMap<String, u64>,
    /// How long states may last before they count as unrecoverable, by their keys in the table of these states.
    #[serde(default)]
    pub limits_s: BTreeMap<String, u64>,
    /// The number of clients that write and read around a fault, and the number of writes that are required.
    #[serde(default)]
    pub load: Load,
    /// What the system's owners want to know, and the cases that answer it.
    #[serde(default, rename = "verify")]
    pub questions: Vec<Question>,
    /// The variants in which the chart is deployed.
    #[serde(rename = "topology")]
    pub topologies: Vec<Topology>,
    /// The folder of the suite file; the other paths are relative to it.
    #[serde(skip)]
    pub folder: PathBuf,
    /// What faults may cost, if such a file is beside the suite file.
    #[serde(skip)]
    pub budgets: BTreeMap<&'static str, budgets::Budgets>,
}

/// How the number of replicas is set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// The path of the value: `replicaCount`.
    #[serde(default = "default_scale_value")]
    pub value: String,
    /// The number of replicas to which `scale_up` scales.
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
    /// The number of clients per replica that keep their connection, and of those that don't.
    pub clients_per_replica: u32,
    /// The pause of a client between two operations, in milliseconds.
    pub pause_ms: u64,
    /// The required number of acknowledged writes before the fault.
    pub before: usize,
    /// The required number of acknowledged writes from the fault to recovery.
    pub during: usize,
    /// The required number of acknowledged writes after recovery.
    pub after: usize,
}

impl Default for Load {
    fn default() -> Self {
        Self { clients_per_replica: 1, pause_ms: 100, before: 5, during: 0, after: 5 }
    }
}

/// One variant in which the chart is deployed, and the cases that check it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// The second part of its cases' names.
    pub name: String,
    /// The number of replicas.
    pub replicas: u32,
    /// Values files, relative to the chart.
    #[serde(default)]
    pub values: Vec<PathBuf>,
    /// Additional values, for `--set`.
    #[serde(default)]
    pub set: Vec<String>,
    /// The Pod Security Standard of its namespaces, instead of the suite's.
    #[serde(default)]
    pod_security: Option<PodSecurity>,
    /// The number of replicas that must be ready at any time during each case after `ready`.
    #[serde(default)]
    pub never_below: Option<u32>,
    /// Whether `ready` requires that the replicas are spread over the nodes.
    #[serde(default)]
    pub spread_over_nodes: bool,
    /// The cases as the file lists them; the loader looks up their kinds.
    #[serde(rename = "cases")]
    listed: Vec<case::Listed>,
    /// Its cases, in the order in which they run.
    #[serde(skip)]
    pub cases: Vec<CaseSpec>,
}

impl Suite {
    /// Returns the release under test: the last one.
    ///
    /// # Panics
    /// Never: a suite without a release is rejected when it is read.
    pub fn under_test(&self) -> &Release {
        &self.releases[self.releases.len() - 1]
    }

    /// Returns where its charts come from, without duplicates, each with its place in the suite file.
    pub fn charts(&self) -> BTreeMap<&ChartSource, &str> {
        let of_releases = self.releases.iter().map(|release| (&release.source, release.place.as_str()));
        let earlier = self.upgrade.from.iter().map(|earlier| (&earlier.source, earlier.place.as_str()));
        // The first place wins.
        earlier.chain(of_releases).collect()
    }

    /// Returns the values files of releases, topologies and cases, each with the chart that it is relative to.
    pub fn values_files(&self) -> BTreeSet<(&ChartSource, PathBuf)> {
        let of_releases = self.releases.iter().map(|release| (&release.source, release.values.clone()));
        let of_topologies = self.topologies.iter().map(|topology| (&self.under_test().source, topology.values.clone()));
        let of_earlier = self.upgrade.from.iter().filter_map(|from| Some((&from.source, from.values.clone()?)));
        let cases = self.topologies.iter().flat_map(|topology| &topology.cases);
        let of_cases = cases.flat_map(|case| (case.kind.deploys)(case)).map(|deployed| {
            let release = self.release(deployed.release.as_deref()).unwrap_or_else(|_| self.under_test());
            (&release.source, deployed.values)
        });
        let all = of_releases.chain(of_topologies).chain(of_earlier).chain(of_cases);
        all.flat_map(|(source, files)| files.into_iter().map(move |file| (source, file))).collect()
    }

    /// Returns the parts of its topologies, each with its own namespace; the name of the first part is empty.
    pub fn parts(&self) -> BTreeSet<&str> {
        let parts = self.releases.iter().map(|release| release.namespace.as_str());
        parts.chain(self.secrets.iter().flat_map(|secret| secret.namespaces.iter().map(String::as_str))).collect()
    }

    /// Returns a release by its key; none means the one under test.
    ///
    /// # Errors
    /// If there is no such release, with the existing ones.
    pub fn release(&self, key: Option<&str>) -> Result<&Release, String> {
        let Some(key) = key else { return Ok(self.under_test()) };
        let known = || self.releases.iter().map(Release::key).collect::<Vec<_>>().join(", ");
        let found = self.releases.iter().find(|release| release.key() == key);
        found.ok_or_else(|| format!("unknown release `{key}`: expected one of {}", known()))
    }

    /// Checks that every `${namespace:PART}` in these texts names an existing part.
    ///
    /// # Errors
    /// The first that does not, with the existing parts.
    pub fn check_holes(&self, texts: &[String]) -> Result<(), String> {
        let namespaces = self.parts().into_iter().map(|part| (part.to_owned(), String::new()));
        let namespaces = Namespaces(namespaces.collect());
        texts.iter().try_for_each(|text| namespaces.fill(text).map(drop))
    }

    /// Returns a workload under test by its name; none means the first.
    ///
    /// # Errors
    /// If there is no such workload, with the existing ones.
    pub fn workload(&self, name: Option<&str>) -> Result<Option<&Workload>, String> {
        let Some(name) = name else { return Ok(self.workloads.first()) };
        let known = || self.workloads.iter().map(Workload::name).collect::<Vec<_>>().join(", ");
        let found = self.workloads.iter().find(|workload| workload.name() == name);
        found.map(Some).ok_or_else(|| format!("unknown workload `{name}`: expected one of {}", known()))
    }

    /// Returns the image under test that a workload's container runs, or `None` if that container has an image of its own.
    pub fn image_of(&self, workload: &Workload) -> Option<&ImageUnderTest> {
        let is_it = |image: &&ImageUnderTest| workload.image.is_none() || image.name == workload.image;
        self.images.iter().filter(|_| !workload.own_image).find(is_it)
    }

    /// Returns the workload that a case is about, or the first if it is about none in particular.
    pub fn workload_of(&self, case: &CaseSpec) -> Option<&Workload> {
        self.workload(case.workload.as_deref()).ok().flatten()
    }

    /// Returns the time limit of a case.
    pub fn timeout(&self, case: &CaseSpec) -> Duration {
        let names = [case.name.as_str(), case.kind.name, "default"];
        let seconds = names.into_iter().find_map(|name| self.timeouts_s.get(name));
        Duration::from_secs(seconds.copied().unwrap_or(DEFAULT_TIMEOUT_S))
    }
}

const DEFAULT_TIMEOUT_S: u64 = 120;

fn default_scale_value() -> String {
    "replicaCount".to_owned()
}

fn default_scale_to() -> u32 {
    3
}
