//! The run's cluster and its images: made, filled, taken away.

use std::collections::BTreeSet;

use anyhow::{Context, bail};

use super::{ImageIds, Live, Run};
use crate::cluster::Loaded;
use crate::evidence;
use crate::images::{self, Archive, Reference, UnderTest, standin};
use crate::kubernetes;
use crate::kubernetes::nodes::Nodes;
use crate::kubernetes::wait::Waiter;
use crate::suite::Suite;
use crate::tools::Docker;

/// What the stand-in's image is called: nobody takes it for a real one.
const STAND_IN: &str = "chartproof/stand-in:dev";

fn parse_stand_in() -> anyhow::Result<Reference> {
    STAND_IN.parse().map_err(|error| anyhow::anyhow!("{STAND_IN}: {error}"))
}

impl Run {
    /// The image under test by the name that a suite's charts are given; none where an archive names none.
    pub fn image_reference(&self, suite: &Suite) -> Option<Reference> {
        match &self.image {
            UnderTest::StandIn if suite.image.stand_in.is_none() => None,
            UnderTest::StandIn => parse_stand_in().ok(),
            UnderTest::Reference(reference) => Some(reference.clone()),
            UnderTest::Archive(archive) => archive.references.first().cloned(),
        }
    }

    /// The image under test in words, and whether it is the stand-in.
    pub fn image_line(&self) -> String {
        let name = self.suites().into_iter().find_map(|suite| self.image_reference(suite));
        let stands_in = name.is_some();
        let name = name.map_or_else(|| "the chart's own image".to_owned(), |name| name.to_string());
        match &self.image {
            UnderTest::StandIn if stands_in => format!("the stand-in ({name})"),
            UnderTest::StandIn | UnderTest::Reference(_) => name,
            UnderTest::Archive(archive) => format!("{name} of {}", archive.path.display()),
        }
    }

    /// Makes the cluster and waits until its API answers.
    ///
    /// # Errors
    /// Where it can't be made.
    pub async fn create_cluster(&self) -> anyhow::Result<()> {
        let access = self.cluster.create().await?;
        let client = kubernetes::client(&access.kubeconfig, &access.context).await?;
        let nodes = Nodes::start(&client);
        drop(self.made.live.set(Live { client, kubeconfig: access.kubeconfig, context: access.context, nodes }));
        Ok(())
    }

    /// Builds or pulls what the chart needs, and loads it as soon as the nodes take it.
    ///
    /// # Errors
    /// Which image can't be had or loaded, and why.
    pub async fn load_images(&self, wait: &Waiter) -> anyhow::Result<String> {
        wait.waiting("rendering the chart to see which images it needs");
        let mut needed = self.images_to_get().await?;
        for image in needed.extract_if(.., |reference| self.cluster.pulls_by_digest(reference)) {
            self.events.note(format!("{image}: the nodes pull it themselves, since an archive does not name digests"));
        }
        let compiled = matches!(self.image, UnderTest::StandIn).then(|| "compiling the stand-in".to_owned());
        let pulled = (!needed.is_empty()).then(|| format!("getting {} images", needed.len()));
        wait.waiting(compiled.into_iter().chain(pulled).collect::<Vec<_>>().join(", "));
        // Compiling and pulling have nothing to do with each other.
        let (tested, pulled, client) =
            tokio::try_join!(self.tested_archive(), self.pulled(&needed), self.client_archive())?;
        wait.waiting("loading images into the nodes");
        let ours = client.iter().flat_map(|archive| archive.references.clone()).next();
        let archives: Vec<_> = tested.into_iter().chain(pulled).chain(client).collect();
        match self.cluster.load_images(&archives).await? {
            Loaded::OnNodes(loaded) => {
                self.made.image_ids.get_or_init(|| self.ids_of(&archives));
                self.made.client_image.get_or_init(|| ours);
                Ok(loaded.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            Loaded::HaveToBePulled(why) if archives.is_empty() => Ok(why),
            Loaded::HaveToBePulled(why) => bail!("{} can't be loaded: {why}; name one with --image", self.image_line()),
        }
    }

    /// The images that the charts need, without those that this run builds or that the nodes have.
    async fn images_to_get(&self) -> anyhow::Result<Vec<Reference>> {
        let mut needed = self.needed_images().await?;
        let tested = match &self.image {
            UnderTest::Archive(archive) => archive.references.clone(),
            UnderTest::StandIn => vec![parse_stand_in()?],
            UnderTest::Reference(_) => vec![],
        };
        needed.retain(|reference| !tested.contains(reference) && !self.cluster.serves(reference));
        Ok(needed)
    }

    /// What the charts need and Docker can neither provide nor pull for the cluster's nodes, each with why. Nothing where
    /// no Docker loads the nodes, or where the charts can't be rendered: that is a case's to say.
    pub async fn lacking_images(&self, retries: usize) -> Vec<(Reference, String)> {
        let Some(docker) = self.cluster.docker() else { return Vec::new() };
        let mut needed = self.images_to_get().await.unwrap_or_default();
        needed.retain(|reference| !self.cluster.pulls_by_digest(reference));
        let provided = needed.iter().map(async |reference| {
            let provided = images::provide(&self.launcher, docker, reference, retries).await;
            provided.err().map(|error| (reference.clone(), error.words().to_owned()))
        });
        futures::future::join_all(provided).await.into_iter().flatten().collect()
    }

    async fn needed_images(&self) -> anyhow::Result<Vec<Reference>> {
        let mut needed = Vec::new();
        let cases = self.about().flat_map(|variant| &variant.topology.cases);
        needed.extend(cases.flat_map(|case| case.kind.images).filter_map(|image| image.parse().ok()));
        needed.dedup();
        let rendered = self.about().map(|variant| self.render(variant));
        for objects in futures::future::try_join_all(rendered).await?.iter().flat_map(|rendered| rendered.iter()) {
            for image in images::in_manifests(objects) {
                let reference: Reference =
                    image.parse().map_err(|error| anyhow::anyhow!("the chart renders the image {image:?}: {error}"))?;
                if !needed.contains(&reference) {
                    needed.push(reference);
                }
            }
        }
        Ok(needed)
    }

    /// An archive of the image under test; none where the nodes or Docker have to have it.
    async fn tested_archive(&self) -> anyhow::Result<Option<Archive>> {
        // That all suites' stand-in is the same program is checked before anything is made.
        let program = self.suites().into_iter().find_map(|suite| suite.image.stand_in.as_deref());
        match (&self.image, program) {
            (UnderTest::Archive(archive), _) => Ok(Some(archive.clone())),
            (UnderTest::StandIn, Some(program)) => {
                standin::build(&self.launcher, program, &[parse_stand_in()?]).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// An archive of the client in the cluster; none where no case needs one, or the nodes take no archives.
    async fn client_archive(&self) -> anyhow::Result<Option<Archive>> {
        let asks = self.about().flat_map(|variant| &variant.topology.cases).any(|case| case.kind.asks_inside);
        if !asks || self.cluster.pulls() {
            return Ok(None);
        }
        images::client::build(&self.launcher).await.map(Some)
    }

    /// What the nodes call what these archives hold.
    fn ids_of(&self, archives: &[Archive]) -> ImageIds {
        let mut ids = ImageIds::new();
        for archive in archives {
            match images::ids(&archive.path) {
                Ok(of_archive) => ids.extend(of_archive),
                Err(error) => {
                    let what = "pods that run its images are not compared with it";
                    self.events.note(format!("{}: {what}: {error:#}", archive.path.display()));
                }
            }
        }
        ids
    }

    /// What the nodes call an image that was loaded; none where they have to pull it.
    pub fn ids_of_loaded(&self, image: &Reference) -> Option<&BTreeSet<String>> {
        self.made.image_ids.get()?.get(&image.canonical())
    }

    /// The image of the client in the cluster, once the nodes have it.
    pub fn client_image(&self) -> Option<&Reference> {
        self.made.client_image.get()?.as_ref()
    }

    /// An archive of what Docker has or pulls; none where nothing is missing, or the nodes pull themselves.
    async fn pulled(&self, missing: &[Reference]) -> anyhow::Result<Option<Archive>> {
        if missing.is_empty() || self.cluster.pulls() {
            return Ok(None);
        }
        let docker = match self.cluster.docker() {
            Some(docker) => docker.clone(),
            None => Docker::find(&self.launcher).await.map_err(|none| {
                let names = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                anyhow::anyhow!("{names}: in no archive, and docker does not answer: {}; {}", none.reason, none.fix)
            })?,
        };
        let into = self.folder.join("images.tar");
        let archive = images::save(&self.launcher, &docker, missing, &into).await?;
        Ok(Some(archive))
    }

    /// Says what has to be known about results on this cluster, keeps its logs where something failed, and
    /// takes away what the run made.
    ///
    /// # Errors
    /// What is left behind.
    pub async fn delete_cluster(&self, failed: bool) -> anyhow::Result<String> {
        self.made.ending.cancel();
        match self.cluster.remarks().await {
            Ok(remarks) => remarks.into_iter().for_each(|remark| self.events.note(remark)),
            Err(error) if self.lost().is_none() => self.events.note(format!("{error:#}")),
            // What is said of the cluster's end is enough.
            Err(_) => {}
        }
        if failed && let Err(error) = self.keep_cluster_logs().await {
            self.events.note(format!("the cluster's logs: {error:#}"));
        }
        self.forget_stages();
        self.cluster.delete().await.context("what the run made is still there; `cargo xtask clusters` sweeps it")?;
        drop(tokio::fs::remove_file(self.folder.join("images.tar")).await);
        Ok(String::new())
    }

    async fn keep_cluster_logs(&self) -> anyhow::Result<()> {
        let folder = self.folder.join("cluster-logs");
        self.cluster.export_logs(&folder).await?;
        if folder.is_dir() {
            tokio::task::spawn_blocking(move || evidence::clean(&folder)).await??;
        }
        Ok(())
    }
}
