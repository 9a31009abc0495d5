//! A run: what was asked for, what it made, and where its evidence goes.

mod environment;
pub mod guard;
pub mod lock;
mod tested_image;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context;
use history::availability::Availability;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::evidence;
use crate::stage::Stage;
use crate::suite::budgets::Budgets;
use crate::suite::{Release, Suite, Variant};
use cluster::Cluster;
use events::{Events, What};
use images::{Reference, UnderTest};
use kubernetes::nodes::Nodes;
use process::Launcher;
use tools::Tool;
use tools::helm::{self, Helm, Values};

/// What flags ask for beyond the suite.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Values files on top of the topologies'.
    pub values: Vec<PathBuf>,
    /// Values on top, as `--set` takes them.
    pub set: Vec<String>,
    /// Whether what faults cost is written into the suites' budgets instead of compared with them.
    pub update_budgets: bool,
    /// How long each case of a topology may take, instead of what the suite says.
    pub timeout: Option<Duration>,
}

/// A run.
pub struct Run {
    /// Names everything that the run makes.
    pub id: String,
    /// What is proven: suites in their topologies.
    pub variants: Vec<Arc<Variant>>,
    /// Those of them that have a case that runs.
    pub about: BTreeSet<usize>,
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
    rendered: Mutex<BTreeMap<String, Arc<OnceCell<Rendered>>>>,
    client_image: OnceLock<Option<Reference>>,
    image_ids: OnceLock<ImageIds>,
    measured: Mutex<BTreeMap<PathBuf, Measured>>,
    failed: AtomicBool,
    /// See [`Run::lost`].
    pub lost: OnceLock<String>,
    /// Cancelled before the cluster is deleted: from then on it may be gone.
    ending: CancellationToken,
}

/// The worst figures of a suite's faults, by topology and case.
type Measured = BTreeMap<(String, String), Availability>;

/// What nodes call the images that were loaded, by their canonical references.
pub type ImageIds = BTreeMap<String, BTreeSet<String>>;

/// The objects of each release of a variant, in their order.
pub type Rendered = Arc<Vec<Vec<Value>>>;

/// A cluster that answers.
pub struct Live {
    /// To its API.
    pub client: kube::Client,
    /// Its own kubeconfig.
    pub kubeconfig: PathBuf,
    /// The context in it.
    pub context: String,
    /// Its nodes, watched.
    pub nodes: Nodes,
}

impl Live {
    /// helm for a release in a namespace.
    pub fn helm(&self, run: &Run, release: &str, namespace: &str) -> Helm {
        Helm {
            launcher: run.launcher.clone(),
            tool: run.helm.clone(),
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            namespace: namespace.to_owned(),
            release: release.to_owned(),
        }
    }
}

impl Run {
    /// Notes that a case failed.
    pub fn note_failure(&self) {
        self.made.failed.store(true, Ordering::Relaxed);
    }

    /// Compares what a case's faults cost with the suite's budget, or notes it for an update.
    ///
    /// # Errors
    /// What costs more than is allowed.
    pub fn spend(&self, variant: &Variant, case: &str, measured: &[Availability]) -> anyhow::Result<()> {
        let (suite, topology) = (&variant.suite, &variant.topology.name);
        if self.settings.update_budgets {
            let mut all = self.made.measured.lock().unwrap_or_else(PoisonError::into_inner);
            let of_suite = all.entry(suite.folder.clone()).or_default();
            of_suite.insert((topology.clone(), case.to_owned()), history::availability::worst(measured));
            return Ok(());
        }
        let budgets = suite.budgets.get(self.cluster.provider());
        let exceeded = budgets.map(|budgets| budgets.exceeded((topology, case), measured));
        let exceeded = exceeded.unwrap_or_default();
        anyhow::ensure!(exceeded.is_empty(), "{}", exceeded.join("\n"));
        Ok(())
    }

    /// Writes the budgets of all suites whose faults were measured.
    ///
    /// # Errors
    /// Where a file can't be written.
    pub fn update_budgets(&self) -> anyhow::Result<()> {
        let all = self.made.measured.lock().unwrap_or_else(PoisonError::into_inner);
        for (folder, measured) in all.iter() {
            let path = Budgets::update(folder, self.cluster.provider(), measured)?;
            self.events.note(format!("{} budgets written to {}", measured.len(), path.display()));
        }
        Ok(())
    }

    /// Whether a case failed so far.
    pub fn has_failed(&self) -> bool {
        self.made.failed.load(Ordering::Relaxed)
    }

    /// Ends the run: the cluster is of no more use, for this reason. The first one counts.
    pub fn lose(&self, why: String) {
        if self.made.lost.set(why).is_ok() {
            self.note_failure();
            self.events.send(What::ClusterLost { why: self.lost().unwrap_or_default().to_owned() });
            self.cancel.cancel();
        }
    }

    /// Why the cluster is of no more use; none as long as it is.
    pub fn lost(&self) -> Option<&str> {
        self.made.lost.get().map(String::as_str)
    }

    /// Lets go of every topology's place: their watchers end.
    fn forget_stages(&self) {
        self.made.stages.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The suites in their topologies that the run is about.
    pub fn about(&self) -> impl Iterator<Item = &Arc<Variant>> {
        self.about.iter().filter_map(|index| self.variants.get(*index))
    }

    /// The suites, each once.
    pub fn suites(&self) -> Vec<&Arc<Suite>> {
        let mut suites: Vec<&Arc<Suite>> = Vec::new();
        for variant in &self.variants {
            if !suites.iter().any(|suite| Arc::ptr_eq(suite, &variant.suite)) {
                suites.push(&variant.suite);
            }
        }
        suites
    }

    /// The cluster, once it answers.
    ///
    /// # Errors
    /// Where it does not.
    pub fn live(&self) -> anyhow::Result<&Live> {
        self.made.live.get().context("the cluster does not answer yet")
    }

    /// What a release is deployed with: its own values, its topology's and the flags' where it is the one under
    /// test, and the image under test.
    ///
    /// # Errors
    /// Where a value names a namespace that there is not; that is checked when the suite is read.
    pub fn values(&self, variant: &Variant, release: &Release) -> anyhow::Result<Values> {
        let chart = variant.suite.chart_of(release);
        let mut values =
            Values { files: release.values.iter().map(|file| chart.join(file)).collect(), ..Values::default() };
        if !release.own_image {
            values.set_string = self.image_values(&variant.suite);
        }
        let mut set = release.set.clone();
        if variant.is_under_test(release) {
            values.files.extend(variant.topology.values.iter().map(|file| chart.join(file)));
            values.files.extend(self.settings.values.iter().cloned());
            set.extend(variant.topology.set.iter().chain(&self.settings.set).cloned());
        }
        let namespaces = variant.namespaces(&self.id);
        values.set =
            set.iter().map(|value| namespaces.fill(value)).collect::<Result<_, _>>().map_err(anyhow::Error::msg)?;
        Ok(values)
    }

    fn image_values(&self, suite: &Suite) -> Vec<String> {
        let Some(image) = self.image_reference(suite) else { return Vec::new() };
        suite.image.values(&image)
    }

    /// The objects of a variant's releases as helm renders them.
    ///
    /// # Errors
    /// Where helm can't, or renders what is no YAML.
    pub async fn render(&self, variant: &Variant) -> anyhow::Result<Rendered> {
        let cell = {
            let mut rendered = self.made.rendered.lock().unwrap_or_else(PoisonError::into_inner);
            rendered.entry(variant.label()).or_default().clone()
        };
        // One renders, the others wait for it: several cases ask for the same.
        let rendered = cell.get_or_try_init(async || {
            let releases = variant.suite.releases.iter().map(|release| self.render_release(variant, release));
            anyhow::Ok(Arc::new(futures::future::try_join_all(releases).await?))
        });
        rendered.await.cloned()
    }

    async fn render_release(&self, variant: &Variant, release: &Release) -> anyhow::Result<Vec<Value>> {
        let namespaces = variant.namespaces(&self.id);
        let namespace = namespaces.0.get(&release.namespace).cloned().unwrap_or_default();
        let template = self.launcher.cmd(&self.helm.path).args(["template", &release.name]);
        let template = template.arg(variant.suite.chart_of(release)).args(["--namespace", &namespace]);
        let flags = self.values(variant, release)?.args();
        let text = template.args(&flags).run().await?;
        let folder = self.folder_of(variant, release);
        if let Err(error) = evidence::keep_rendered(&folder, &flags, &text).await {
            self.events.note(format!("keeping what {} is deployed from: {error}", release.key()));
        }
        helm::objects(&text).with_context(|| format!("what {} renders for {}", release.key(), variant.label()))
    }

    /// Where what a release is deployed from is kept.
    fn folder_of(&self, variant: &Variant, release: &Release) -> PathBuf {
        let folder = self.folder.join(variant.label());
        if variant.suite.releases.len() == 1 {
            folder
        } else {
            folder.join("releases").join(release.key().replace('/', "."))
        }
    }

    /// A topology's place in the cluster, once it is installed.
    pub fn stage(&self, variant: usize) -> Option<Arc<Stage>> {
        self.made.stages.lock().unwrap_or_else(PoisonError::into_inner).get(&variant).cloned()
    }

    /// Keeps a topology's place for the cases that come.
    pub fn add_stage(&self, variant: Option<usize>, stage: Stage) -> Arc<Stage> {
        let stage = Arc::new(stage);
        let mut stages = self.made.stages.lock().unwrap_or_else(PoisonError::into_inner);
        stages.insert(variant.unwrap_or_default(), stage.clone());
        stage
    }
}
