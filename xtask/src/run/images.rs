//! Builds or pulls the images that a run's charts and clients need, and loads them into the nodes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;

use super::Run;
use super::subject::parse_stand_in;
use cluster::Loaded;
use images::{self, Archive, Reference, standin};
use kubernetes::wait::Waiter;
use suite::Starts;
use tools::Docker;

/// The ids of the loaded images on the nodes, by canonical reference.
type ImageIds = BTreeMap<String, BTreeSet<String>>;

/// The images that were loaded into the nodes.
pub(super) struct Images {
    ids: ImageIds,
    /// The client in the cluster, if a case needs it.
    client: Option<Reference>,
}

impl Run {
    /// Builds or pulls the images that the charts need, and loads them as soon as the nodes accept images.
    ///
    /// # Errors
    /// If an image can't be built, pulled or loaded.
    pub async fn load_images(&self, wait: &Waiter) -> anyhow::Result<String> {
        wait.waiting("rendering the charts to find their images");
        let mut needed = self.images_to_get().await?;
        for image in needed.extract_if(.., |reference| self.cluster.pulls_by_digest(reference)) {
            self.events.note(format!("{image}: the nodes pull it themselves, since an archive can't carry a digest"));
        }
        let compiled = self.subject.stand_in().map(|_| "compiling the stand-in".to_owned());
        let pulled = (!needed.is_empty()).then(|| format!("pulling {} images", needed.len()));
        wait.waiting(compiled.into_iter().chain(pulled).collect::<Vec<_>>().join(", "));
        // Compiling and pulling are independent.
        let (tested, pulled, client) =
            tokio::try_join!(self.tested_archives(), self.pulled(&needed), self.client_archive())?;
        wait.waiting("loading images into the nodes");
        let ours = client.iter().flat_map(|archive| archive.references.clone()).next();
        let archives: Vec<_> = tested.into_iter().chain(pulled).chain(client).collect();
        match self.cluster.load_images(&archives).await? {
            Loaded::OnNodes(loaded) => {
                self.made.images.get_or_init(|| Images { ids: self.ids_of(&archives), client: ours });
                Ok(loaded.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            Loaded::HaveToBePulled(why) if archives.is_empty() => Ok(why),
            Loaded::HaveToBePulled(why) => {
                bail!(
                    "{} can't be loaded: {why}; pass an image that the nodes can pull with --image",
                    self.subject.image_line()
                )
            }
        }
    }

    /// Returns the images that the charts need, without those that this run builds or that the nodes already have.
    async fn images_to_get(&self) -> anyhow::Result<Vec<Reference>> {
        let mut needed = self.needed_images().await?;
        let mut tested: Vec<_> = self.subject.archives().flat_map(|archive| archive.references.clone()).collect();
        tested.push(parse_stand_in()?);
        needed.retain(|reference| !tested.contains(reference) && !self.cluster.serves(reference));
        Ok(needed)
    }

    /// Returns the images that Docker neither has nor can pull for the cluster's nodes, each with the reason. The
    /// result is empty if the nodes don't get images from Docker, or if the charts can't be rendered, which a case
    /// reports.
    pub async fn missing_images(&self, retries: usize) -> Vec<(Reference, String)> {
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
        let parse =
            |image: &str| image.parse().map_err(|error| anyhow::anyhow!("invalid image {image:?} in a chart: {error}"));
        let cases = self.subject.about().flat_map(|variant| &variant.topology.cases);
        let mut needed: Vec<Reference> = Vec::new();
        for image in cases.flat_map(|case| case.kind.images) {
            needed.push(parse(image)?);
        }
        let of_commands = self
            .subject
            .suites()
            .into_iter()
            .flat_map(|suite| &suite.workloads)
            .filter_map(|workload| workload.exec.as_ref()?.image.as_deref());
        for image in of_commands {
            needed.push(parse(image)?);
        }
        let rendered = self.subject.about().map(|variant| self.render(variant));
        let mut objects: Vec<_> =
            futures::future::try_join_all(rendered).await?.iter().flat_map(|all| all.to_vec()).collect();
        for variant in self.subject.about().filter(|variant| variant.starts() == Starts::Earlier) {
            if let Some(earlier) = &variant.suite.upgrade.from {
                objects.push(self.render_earlier(variant, earlier).await?.to_vec());
            }
        }
        for image in objects.iter().map(Vec::as_slice).flat_map(images::in_manifests) {
            needed.push(parse(&image)?);
        }
        let mut seen = BTreeSet::new();
        needed.retain(|reference| seen.insert(reference.to_string()));
        Ok(needed)
    }

    /// Returns the archives of the images under test, without those that the nodes or Docker must have.
    async fn tested_archives(&self) -> anyhow::Result<Vec<Archive>> {
        let mut archives: Vec<_> = self.subject.archives().cloned().collect();
        if let Some(program) = self.subject.stand_in() {
            archives.push(standin::build(&self.launcher, program, &[parse_stand_in()?]).await?);
        }
        Ok(archives)
    }

    /// Returns an archive of the client in the cluster, or `None` if no case needs it or the nodes accept no archives.
    async fn client_archive(&self) -> anyhow::Result<Option<Archive>> {
        let asks = self.subject.about().flat_map(|variant| &variant.topology.cases).any(|case| case.kind.asks_inside);
        if !asks || self.cluster.pulls() {
            return Ok(None);
        }
        images::client::build(&self.launcher).await.map(Some)
    }

    /// Returns the ids that the images of these archives have on the nodes.
    fn ids_of(&self, archives: &[Archive]) -> ImageIds {
        let mut ids = ImageIds::new();
        for archive in archives {
            match images::ids(&archive.path) {
                Ok(of_archive) => ids.extend(of_archive),
                Err(error) => {
                    let what = "the images of pods are not compared with it";
                    self.events.note(format!("{}: {what}: {error:#}", archive.path.display()));
                }
            }
        }
        ids
    }

    /// Returns the ids of a loaded image on the nodes, or `None` if the nodes pull it.
    pub fn ids_of_loaded(&self, image: &Reference) -> Option<&BTreeSet<String>> {
        self.made.images.get()?.ids.get(&image.canonical())
    }

    /// Returns the image of the client in the cluster, once the nodes have it.
    pub fn client_image(&self) -> Option<&Reference> {
        self.made.images.get()?.client.as_ref()
    }

    /// Returns an archive of images that Docker has or pulls, or `None` if none is missing or the nodes pull them.
    async fn pulled(&self, missing: &[Reference]) -> anyhow::Result<Option<Archive>> {
        if missing.is_empty() || self.cluster.pulls() {
            return Ok(None);
        }
        let docker = match self.cluster.docker() {
            Some(docker) => docker.clone(),
            None => Docker::find(&self.launcher).await.map_err(|none| {
                let names = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                anyhow::anyhow!("{names}: not in an archive, and docker is unavailable: {}; {}", none.reason, none.fix)
            })?,
        };
        let into = self.folder.join("images.tar");
        let archive = images::save(&self.launcher, &docker, missing, &into).await?;
        Ok(Some(archive))
    }
}
