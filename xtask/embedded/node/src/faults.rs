//! The planted faults of the running cluster: all of their state, and what the rest of the node asks of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use embedded::faults::{Fault, Faults, VARIABLE, What};
use tokio::sync::watch;
use tokio::time::Instant;

/// The faults as the running cluster asks for them. Cheap to clone; all clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Planted {
    faults: Arc<Mutex<Faults>>,
    refuses_until: watch::Sender<Option<Instant>>,
}

impl Planted {
    /// These faults, with their full counts.
    pub fn new(faults: Faults) -> Self {
        Self { faults: Arc::new(Mutex::new(faults)), ..Self::default() }
    }

    /// Other faults from now on.
    pub fn replace(&self, faults: Faults) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// The first fault of the wanted sort that hits `target`; counts as one strike.
    pub fn strike(&self, target: &str, wanted: impl Fn(&What) -> bool) -> Option<What> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = faults.0.iter_mut().find(|f| f.times != Some(0) && wanted(&f.what) && f.hits(target))?;
        fault.times = fault.times.map(|times| times - 1);
        Some(fault.what.clone())
    }

    /// The first fault of the wanted sort that is going to hit `target`; counts as nothing.
    pub fn next(&self, target: &str, wanted: impl Fn(&What) -> bool) -> Option<What> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = faults.0.iter().find(|f| f.times != Some(0) && wanted(&f.what) && f.hits(target))?;
        Some(fault.what.clone())
    }

    /// Whether a fault of the wanted sort is going to hit `target`; counts as nothing.
    pub fn threatens(&self, target: &str, wanted: impl Fn(&What) -> bool) -> bool {
        self.next(target, wanted).is_some()
    }

    /// From now on the API server refuses everything for so long.
    pub fn refuse_for(&self, seconds: u64) {
        self.refuses_until.send_replace(Some(Instant::now() + Duration::from_secs(seconds)));
    }

    /// Whether the API server refuses everything now.
    pub fn refuses(&self) -> bool {
        self.refuses_until.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until the API server refuses everything.
    pub async fn refusal(&self) {
        let mut until = self.refuses_until.subscribe();
        let refuses = |until: &Option<Instant>| until.is_some_and(|until| Instant::now() < until);
        // The sender lives as long as `self`.
        drop(until.wait_for(refuses).await);
    }

    /// Whether a fault that carries no message strikes `target`.
    pub fn strikes(&self, target: &str, what: &What) -> bool {
        self.strike(target, |other| other == what).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_as_often_as_it_says() {
        let json = r#"[{"fault": "pullFails", "message": "no such host", "of": "busybox:*", "times": 2}]"#;
        let planted = Planted::new(serde_json::from_str(json).unwrap());
        let pull = |image| planted.strike(image, |what| matches!(what, What::PullFails { .. }));
        assert_eq!(pull("alpine:3"), None);
        assert!(pull("busybox:1").is_some());
        assert!(pull("busybox:2").is_some());
        assert_eq!(pull("busybox:1"), None, "struck twice already");
    }

    #[test]
    fn a_fault_without_a_target_hits_all() {
        let planted = Planted::new(serde_json::from_str(r#"[{"fault": "nodeFull"}]"#).unwrap());
        assert!(planted.strikes("s-0", &What::NodeFull));
        assert!(!planted.strikes("s-0", &What::DnsFails));
    }
}
