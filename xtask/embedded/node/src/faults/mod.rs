//! The planted faults of the running cluster: their state, and one file of hooks for each layer.
//!
//! A layer holds a [`PlantedFaults`] and calls the hooks of its own file here; it knows neither the kinds of faults nor their
//! counts. Faults that act on their own are in `acting_faults`.

mod api;
mod controllers;
mod kubelet;
mod network;

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
pub use embedded::faults::Faults;
use embedded::faults::{FaultKind, VARIABLE};
pub(crate) use network::not_found;
use tokio::sync::watch;
use tokio::time::Instant;

/// The faults of the running cluster. Cheap to clone; all clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct PlantedFaults {
    faults: Arc<Mutex<Faults>>,
    refuses_until: watch::Sender<Option<Instant>>,
}

impl PlantedFaults {
    /// Returns these faults, with their full counts.
    pub fn new(faults: Faults) -> Self {
        Self { faults: Arc::new(Mutex::new(faults)), ..Self::default() }
    }

    /// Returns these faults and those of the environment.
    ///
    /// # Errors
    /// If the variable does not contain valid faults.
    pub(crate) fn with_environment(mut faults: Faults) -> anyhow::Result<Self> {
        if let Ok(text) = std::env::var(VARIABLE) {
            let more: Faults = serde_json::from_str(&text).context(VARIABLE)?;
            faults.0.extend(more.0);
        }
        Ok(Self::new(faults))
    }

    /// Replaces the faults.
    pub fn replace(&self, faults: Faults) {
        *self.lock() = faults;
    }

    /// Returns the first matching fault that hits `target`; counts as one strike.
    fn strike(&self, target: &str, wanted: impl Fn(&FaultKind) -> bool) -> Option<FaultKind> {
        let mut faults = self.lock();
        let fault = faults.0.iter_mut().find(|f| f.times != Some(0) && wanted(&f.what) && f.hits(target))?;
        fault.times = fault.times.map(|times| times - 1);
        Some(fault.what.clone())
    }

    /// Returns whether a fault without parameters strikes `target`.
    fn strikes(&self, target: &str, what: &FaultKind) -> bool {
        self.strike(target, |other| other == what).is_some()
    }

    /// Returns the first matching fault that is going to hit `target`; does not count as a strike.
    fn next(&self, target: &str, wanted: impl Fn(&FaultKind) -> bool) -> Option<FaultKind> {
        let faults = self.lock();
        let fault = faults.0.iter().find(|f| f.times != Some(0) && wanted(&f.what) && f.hits(target))?;
        Some(fault.what.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_the_given_number_of_times() {
        let json = r#"[{"fault": "pullFails", "message": "no such host", "of": "busybox:*", "times": 2}]"#;
        let planted = PlantedFaults::new(serde_json::from_str(json).unwrap());
        assert_eq!(planted.pull_error("alpine:3"), None);
        assert!(planted.hides_image("busybox:1"), "that is not a strike");
        assert!(planted.pull_error("busybox:1").is_some());
        assert!(planted.pull_error("busybox:2").is_some());
        assert_eq!(planted.pull_error("busybox:1"), None, "struck twice already");
    }

    #[test]
    fn a_fault_without_a_target_hits_everything() {
        let planted = PlantedFaults::new(serde_json::from_str(r#"[{"fault": "nodeFull"}]"#).unwrap());
        assert!(planted.fills_node("s-0"));
        assert!(!planted.breaks_name("s-0"));
    }
}
