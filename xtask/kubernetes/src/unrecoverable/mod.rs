//! Unrecoverable states: a wait that sees one ends at once.

mod limits;
mod pods;
mod table;
mod view;
mod volumes;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use self::limits::Limit;
pub use self::limits::Limits;
use self::table::TABLE;
pub use self::table::keys;
use self::view::View;
pub use super::node_problem::NodeProblem;
use super::state::State;

/// A state that was seen on an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The object: `Pod/caesium-0`.
    pub object: String,
    /// The pod that shows the cause, if that is another object.
    pub pod: Option<String>,
    /// The container of the pod.
    pub container: Option<String>,
    /// One self-contained sentence.
    pub sentence: String,
    /// Whether something newer gives it another chance: meanwhile the wait does not end, but the time still counts.
    pub on_hold: bool,
}

impl Sighting {
    fn of(object: String, sentence: String) -> Self {
        Self { object, pod: None, container: None, sentence, on_hold: false }
    }
}

/// A kind of unrecoverable state.
struct Row {
    /// Its name in the documentation.
    name: &'static str,
    /// The kinds of objects that can be in it.
    #[cfg_attr(not(test), expect(dead_code, reason = "a column of the documentation, which a test compares"))]
    object: &'static str,
    /// The reason that objects or events report.
    #[cfg_attr(not(test), expect(dead_code, reason = "a column of the documentation, which a test compares"))]
    reason: &'static str,
    /// When it is unrecoverable.
    limit: Limit,
    /// What ends it or gives it another chance: an event counts only as long as nothing newer contradicts it.
    #[cfg_attr(not(test), expect(dead_code, reason = "a column of the documentation, which a test compares"))]
    cleared_by: &'static str,
    /// A state that begins alike, recovers, and must not end a wait.
    #[cfg_attr(not(test), expect(dead_code, reason = "a column of the documentation, which a test compares"))]
    twin: &'static str,
    /// Finds every object in this state.
    find: fn(&View<'_>) -> Vec<Sighting>,
}

/// Looks for unrecoverable states during one wait.
#[derive(Default)]
pub struct Tracker {
    limits: Limits,
    since: BTreeMap<(usize, String), Instant>,
    /// The objects of hooks that existed before; none if helm is not running hooks.
    old_hooks: Option<BTreeSet<String>>,
    /// When helm last ended.
    hooks_ended: Option<Instant>,
    /// The node that blocks pods, how long it may do so for that reason, and since when it does.
    node: Option<(String, Duration, Instant)>,
}

impl Tracker {
    /// Returns a tracker that has seen nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// From now on, new hooks count as well: helm runs them, and would wait for its full time-out. If several releases are
    /// installed side by side, hooks are new since the first.
    pub fn begin_hooks(&mut self, state: &State) {
        self.old_hooks.get_or_insert_with(|| view::hooks(state));
    }

    /// Records that helm has ended: a failed hook has been seen already, or will be soon.
    pub fn end_hooks(&mut self) {
        self.hooks_ended = Some(Instant::now());
    }

    /// Returns when helm ended; none if it has not yet.
    pub fn hooks_ended(&self) -> Option<Instant> {
        self.hooks_ended
    }

    /// Returns a hook that failed since [`Tracker::begin_hooks`].
    pub fn failed_hook(&self, state: &State) -> Option<Sighting> {
        workloads::failed_hooks(&View { state, old_hooks: self.old_hooks.as_ref() }).into_iter().next()
    }

    /// Returns the node that blocks pods and has not become ready within its limit.
    pub fn look_at_node(&mut self, trouble: Option<NodeProblem>, now: Instant) -> Option<Sighting> {
        let Some(NodeProblem { object, sentence, final_after: Some(limit) }) = trouble else {
            self.node = None;
            return None;
        };
        let same = self.node.take().filter(|(known, after, _)| (known, *after) == (&object, limit));
        let since = same.map_or(now, |(_, _, since)| since);
        self.node = Some((object.clone(), limit, since));
        (now.duration_since(since) >= limit).then(|| Sighting::of(object, sentence))
    }

    /// Returns the first state that is unrecoverable by now.
    pub fn look(&mut self, state: &State, now: Instant) -> Option<Sighting> {
        let view = View { state, old_hooks: self.old_hooks.as_ref() };
        let mut seen = BTreeMap::new();
        let mut found = None;
        for (index, row) in TABLE.iter().enumerate() {
            for sighting in (row.find)(&view) {
                let key = (index, sighting.object.clone());
                let since = *self.since.get(&key).unwrap_or(&now);
                seen.insert(key, since);
                let is_over = now.duration_since(since) >= self.limits.lasts(row.limit);
                if found.is_none() && is_over && !sighting.on_hold {
                    tracing::debug!(state = row.name, object = sighting.object, "unrecoverable");
                    found = Some(sighting);
                }
            }
        }
        self.since = seen;
        found
    }
}

/// Returns why one of these pods, which belong to no chart, can't start; none if each may still start.
pub fn cannot_start(pods: &[Pod]) -> Option<String> {
    let pods = pods.iter().map(|pod| (pod.name_any(), pod.clone())).collect();
    let state = State { pods, ..State::default() };
    let view = View { state: &state, old_hooks: None };
    let finders =
        [pods::image_never_pulled, pods::image_missing, pods::config_refused, pods::init_fails, pods::crash_loop];
    finders.iter().flat_map(|find| find(&view)).map(|sighting| sighting.sentence).next()
}

#[cfg(test)]
mod cleared_tests;
#[cfg(test)]
mod tests;
