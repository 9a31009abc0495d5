//! Faults of the kubelet.

use std::time::Duration;

use embedded::faults::What;

use super::Planted;

impl Planted {
    /// How long pulling an image takes.
    pub(crate) fn pull_delay(&self, image: &str) -> Option<Duration> {
        match self.strike(image, |what| matches!(what, What::PullTakes { .. }))? {
            What::PullTakes { seconds } => Some(Duration::from_secs(seconds)),
            _ => None,
        }
    }

    /// Whether the node does not have an image, whatever was loaded: it is missing, or pulling it is going to fail.
    pub(crate) fn hides_image(&self, image: &str) -> bool {
        let fails = |what: &What| matches!(what, What::PullFails { .. });
        self.strikes(image, &What::ImageMissing) || self.next(image, fails).is_some()
    }

    /// What the registry's client says of pulling an image.
    pub(crate) fn pull_error(&self, image: &str) -> Option<String> {
        match self.strike(image, |what| matches!(what, What::PullFails { .. }))? {
            What::PullFails { message } => Some(message),
            _ => None,
        }
    }

    /// What mounting a volume, by its name in the pod, says.
    pub(crate) fn mount_error(&self, volume: &str) -> Option<String> {
        match self.strike(volume, |what| matches!(what, What::MountFails { .. }))? {
            What::MountFails { message } => Some(message),
            _ => None,
        }
    }

    /// Whether a container that has just begun is killed for memory.
    pub(crate) fn starves(&self, pod: &str, container: &str) -> bool {
        self.strikes(&format!("{pod}/{container}"), &What::OutOfMemory)
    }

    /// Why a node is not ready, for another second.
    pub(crate) fn unready_reason(&self, node: &str) -> Option<String> {
        match self.strike(node, |what| matches!(what, What::NodeNotReady { .. }))? {
            What::NodeNotReady { message } => Some(message),
            _ => None,
        }
    }
}
