//! The states that can't recover: a wait that sees one ends at once.

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

/// A state as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Whose: `Pod/caesium-0`.
    pub object: String,
    /// The pod that shows why, where that is another object.
    pub pod: Option<String>,
    /// Which container of the pod.
    pub container: Option<String>,
    /// One sentence for a tired person.
    pub sentence: String,
    /// Whether something newer gives it another chance: it is not final as long as that lasts, but its time goes on.
    pub on_hold: bool,
}

impl Sighting {
    fn of(object: String, sentence: String) -> Self {
        Self { object, pod: None, container: None, sentence, on_hold: false }
    }
}

/// A kind of state that can't recover.
struct Row {
    /// Names it in the documentation.
    name: &'static str,
    /// The kinds of objects that can be in it.
    #[cfg_attr(not(test), expect(dead_code, reason = "a column of the documentation, which a test compares"))]
    object: &'static str,
    /// By which reason it is told.
    #[cfg_attr(not(test), expect(dead_code, reason = "a column of the documentation, which a test compares"))]
    reason: &'static str,
    /// When it is final.
    limit: Limit,
    /// What shows that it is over, or gives it another chance: an event counts only as long as nothing newer contradicts
    /// it.
    #[cfg_attr(not(test), expect(dead_code, reason = "a column of the documentation, which a test compares"))]
    taken_back_by: &'static str,
    /// What begins alike, recovers, and must not end a wait.
    #[cfg_attr(not(test), expect(dead_code, reason = "a column of the documentation, which a test compares"))]
    twin: &'static str,
    /// Every object that is in this state.
    find: fn(&View<'_>) -> Vec<Sighting>,
}

/// Watches for final states over the time of one wait.
#[derive(Default)]
pub struct Tracker {
    limits: Limits,
    since: BTreeMap<(usize, String), Instant>,
    /// The objects of hooks that were there before; none where helm runs no hooks meanwhile.
    old_hooks: Option<BTreeSet<String>>,
    /// When helm ended, the last time it did.
    hooks_ended: Option<Instant>,
    /// The node that is in the way, how long it may be for that reason, and since when it is.
    node: Option<(String, Duration, Instant)>,
}

impl Tracker {
    /// A tracker that has seen nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// From now on hooks count as well, those that are new: helm runs them, and would wait out its time-out. Where
    /// several releases are installed side by side, new since the first.
    pub fn begin_hooks(&mut self, state: &State) {
        self.old_hooks.get_or_insert_with(|| view::hooks(state));
    }

    /// helm has ended: a hook that failed is one by now, or will be seen soon.
    pub fn end_hooks(&mut self) {
        self.hooks_ended = Some(Instant::now());
    }

    /// When helm ended; none where it did not yet.
    pub fn hooks_ended(&self) -> Option<Instant> {
        self.hooks_ended
    }

    /// A hook that failed since [`Tracker::begin_hooks`].
    pub fn failed_hook(&self, state: &State) -> Option<Sighting> {
        workloads::failed_hooks(&View { state, old_hooks: self.old_hooks.as_ref() }).into_iter().next()
    }

    /// The node that keeps pods from running and that nothing is going to make ready any more.
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

    /// The first state that is final by now.
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
                    tracing::debug!(state = row.name, object = sighting.object, "final");
                    found = Some(sighting);
                }
            }
        }
        self.since = seen;
        found
    }
}

/// Why one of these pods, which are no chart's, can't start; none where each may still.
pub fn cannot_start(pods: &[Pod]) -> Option<String> {
    let pods = pods.iter().map(|pod| (pod.name_any(), pod.clone())).collect();
    let state = State { pods, ..State::default() };
    let view = View { state: &state, old_hooks: None };
    let finders =
        [pods::image_never_pulled, pods::image_missing, pods::config_refused, pods::init_fails, pods::crash_loop];
    finders.iter().flat_map(|find| find(&view)).map(|sighting| sighting.sentence).next()
}

#[cfg(test)]
mod taken_back_tests;
#[cfg(test)]
mod tests;
