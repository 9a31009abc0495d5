//! What a run deploys: the values of each release, and its rendered objects.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::Run;
use crate::evidence;
use suite::{ImageUnderTest, Release, Suite, Variant};
use tools::helm::{self, Values};

/// The objects of each release of a variant, in the order of the releases.
pub type Rendered = Arc<Vec<Vec<Value>>>;

/// The rendered objects, by the variant's label and whether they are rendered for the cluster.
#[derive(Default)]
pub(super) struct Manifests(Mutex<BTreeMap<(String, bool), Cell>>);

/// Set by the first case that needs it.
type Cell = Arc<OnceCell<Rendered>>;

impl Manifests {
    fn of(&self, variant: &Variant, is_for_cluster: bool) -> Cell {
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
            let releases = variant.suite.releases.iter().map(|release| self.render_release(variant, release, flags));
            anyhow::Ok(Arc::new(futures::future::try_join_all(releases).await?))
        });
        rendered.await.cloned()
    }

    async fn render_release(
        &self,
        variant: &Variant,
        release: &Release,
        capabilities: &[String],
    ) -> anyhow::Result<Vec<Value>> {
        let namespaces = variant.namespaces(&self.id);
        let namespace = namespaces.0.get(&release.namespace).cloned().unwrap_or_default();
        let template = self.launcher.cmd(&self.helm.path).args(["template", &release.name]);
        let template = template.arg(variant.suite.chart_of(release)).args(["--namespace", &namespace]);
        let flags = self.values(variant, release)?.args();
        let text = template.args(capabilities).args(&flags).run().await?;
        let folder = self.folder_of(variant, release);
        if let Err(error) = evidence::keep_rendered(&folder, &flags, &text).await {
            self.events.note(format!("the manifests and values of {} could not be saved: {error}", release.key()));
        }
        helm::objects(&text).with_context(|| format!("rendering {} for {}", release.key(), variant.label()))
    }

    /// Returns the folder for the manifests and values of a release.
    fn folder_of(&self, variant: &Variant, release: &Release) -> PathBuf {
        let folder = self.folder.join(variant.label());
        if variant.suite.releases.len() == 1 {
            folder
        } else {
            folder.join("releases").join(release.key().replace('/', "."))
        }
    }
}
