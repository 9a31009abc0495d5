//! Checks that running pods have the images that were loaded or pulled for them, and that the replicas run the image
//! under test. Values, manifests and tags only state what should run; `imageID` is what does run.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use anyhow::{bail, ensure};
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};
use kube::ResourceExt;

use super::context::CaseContext;
use crate::deployed_topology::DeployedTopology;
use images::{self, Reference};
use kubernetes::objects;

/// A container that runs or has run.
struct Running<'a> {
    pod: &'a Pod,
    container: &'a Container,
    status: &'a ContainerStatus,
}

/// How an `imageID` compares with the loaded image.
#[derive(Debug, PartialEq, Eq)]
enum Identity {
    /// It is the loaded image.
    Same,
    /// It is another image.
    Other,
    /// The node pulled it from the registry, even though an image was loaded.
    Pulled,
    /// Its digest can't be compared with the loaded image.
    Unknown,
}

/// Checks that each container of these pods runs the image that was loaded for it.
///
/// # Errors
/// The first container that does not, with the image that it runs.
pub async fn of_pods(cx: &CaseContext, pods: &[Pod]) -> anyhow::Result<()> {
    for running in pods.iter().flat_map(containers) {
        let image = running.container.image.as_deref().unwrap_or_default();
        let Ok(image) = image.parse::<Reference>() else { continue };
        running.is(cx, &image).await?;
    }
    Ok(())
}

/// Checks that every replica runs the image under test, and that it is the same for all.
///
/// # Errors
/// The first replica that does not, with the image that it runs.
pub async fn of_replicas(cx: &CaseContext, deployed: &DeployedTopology) -> anyhow::Result<()> {
    let pods = deployed.replicas();
    of_pods(cx, &pods).await?;
    let applications: Vec<_> = applications(deployed, &pods).collect();
    let image = deployed.tested.as_ref().and_then(|workload| deployed.suite.image_of(workload));
    // An earlier chart may have set the image elsewhere, or the suite may name another.
    let is_earlier = deployed.is_earlier.load(Ordering::Relaxed);
    if let Some(wanted) = image.and_then(|image| cx.run.subject.image_reference(image)).filter(|_| !is_earlier) {
        for running in &applications {
            running.is_under_test(cx, &wanted)?;
        }
    }
    same_everywhere(&applications)
}

/// Describes the image of the replicas for the case's line.
pub fn note(cx: &CaseContext, deployed: &DeployedTopology) -> String {
    let pods = deployed.replicas();
    let Some(running) = applications(deployed, &pods).next() else { return String::new() };
    let image = running.container.image.as_deref().unwrap_or_default();
    let id = &running.status.image_id;
    let loaded = image.parse::<Reference>().ok().and_then(|image| cx.run.ids_of_loaded(&image).cloned());
    let origin = match loaded.map(|ids| identity(id, running.container, &ids)) {
        Some(Identity::Same) => "the loaded image",
        Some(Identity::Other | Identity::Pulled) | None => "pulled by the node",
        Some(Identity::Unknown) => "whose digest can't be compared with the loaded image",
    };
    format!("{image} is {id}, {origin}")
}

/// Returns the application's containers.
fn applications<'a>(deployed: &DeployedTopology, pods: &'a [Pod]) -> impl Iterator<Item = Running<'a>> {
    let name = deployed.tested.as_ref().map(|workload| workload.container.clone());
    pods.iter().flat_map(containers).filter(move |running| Some(&running.container.name) == name.as_ref())
}

/// Returns the containers of a pod that already have an image, unless the pod is being deleted.
fn containers(pod: &Pod) -> Vec<Running<'_>> {
    if pod.metadata.deletion_timestamp.is_some() {
        return Vec::new();
    }
    let spec = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    let with_status = spec.filter_map(|container| {
        let statuses = objects::init_containers(pod).chain(objects::main_containers(pod));
        let status = statuses.into_iter().find(|status| status.name == container.name)?;
        (!status.image_id.is_empty()).then_some(Running { pod, container, status })
    });
    with_status.collect()
}

/// Checks that all have the same image, since a tag may have been moved between two pulls.
fn same_everywhere(applications: &[Running<'_>]) -> anyhow::Result<()> {
    let Some(first) = applications.first() else { return Ok(()) };
    let Some(other) = applications.iter().find(|other| other.status.image_id != first.status.image_id) else {
        return Ok(());
    };
    bail!(
        "the replicas run different images of {}: {} has {}, {} has {}; was the tag moved?",
        first.container.image.as_deref().unwrap_or_default(),
        first.pod.name_any(),
        first.status.image_id,
        other.pod.name_any(),
        other.status.image_id
    )
}

impl Running<'_> {
    /// Checks that it runs the image that was loaded under this name, if one was loaded.
    async fn is(&self, cx: &CaseContext, image: &Reference) -> anyhow::Result<()> {
        let Some(ids) = cx.run.ids_of_loaded(image) else { return Ok(()) };
        let same = match identity(&self.status.image_id, self.container, ids) {
            Identity::Same | Identity::Unknown => true,
            Identity::Other => false,
            Identity::Pulled => pulled_by_docker(cx, image, &self.status.image_id).await,
        };
        let loaded = ids.iter().map(String::as_str).collect::<Vec<_>>().join(" or ");
        ensure!(
            same,
            "container {} of Pod/{} does not run the loaded image {image}: it runs {}, not {loaded}; {}",
            self.container.name,
            self.pod.name_any(),
            self.status.image_id,
            "is `imagePullPolicy` Always, or does the node have an older one?"
        );
        Ok(())
    }

    fn is_under_test(&self, cx: &CaseContext, wanted: &Reference) -> anyhow::Result<()> {
        let image = self.container.image.as_deref().unwrap_or_default();
        let named = image.parse::<Reference>().is_ok_and(|image| image.canonical() == wanted.canonical());
        // Admission may have renamed the image to that of a mirror.
        let ids = cx.run.ids_of_loaded(wanted);
        let same =
            named || ids.is_some_and(|ids| identity(&self.status.image_id, self.container, ids) == Identity::Same);
        ensure!(
            same,
            "container {} of Pod/{} runs {image}, not the image under test, {wanted}; the chart did not change it: look \
             for a webhook",
            self.container.name,
            self.pod.name_any(),
        );
        Ok(())
    }
}

/// Compares a container's `imageID` with the ids of the loaded image. containerd uses the digest of the image's
/// configuration or, if it has one, of its manifest: after `repository@` for a pulled image, after `import-DATE@` for
/// one from an archive.
fn identity(image_id: &str, container: &Container, loaded: &BTreeSet<String>) -> Identity {
    let image_id = image_id.split_once("://").map_or(image_id, |(_, id)| id);
    let (name, digest) = image_id.split_once('@').map_or((None, image_id), |(name, digest)| (Some(name), digest));
    if loaded.contains(digest) {
        return Identity::Same;
    }
    match name {
        None => Identity::Other,
        Some(name) if name.rsplit('/').next().is_some_and(|last| last.starts_with("import-")) => {
            // It matches neither the configuration nor the manifest, if both are known.
            if loaded.len() > 1 { Identity::Other } else { Identity::Unknown }
        }
        Some(_) if container.image_pull_policy.as_deref() == Some("Always") => Identity::Pulled,
        Some(_) => Identity::Unknown,
    }
}

/// Whether the loaded image came from the registry too, pulled by Docker, and is the same.
async fn pulled_by_docker(cx: &CaseContext, image: &Reference, image_id: &str) -> bool {
    let Some(docker) = cx.run.cluster.docker() else { return false };
    let known = images::repo_digests(&cx.run.launcher, docker, image).await.unwrap_or_default();
    let digest = |id: &str| id.split_once('@').map(|(_, digest)| digest.to_owned());
    known.iter().any(|known| digest(known) == digest(image_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CONFIG: &str = "sha256:b38ddf9b02d603cda4dd569c58a2e91193469e4259b167792f2fdb02676b2653";
    const OTHER: &str = "sha256:1e258744c6d9459160a437fd47afbd3863855c0b26e02a1f45de07a28dc1472c";
    const MANIFEST: &str = "sha256:350b59e9e71b0110579b072483ab332fabdb2cacf0d622f86ee82a242190dc85";

    fn identity_of(image_id: &str, policy: &str, loaded: &[&str]) -> Identity {
        let container = Container { image_pull_policy: Some(policy.to_owned()), ..Container::default() };
        identity(image_id, &container, &loaded.iter().map(|id| (*id).to_owned()).collect())
    }

    #[test]
    fn every_form_of_an_image_id_is_compared_as_far_as_it_can_be() {
        let kind = |image_id: &str, loaded: &[&str]| identity_of(image_id, "IfNotPresent", loaded);
        // As seen on kind for our archives and Docker's.
        assert_eq!(kind(CONFIG, &[CONFIG]), Identity::Same);
        assert_eq!(kind(OTHER, &[CONFIG]), Identity::Other);
        let imported = |digest: &str| format!("docker.io/library/import-2026-11-30@{digest}");
        assert_eq!(kind(&imported(MANIFEST), &[CONFIG, MANIFEST]), Identity::Same);
        assert_eq!(kind(&imported(OTHER), &[CONFIG, MANIFEST]), Identity::Other);
        assert_eq!(kind(&imported(MANIFEST), &[CONFIG]), Identity::Unknown, "containerd made the manifest");
        let pulled = format!("docker-pullable://docker.io/a/b@{MANIFEST}");
        assert_eq!(kind(&pulled, &[CONFIG]), Identity::Unknown, "it existed before");
        assert_eq!(identity_of(&pulled, "Always", &[CONFIG]), Identity::Pulled);
        assert_eq!(identity_of(&pulled, "Always", &[CONFIG, MANIFEST]), Identity::Same);
    }

    #[test]
    fn a_tag_that_was_moved_between_two_pulls_is_seen() {
        let pod = |name: &str, id: &str| -> Pod {
            let status = json!([{ "name": "app", "image": "a/b:1", "imageID": id, "ready": true, "restartCount": 0 }]);
            serde_json::from_value(json!({
                "metadata": { "name": name },
                "spec": { "containers": [{ "name": "app", "image": "a/b:1" }] },
                "status": { "containerStatuses": status },
            }))
            .unwrap()
        };
        let pods = [pod("app-0", CONFIG), pod("app-1", CONFIG), pod("app-2", OTHER)];
        let running: Vec<_> = pods.iter().flat_map(containers).collect();
        same_everywhere(&running[..2]).unwrap();
        let error = same_everywhere(&running).unwrap_err().to_string();
        let words = "the replicas run different images of a/b:1: app-0 has sha256:b38ddf9b";
        assert!(error.starts_with(words) && error.contains("app-2 has sha256:1e258744"), "{error}");
    }
}
