//! Whether a container's image is present, and what kubelet does and reports if it is not.
//!
//! Nothing can be pulled: the node reaches no registry. An image that is in no loaded archive fails as on a kind node
//! without network, and so does `imagePullPolicy: Always` for an image that is loaded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::Utc;
use k8s_openapi::api::core::v1::{Container, Pod};
use runtime::{Image, Runtime, RuntimeError};

use super::backoff::Backoff;
use super::record::WaitingReason;
use super::reporter::Reporter;
use crate::faults::PlantedFaults;

/// The node's images, and the failures of those that could not be pulled.
pub(super) struct Images {
    runtime: Runtime,
    faults: PlantedFaults,
    failed: Mutex<PullFailure>,
}

/// By pod and image.
#[derive(Default)]
struct PullFailure {
    backoff: Backoff,
    errors: HashMap<String, String>,
}

impl Images {
    pub fn new(runtime: Runtime, faults: PlantedFaults) -> Self {
        Self { runtime, faults, failed: Mutex::default() }
    }

    /// Waits as long as a planted fault delays the container's image; until then the container is being created.
    pub async fn delay(&self, container: &Container, reporter: &Reporter) {
        let wanted = container.image.as_deref().unwrap_or_default();
        if let Some(delay) = self.faults.pull_delay(wanted) {
            reporter.normal("Pulling", &format!("Pulling image \"{wanted}\""));
            tokio::time::sleep(delay).await;
        }
    }

    /// Returns the container's image, or why the container has to wait.
    pub fn ensure(&self, pod: &Pod, container: &Container, reporter: &Reporter) -> Result<Image, WaitingReason> {
        let wanted = container.image.as_deref().unwrap_or_default();
        let key = format!("{}_{wanted}", pod.metadata.uid.as_deref().unwrap_or_default());
        let found = self.find(wanted, reporter)?;
        let was_refused = self.lock().errors.contains_key(&key);
        match (found, policy(container)) {
            (Ok(image), "IfNotPresent" | "Never") if !was_refused => {
                let present = "already present on machine and can be accessed by the pod";
                reporter.normal("Pulled", &format!("Container image \"{wanted}\" {present}"));
                Ok(image)
            }
            (Err(_), "Never") => {
                let message = format!("Container image \"{wanted}\" is not present with pull policy of Never");
                reporter.warning("ErrImageNeverPull", &message);
                Err(WaitingReason::new("ErrImageNeverPull", message))
            }
            (found, policy) => self.pull(&key, wanted, found.map_err(Some), policy, reporter),
        }
    }

    /// Returns the image if it is on the node, or else the error of pulling it.
    fn find(&self, wanted: &str, reporter: &Reporter) -> Result<Result<Image, String>, WaitingReason> {
        let is_hidden = self.faults.hides_image(wanted);
        match self.runtime.image(wanted) {
            Ok(image) if is_hidden => Ok(Err(unreachable(&image.reference))),
            Ok(image) if !is_for_this_machine(&image) => Ok(Err(format!(
                "failed to pull and unpack image \"{}\": no match for platform in manifest: not found",
                image.reference
            ))),
            Ok(image) => Ok(Ok(image)),
            Err(RuntimeError::InvalidReference { why, .. }) => {
                let message = format!("Failed to apply default image tag \"{wanted}\": {why}");
                reporter.warning("InspectFailed", &message);
                Err(WaitingReason::new("InvalidImageName", message))
            }
            Err(RuntimeError::ImageNotFound { reference, .. }) => Ok(Err(unreachable(&reference))),
            Err(other) => Ok(Err(other.to_string())),
        }
    }

    fn pull(
        &self,
        key: &str,
        wanted: &str,
        found: Result<Image, Option<String>>,
        policy: &str,
        reporter: &Reporter,
    ) -> Result<Image, WaitingReason> {
        let now = Utc::now();
        let backing_off = self.lock().backoff.until_since_update(key, now).is_some();
        if backing_off {
            reporter.normal("BackOff", &format!("Back-off pulling image \"{wanted}\""));
            let error = self.lock().errors.get(key).cloned().unwrap_or_default();
            let message = format!("Back-off pulling image \"{wanted}\": ErrImagePull: {error}");
            return Err(WaitingReason::new("ImagePullBackOff", message));
        }
        reporter.normal("Pulling", &format!("Pulling image \"{wanted}\""));
        let error = match (self.faults.pull_error(wanted), found) {
            (Some(message), _) => message,
            (_, Ok(image)) if policy != "Always" => {
                self.lock().errors.remove(key);
                let size = image.size_bytes;
                let took = "in 1ms (1ms including waiting)";
                let message = format!("Successfully pulled image \"{wanted}\" {took}. Image size: {size} bytes.");
                reporter.normal("Pulled", &message);
                return Ok(image);
            }
            (_, Ok(image)) => unreachable(&image.reference),
            (_, Err(error)) => error.unwrap_or_default(),
        };
        reporter.warning("Failed", &format!("Failed to pull image \"{wanted}\": {error}"));
        let mut failed = self.lock();
        failed.backoff.next(key, now, now);
        failed.errors.insert(key.to_owned(), error.clone());
        Err(WaitingReason::new("ErrImagePull", error))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, PullFailure> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns containerd's error if the registry of an image (`docker.io/library/busybox:1.36.1`) can't be reached.
fn unreachable(reference: &str) -> String {
    let (host, rest) = reference.split_once('/').unwrap_or(("docker.io", reference));
    let registry = if host == "docker.io" { "registry-1.docker.io" } else { host };
    let (path, tag) = match rest.split_once('@') {
        Some((path, digest)) => (path, digest),
        None => rest.rsplit_once(':').unwrap_or((rest, "latest")),
    };
    let lookup = registry.split(':').next().unwrap_or(registry);
    format!(
        "failed to pull and unpack image \"{reference}\": failed to resolve reference \"{reference}\": failed to do \
         request: Head \"https://{registry}/v2/{path}/manifests/{tag}\": dial tcp: lookup {lookup} on 10.244.0.1:53: \
         no such host"
    )
}

fn is_for_this_machine(image: &Image) -> bool {
    image.platform.is_empty() || image.platform == oci::platform()
}

/// Returns the given policy, or the one that follows from the tag.
fn policy(container: &Container) -> &str {
    let image = container.image.as_deref().unwrap_or_default();
    let name = image.rsplit('/').next().unwrap_or(image);
    let latest = name.ends_with(":latest") || !name.contains([':', '@']);
    container.image_pull_policy.as_deref().unwrap_or(if latest { "Always" } else { "IfNotPresent" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreachable_registry_is_reported_as_by_containerd() {
        let error = unreachable("docker.io/library/busybox:0.0.0");
        let wanted = "failed to pull and unpack image \"docker.io/library/busybox:0.0.0\": failed to resolve \
            reference \"docker.io/library/busybox:0.0.0\": failed to do request: Head \
            \"https://registry-1.docker.io/v2/library/busybox/manifests/0.0.0\": dial tcp: lookup \
            registry-1.docker.io on 10.244.0.1:53: no such host";
        assert_eq!(error, wanted);
        let digest = format!("ghcr.io/a/b@sha256:{}", "0".repeat(64));
        assert!(unreachable(&digest).contains("https://ghcr.io/v2/a/b/manifests/sha256:00"));
    }

    #[test]
    fn the_pull_policy_follows_from_the_tag() {
        let of = |image: &str| {
            let container = Container { image: Some(image.to_owned()), ..Container::default() };
            policy(&container).to_owned()
        };
        assert_eq!(of("busybox"), "Always");
        assert_eq!(of("localhost:5000/busybox"), "Always");
        assert_eq!(of("busybox:latest"), "Always");
        assert_eq!(of("busybox:1.36.1"), "IfNotPresent");
    }
}
