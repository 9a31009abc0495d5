//! A run: what was asked for, what it made, and where its evidence goes.

mod environment;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::events::Events;
use crate::evidence;
use crate::helm::{Helm, Values};
use crate::images::UnderTest;
use crate::process::Launcher;
use crate::stage::Stage;
use crate::suite::{Suite, Topology};
use crate::tools::Tool;

/// What flags ask for beyond the suite.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Values files on top of the topologies'.
    pub values: Vec<PathBuf>,
    /// Values on top, as `--set` takes them.
    pub set: Vec<String>,
    /// Only topologies of these sizes; empty means all.
    pub replicas: Vec<u32>,
    /// How long each case of a topology may take, instead of what the suite says.
    pub timeout: Option<Duration>,
}

/// A run.
pub struct Run {
    /// Names everything that the run makes.
    pub id: String,
    /// What is proven.
    pub suite: Arc<Suite>,
    /// What flags ask for.
    pub settings: Settings,
    /// Where it is told.
    pub events: Events,
    /// Where evidence goes.
    pub folder: PathBuf,
    /// Starts tools; they are stopped when the run is interrupted.
    pub launcher: Launcher,
    /// Cancelled when the run is interrupted.
    pub cancel: CancellationToken,
    /// Which helm.
    pub helm: Tool,
    /// The cluster.
    pub cluster: Cluster,
    /// The image under test.
    pub image: UnderTest,
    /// What it has made so far.
    pub made: Made,
}

/// What a run has made so far; empty at first.
#[derive(Default)]
pub struct Made {
    live: OnceLock<Live>,
    stages: Mutex<BTreeMap<usize, Arc<Stage>>>,
    rendered: tokio::sync::Mutex<BTreeMap<String, Vec<Value>>>,
    failed: AtomicBool,
}

/// A cluster that answers.
pub struct Live {
    /// To its API.
    pub client: kube::Client,
    /// Its own kubeconfig.
    pub kubeconfig: PathBuf,
    /// The context in it.
    pub context: String,
}

impl Live {
    /// helm for the suite's release in a namespace.
    pub fn helm(&self, run: &Run, namespace: &str) -> Helm {
        Helm {
            launcher: run.launcher.clone(),
            tool: run.helm.clone(),
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            namespace: namespace.to_owned(),
            release: run.suite.release.clone(),
        }
    }
}

impl Run {
    /// Notes that a case failed.
    pub fn note_failure(&self) {
        self.made.failed.store(true, Ordering::Relaxed);
    }

    /// Whether a case failed so far.
    pub fn has_failed(&self) -> bool {
        self.made.failed.load(Ordering::Relaxed)
    }

    /// Lets go of every topology's place: their watchers end.
    fn forget_stages(&self) {
        self.made.stages.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The topologies that the run is about.
    pub fn topologies(&self) -> Vec<Topology> {
        let sizes = &self.settings.replicas;
        let about = |topology: &&Topology| sizes.is_empty() || sizes.contains(&topology.replicas);
        self.suite.topologies.iter().filter(about).cloned().collect()
    }

    /// The cluster, once it answers.
    ///
    /// # Errors
    /// Where it does not.
    pub fn live(&self) -> anyhow::Result<&Live> {
        self.made.live.get().context("the cluster does not answer yet")
    }

    /// What a topology's chart is deployed with: its own values, the image under test, those of the flags.
    pub fn values(&self, topology: &Topology) -> Values {
        let chart = self.suite.chart();
        let own = topology.values.iter().map(|file| chart.join(file));
        let image = self.image_reference().map(|image| {
            let paths = &self.suite.image;
            let tag = image.tag.clone().unwrap_or_default();
            [format!("{}={}", paths.repository, image.name()), format!("{}={tag}", paths.tag)]
        });
        Values {
            files: own.chain(self.settings.values.iter().cloned()).collect(),
            set_string: image.into_iter().flatten().collect(),
            set: topology.set.iter().chain(&self.settings.set).cloned().collect(),
        }
    }

    /// A topology's objects as helm renders them.
    ///
    /// # Errors
    /// Where helm can't, or renders what is no YAML.
    pub async fn render(&self, topology: &Topology) -> anyhow::Result<Vec<Value>> {
        // One renders, the others wait for it: several cases ask for the same.
        let mut rendered = self.made.rendered.lock().await;
        if let Some(objects) = rendered.get(&topology.name) {
            return Ok(objects.clone());
        }
        let template =
            self.launcher.cmd(&self.helm.path).args(["template", &self.suite.release]).arg(self.suite.chart());
        let flags = self.values(topology).args();
        let text = template.args(&flags).run().await?;
        if let Err(error) = evidence::keep_rendered(&self.folder.join(&topology.name), &flags, &text).await {
            self.events.note(format!("keeping what {} is deployed from: {error}", topology.name));
        }
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text)
            .with_context(|| format!("what the chart renders for {} is no YAML", topology.name))?;
        let objects: Vec<Value> = objects.into_iter().filter(|object| !object.is_null()).collect();
        rendered.insert(topology.name.clone(), objects.clone());
        Ok(objects)
    }

    /// A topology's place in the cluster, once it is installed.
    pub fn stage(&self, topology: usize) -> Option<Arc<Stage>> {
        self.made.stages.lock().unwrap_or_else(PoisonError::into_inner).get(&topology).cloned()
    }

    /// Keeps a topology's place for the cases that come.
    pub fn add_stage(&self, topology: Option<usize>, stage: Stage) -> Arc<Stage> {
        let stage = Arc::new(stage);
        let mut stages = self.made.stages.lock().unwrap_or_else(PoisonError::into_inner);
        stages.insert(topology.unwrap_or_default(), stage.clone());
        stage
    }
}
