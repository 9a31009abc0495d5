//! What a run deploys: the values of each release, and its rendered objects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::Run;
use crate::evidence;
use console::exit::usage;
use process::Cmd;
use suite::{Earlier, ImageUnderTest, Release, Suite, Variant};
use tools::helm::{self, Values};

/// The objects of each release of a variant, in the order of the releases.
pub type Rendered = Arc<Vec<Vec<Value>>>;

/// What was rendered, by the variant's label and whether it is rendered for the cluster.
pub(super) struct Manifests<T>(Mutex<BTreeMap<(String, bool), Cell<T>>>);

/// Set by the first case that needs it.
type Cell<T> = Arc<OnceCell<T>>;

impl<T> Default for Manifests<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Manifests<T> {
    fn of(&self, variant: &Variant, is_for_cluster: bool) -> Cell<T> {
        let mut rendered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rendered.entry((variant.label(), is_for_cluster)).or_default().clone()
    }
}

impl Run {
    /// Returns the values of a release: its own, the image under test and, for the release under test, those of its
    /// topology and of the flags.
    ///
    /// # Errors
    /// If a value refers to an unknown namespace, which the loader rejects.
    pub fn values(&self, variant: &Variant, release: &Release) -> anyhow::Result<Values> {
        let chart = self.charts.values(&release.source);
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

    /// Returns the values of the earlier chart: those of the release under test, or its own values files and image.
    ///
    /// # Errors
    /// As [`Run::values`].
    pub fn earlier_values(&self, variant: &Variant, earlier: &Earlier) -> anyhow::Result<Values> {
        let mut values = self.values(variant, variant.suite.under_test())?;
        if let Some(files) = &earlier.values {
            let chart = self.charts.values(&earlier.source);
            values.files = files.iter().map(|file| chart.join(file)).chain(self.settings.values.clone()).collect();
        }
        if let Some(image) = earlier.image().map_err(anyhow::Error::msg)? {
            values.set_string = variant.suite.images.first().map(|own| own.values(&image)).unwrap_or_default();
        }
        Ok(values)
    }

    fn image_values(&self, suite: &Suite) -> Vec<String> {
        let values = |image: &ImageUnderTest| Some(image.values(&self.subject.image_reference(image)?));
        suite.images.iter().filter_map(values).flatten().collect()
    }

    /// Returns the rendered objects of a variant's releases.
    ///
    /// # Errors
    /// If helm fails, or its output is not YAML.
    pub async fn render(&self, variant: &Variant) -> anyhow::Result<Rendered> {
        self.render_with(variant, &[]).await
    }

    /// Returns the objects that helm creates for a variant's releases on the run's cluster: charts choose API versions by
    /// what it serves.
    ///
    /// # Errors
    /// If the cluster does not respond yet, helm fails, or its output is not YAML.
    pub async fn render_for_cluster(&self, variant: &Variant) -> anyhow::Result<Rendered> {
        self.render_with(variant, &self.live()?.capabilities).await
    }

    async fn render_with(&self, variant: &Variant, flags: &[String]) -> anyhow::Result<Rendered> {
        let cell = self.made.manifests.of(variant, !flags.is_empty());
        // Several cases need this: the first one renders, and the others wait for it.
        let rendered = cell.get_or_try_init(async || {
            let releases = variant.suite.releases.iter().map(async |release| {
                self.render_release(variant, release, flags, &self.folder_of(variant, Some(release))).await
            });
            anyhow::Ok(Arc::new(futures::future::try_join_all(releases).await?))
        });
        rendered.await.cloned()
    }

    /// Returns the objects of all of a variant's releases as helm renders them for a version of Kubernetes.
    ///
    /// # Errors
    /// If helm fails, for example since a chart's `kubeVersion` excludes the version, or its output is not YAML.
    pub async fn render_at(&self, variant: &Variant, kubernetes: &str) -> anyhow::Result<Vec<Value>> {
        let flags = ["--kube-version".to_owned(), kubernetes.to_owned()];
        let releases = variant.suite.releases.iter().map(async |release| {
            let folder = self.folder_of(variant, Some(release)).join("kubernetes").join(kubernetes);
            self.render_release(variant, release, &flags, &folder).await
        });
        Ok(futures::future::try_join_all(releases).await?.concat())
    }

    /// Checks that the charts accept the release of Kubernetes that was asked for.
    ///
    /// # Errors
    /// A usage error with helm's words if the `kubeVersion` of one excludes it.
    pub async fn check_kubernetes(&self) -> anyhow::Result<()> {
        let Some(node) = self.settings.kubernetes else { return Ok(()) };
        for variant in self.subject.about() {
            let rendered = self.render_at(variant, &node.version()).await;
            if let Some(why) = rendered.err().as_ref().and_then(helm::excluded) {
                return Err(usage(format!("--kubernetes {}: {}: {why}", node.kubernetes, variant.label())));
            }
        }
        Ok(())
    }

    /// Returns the objects of the release under test, rendered from the earlier chart.
    ///
    /// # Errors
    /// As [`Run::render`].
    pub async fn render_earlier(&self, variant: &Variant, earlier: &Earlier) -> anyhow::Result<Arc<Vec<Value>>> {
        let cell = self.made.earlier.of(variant, false);
        let rendered = cell.get_or_try_init(async || {
            let values = self.earlier_values(variant, earlier)?;
            let (chart, folder) = (self.charts.folder(&earlier.source), self.folder_of(variant, None));
            let objects = self.template(variant, variant.suite.under_test(), (&chart, &values), &[], &folder).await;
            objects.map(Arc::new).with_context(|| format!("rendering {} for {}", earlier.label(), variant.label()))
        });
        rendered.await.cloned()
    }

    async fn render_release(
        &self,
        variant: &Variant,
        release: &Release,
        capabilities: &[String],
        folder: &Path,
    ) -> anyhow::Result<Vec<Value>> {
        let chart = self.charts.folder(&release.source);
        let values = self.values(variant, release)?;
        let objects = self.template(variant, release, (&chart, &values), capabilities, folder).await;
        objects.with_context(|| format!("rendering {} for {}", release.key(), variant.label()))
    }

    /// Renders a chart as a release, and keeps the manifests in a folder.
    async fn template(
        &self,
        variant: &Variant,
        release: &Release,
        (chart, values): (&Path, &Values),
        capabilities: &[String],
        folder: &Path,
    ) -> anyhow::Result<Vec<Value>> {
        let flags = values.args();
        let text = self.helm_template(variant, release, chart, &flags).args(capabilities).run().await?;
        if let Err(error) = evidence::keep_rendered(folder, &flags, &text).await {
            self.events.note(format!("the manifests and values of {} could not be saved: {error}", release.key()));
        }
        helm::objects(&text)
    }

    /// Returns `helm template` for a chart as a release.
    pub(super) fn helm_template(&self, variant: &Variant, release: &Release, chart: &Path, flags: &[String]) -> Cmd {
        let namespaces = variant.namespaces(&self.id);
        let namespace = namespaces.0.get(&release.namespace).cloned().unwrap_or_default();
        let template = self.launcher.cmd(&self.helm.path).args(["template", &release.name]);
        template.arg(chart).args(["--namespace", &namespace]).args(flags)
    }

    /// Returns the folder for the manifests and values of a release; none is the earlier one.
    fn folder_of(&self, variant: &Variant, release: Option<&Release>) -> PathBuf {
        let folder = self.folder.join(variant.label());
        match release {
            None => folder.join("earlier"),
            Some(_) if variant.suite.releases.len() == 1 => folder,
            Some(release) => folder.join("releases").join(release.key().replace('/', ".")),
        }
    }
}
