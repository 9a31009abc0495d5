//! How long states may last before they are final: shorter on a cluster that a run made for itself, where nothing scales,
//! attaches or provisions but what the run asked for; a suite may say otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long a state lasts, or how often it comes, before it is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// Since it was first seen, on every cluster.
    Seconds(u64),
    /// Since it was first seen.
    Adjustable {
        /// The key in a suite's `[limits_s]`.
        key: &'static str,
        /// On a cluster of the run's own.
        own_s: u64,
        /// On an existing cluster.
        existing_s: u64,
    },
    /// The finder counts.
    Times(i32),
}

/// The limits of one suite on one cluster.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    existing: bool,
    chosen_s: BTreeMap<String, u64>,
}

impl Limits {
    /// The limits that a suite chose, by their keys, on an existing cluster or on one of the run's own.
    pub fn new(existing: bool, chosen_s: BTreeMap<String, u64>) -> Self {
        Self { existing, chosen_s }
    }

    pub(super) fn lasts(&self, limit: Limit) -> Duration {
        match limit {
            Limit::Seconds(seconds) => Duration::from_secs(seconds),
            Limit::Adjustable { key, own_s, existing_s } => {
                let default_s = if self.existing { existing_s } else { own_s };
                Duration::from_secs(self.chosen_s.get(key).copied().unwrap_or(default_s))
            }
            Limit::Times(_) => Duration::ZERO,
        }
    }
}
