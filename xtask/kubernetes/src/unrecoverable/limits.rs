//! How long states may last before they are unrecoverable: shorter on a cluster that the run created, where nothing scales,
//! attaches or provisions unless the run requested it. A suite can set its own limits.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long a state lasts, or how often it occurs, before it is unrecoverable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// The time since it was first seen, on every cluster.
    Seconds(u64),
    /// The time since it was first seen.
    Adjustable {
        /// The key in a suite's `[limits_s]`.
        key: &'static str,
        /// The default on a cluster that the run created.
        own_s: u64,
        /// The default on an existing cluster.
        existing_s: u64,
    },
    /// The number of occurrences, counted by the finder.
    Times(i32),
}

/// The limits of one suite on one cluster.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    existing: bool,
    chosen_s: BTreeMap<String, u64>,
}

impl Limits {
    /// Returns the limits, with those that a suite sets by key, for an existing cluster or one that the run created.
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
