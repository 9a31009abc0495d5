//! Faults of the kubelet.

use std::time::Duration;

use embedded::faults::FaultKind;

use super::PlantedFaults;

impl PlantedFaults {
    /// Returns how long pulling an image takes.
    pub(crate) fn pull_delay(&self, image: &str) -> Option<Duration> {
        match self.strike(image, |what| matches!(what, FaultKind::PullTakes { .. }))? {
            FaultKind::PullTakes { seconds } => Some(Duration::from_secs(seconds)),
            _ => None,
        }
    }

    /// Returns whether the node lacks an image even if it was loaded: it is missing, or pulling it is going to fail.
    pub(crate) fn hides_image(&self, image: &str) -> bool {
        let fails = |what: &FaultKind| matches!(what, FaultKind::PullFails { .. });
        self.strikes(image, &FaultKind::ImageMissing) || self.next(image, fails).is_some()
    }

    /// Returns the error of the registry's client when an image is pulled.
    pub(crate) fn pull_error(&self, image: &str) -> Option<String> {
        match self.strike(image, |what| matches!(what, FaultKind::PullFails { .. }))? {
            FaultKind::PullFails { message } => Some(message),
            _ => None,
        }
    }

    /// Returns the error of mounting a volume, by its name in the pod.
    pub(crate) fn mount_error(&self, volume: &str) -> Option<String> {
        match self.strike(volume, |what| matches!(what, FaultKind::MountFails { .. }))? {
            FaultKind::MountFails { message } => Some(message),
            _ => None,
        }
    }

    /// Returns whether a container that has just started is killed because memory ran out.
    pub(crate) fn starves(&self, pod: &str, container: &str) -> bool {
        self.strikes(&format!("{pod}/{container}"), &FaultKind::OutOfMemory)
    }

    /// Returns why a node is not ready, for another second.
    pub(crate) fn unready_reason(&self, node: &str) -> Option<String> {
        match self.strike(node, |what| matches!(what, FaultKind::NodeNotReady { .. }))? {
            FaultKind::NodeNotReady { message } => Some(message),
            _ => None,
        }
    }
}
