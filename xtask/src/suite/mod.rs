//! The suite file: everything that is a chart's own. Documented key by key in `docs/suite.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use crate::phases::Phase;

pub mod load;
pub mod template;

use template::Template;

/// A chart and what has to hold for it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// First part of every case's name.
    pub name: String,
    /// The chart's folder, relative to the suite file.
    pub chart: PathBuf,
    /// Name of the release in every namespace; the suite's name unless said.
    #[serde(default)]
    pub release: String,
    /// Something to know before reading the results; printed with the first line.
    #[serde(default)]
    pub note: String,
    /// The image under test.
    pub image: ImageUnderTest,
    /// What runs the replicas.
    pub workload: Workload,
    /// How the application is asked.
    pub http: Http,
    /// How a record is written, read and found again.
    pub records: Records,
    /// How the application tells who its members are, where it does.
    #[serde(default)]
    pub members: Option<Members>,
    /// How the application tells who leads, where it does.
    #[serde(default)]
    pub leader: Option<Leader>,
    /// What an upgrade changes.
    #[serde(default)]
    pub upgrade: Upgrade,
    /// How the number of replicas is set.
    #[serde(default)]
    pub scale: Scale,
    /// How long each case may take, by its name; `default` for the others.
    #[serde(default)]
    pub timeouts_s: BTreeMap<String, u64>,
    /// How many clients write and read around a fault, and how many writes make it worth judging.
    #[serde(default)]
    pub load: Load,
    /// The ways in which the chart is deployed.
    #[serde(rename = "topology")]
    pub topologies: Vec<Topology>,
    /// Folder of the suite file; the other paths are relative to it.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// How the image under test gets into the chart's values, and what stands in for it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageUnderTest {
    /// Path of the value that takes the repository: `image.repository`.
    pub repository: String,
    /// Path of the value that takes the tag: `image.tag`.
    pub tag: String,
    /// The stand-in's program in its image: `/bin/caesium`. None: there is no stand-in, the chart's own image is tested.
    #[serde(default)]
    pub stand_in: Option<String>,
}

/// What runs the replicas.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Name of the `StatefulSet`; the replicas are the pods that it controls.
    pub stateful_set: String,
    /// Name of the container that is the application.
    pub container: String,
    /// Name of the Service that clients use.
    pub service: String,
    /// Name of the `PodDisruptionBudget`, where there is one.
    #[serde(default)]
    pub disruption_budget: Option<String>,
}

/// How the application is asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The containers' port.
    pub port: u16,
    /// Answers 200 when the replica is healthy.
    pub health: Template,
    /// After which one request is given up, in milliseconds.
    #[serde(default = "default_request_timeout_ms")]
    pub request_timeout_ms: u64,
}

/// One HTTP request; path and body are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The method; GET unless said.
    #[serde(default = "default_method")]
    pub method: String,
    /// Path and query.
    pub path: Template,
    /// The body, sent as JSON; none unless said.
    #[serde(default)]
    pub body: Option<Template>,
    /// The status that means success; 200 unless said.
    #[serde(default = "default_status")]
    pub status: u16,
}

impl Request {
    /// A plain GET of a path.
    pub fn get(path: &Template) -> Self {
        Self { method: default_method(), path: path.clone(), body: None, status: default_status() }
    }
}

/// How a record is written, read and found again.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// What the application promises about its records.
    pub promise: history::Promise,
    /// Writes `${value}` under `${key}`; both are unique.
    pub write: Write,
    /// Reads the record `${id}` or `${key}`.
    pub read: Read,
    /// Finds a record by its value where the write's answer never came; `read` does, unless said.
    #[serde(default)]
    pub find: Option<Find>,
}

/// How a record is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// The request.
    pub request: Request,
    /// JSON pointer to the id that the application gave the record.
    #[serde(default)]
    pub id: Option<Pointer>,
}

/// How a record is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The request.
    pub request: Request,
    /// The status that says that there is no such record; without it, an answer without the value does.
    #[serde(default)]
    pub absent: Option<u16>,
    /// JSON pointer to the value.
    pub value: Pointer,
    /// How the value is encoded in the answer.
    #[serde(default)]
    pub encoding: Encoding,
}

/// How a record is found by its value in a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// The request.
    pub request: Request,
    /// JSON pointer to the list in the answer; empty where the answer is the list.
    pub items: Pointer,
    /// JSON pointer to the value in an item.
    pub value: Pointer,
    /// JSON pointer to the id in an item.
    pub id: Pointer,
}

/// How a value stands in an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As it was written.
    #[default]
    Plain,
    /// In base64.
    Base64,
}

/// How the application tells its members.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// The request; every pod is asked.
    pub request: Request,
    /// JSON pointer to the list in the answer.
    pub items: Pointer,
    /// JSON pointer to what identifies a member in an item.
    pub name: Pointer,
    /// JSON pointer to the role in an item; without it every item is a voter.
    #[serde(default)]
    pub role: Option<Pointer>,
    /// The role that votes.
    #[serde(default = "default_voter")]
    pub voter: String,
    /// The roles of members; items of any other role are none.
    #[serde(default)]
    pub roles: Vec<String>,
    /// How long a dead member may count before it is demoted, in seconds.
    #[serde(default)]
    pub demotion_s: u64,
}

/// How the application tells its leader.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leader {
    /// The request; every pod is asked.
    pub request: Request,
    /// JSON pointer to who leads, as the answering pod knows it.
    pub leader: Pointer,
    /// JSON pointer to what the answering pod is called itself. Without it the leader's name is its
    /// pod's IP, with or without a port, or its pod's name.
    #[serde(default)]
    pub own: Option<Pointer>,
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
    /// Its cases, in the order in which they run.
    pub cases: Vec<Phase>,
}

/// A JSON pointer (RFC 6901); the empty one is the whole document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(String);

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() || text.starts_with('/') {
            return Ok(Self(text));
        }
        Err(format!("a JSON pointer is empty or begins with a slash: write \"/{text}\""))
    }
}

impl Pointer {
    /// What it points to.
    pub fn get<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        document.pointer(&self.0)
    }

    /// What it points to, as text: strings without their quotes, other scalars as JSON writes them.
    pub fn text(&self, document: &Value) -> Option<String> {
        match self.get(document)? {
            Value::String(text) => Some(text.clone()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            scalar => Some(scalar.to_string()),
        }
    }

    /// The pointer as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Suite {
    /// The chart's folder.
    pub fn chart(&self) -> PathBuf {
        clean(&self.folder.join(&self.chart))
    }

    /// How long a case may take.
    pub fn timeout(&self, phase: &str) -> Duration {
        let seconds = self.timeouts_s.get(phase).or_else(|| self.timeouts_s.get("default"));
        Duration::from_secs(seconds.copied().unwrap_or(DEFAULT_TIMEOUT_S))
    }

    /// After which one request is given up.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.http.request_timeout_ms)
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

fn default_request_timeout_ms() -> u64 {
    2000
}

fn default_method() -> String {
    "GET".to_owned()
}

fn default_status() -> u16 {
    200
}

fn default_voter() -> String {
    "voter".to_owned()
}

fn default_scale_value() -> String {
    "replicaCount".to_owned()
}

fn default_scale_to() -> u32 {
    3
}
