//! The table's view of a namespace: the objects that count, and the events of an object.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;

use crate::objects;
use crate::state::State;

/// A namespace, and the hooks in it that don't count.
pub struct View<'a> {
    /// The namespace.
    pub state: &'a State,
    /// Hooks that existed before helm ran; none if it is not running.
    pub old_hooks: Option<&'a BTreeSet<String>>,
}

/// Returns the UIDs of all objects that belong to hooks.
pub fn hooks(state: &State) -> BTreeSet<String> {
    let jobs = state.jobs.values().filter(|job| is_hook(*job)).filter_map(ResourceExt::uid);
    let pods = state.pods.values().filter(|pod| is_hooks_pod(state, pod)).filter_map(ResourceExt::uid);
    jobs.chain(pods).collect()
}

/// Returns whether helm created the object as a hook.
pub fn is_hook(object: &impl ResourceExt) -> bool {
    object.annotations().contains_key("helm.sh/hook")
}

fn is_hooks_pod(state: &State, pod: &Pod) -> bool {
    is_hook(pod) || objects::controller(pod, "Job").and_then(|job| state.jobs.get(job)).is_some_and(is_hook)
}

/// Returns an event's reason.
pub fn reason(event: &Event) -> &str {
    event.reason.as_deref().unwrap_or_default()
}

/// Returns an event's message.
pub fn message(event: &Event) -> &str {
    event.message.as_deref().unwrap_or_default()
}

impl<'a> View<'a> {
    /// Returns the pods that are not being deleted, except those of hooks that helm is not waiting for.
    pub fn pods(&self) -> impl Iterator<Item = &'a Pod> {
        let pods = self.state.pods.values().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        pods.filter(|pod| !is_hooks_pod(self.state, pod) || self.is_awaited(*pod))
    }

    /// Returns the jobs that count.
    pub fn jobs(&self) -> impl Iterator<Item = &'a Job> {
        self.state.jobs.values().filter(|job| !is_hook(*job) || self.is_awaited(*job))
    }

    /// Returns the events of an object, the latest last.
    pub fn events(&self, object: &impl ResourceExt, kind: &str) -> impl DoubleEndedIterator<Item = &'a Event> {
        let uid = object.uid();
        let events = self.state.events_about(&format!("{kind}/{}", object.name_any()));
        // Events of an earlier object with the same name don't count.
        let own = move |event: &&Event| event.involved_object.uid.is_none() || event.involved_object.uid == uid;
        events.into_iter().filter(own)
    }

    /// Returns the last event of an object with one of these reasons. `reasons` must include those that clear the others.
    pub fn last_event(&self, object: &impl ResourceExt, kind: &str, reasons: &[&str]) -> Option<&'a Event> {
        self.events(object, kind).rfind(|event| reasons.contains(&reason(event)))
    }

    fn is_awaited(&self, hook: &impl ResourceExt) -> bool {
        self.old_hooks.is_some_and(|old| hook.uid().is_none_or(|uid| !old.contains(&uid)))
    }
}
