//! An observation on the cluster, and when it was made.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kubernetes::objects;
use kubernetes::watch::State;
use serde::Deserialize;

/// An observation about `Pod/name`, or about the first of `Pod/prefix-*`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Since {
    /// An event with this reason, whose message contains these words.
    Event {
        event: String,
        of: String,
        #[serde(default)]
        says: String,
    },
    /// A condition of this type.
    Condition { condition: String, of: String },
    /// The last end of a container of this pod.
    Ended { ended: String },
}

impl Since {
    /// Returns when it was observed, in milliseconds since 1970: objects have whole seconds.
    pub fn told_ms(&self, state: &State) -> Option<i64> {
        let time = match self {
            Self::Event { event, of, says } => first_event(state, event, of, says),
            Self::Condition { condition, of } => changed(state, condition, of),
            Self::Ended { ended } => last_end(state, ended),
        };
        time.map(|time| time.0.as_millisecond())
    }
}

fn is(of: &str, object: &str) -> bool {
    of.strip_suffix('*').map_or(of == object, |prefix| object.starts_with(prefix))
}

fn first_event(state: &State, reason: &str, of: &str, says: &str) -> Option<Time> {
    let told = state.events.values().filter(|event| is(of, &objects::involved(event)));
    let told = told.filter(|event| event.message.as_deref().unwrap_or_default().contains(says));
    told.filter(|event| event.reason.as_deref() == Some(reason)).filter_map(|event| event.first_timestamp.clone()).min()
}

fn changed(state: &State, condition: &str, of: &str) -> Option<Time> {
    let (kind, name) = of.split_once('/')?;
    match kind {
        "Job" => {
            let conditions = state.jobs.get(name)?.status.as_ref()?.conditions.as_ref()?;
            conditions.iter().find(|c| c.type_ == condition)?.last_transition_time.clone()
        }
        "Deployment" => {
            let conditions = state.deployments.get(name)?.status.as_ref()?.conditions.as_ref()?;
            conditions.iter().find(|c| c.type_ == condition)?.last_transition_time.clone()
        }
        _ => None,
    }
}

fn last_end(state: &State, of: &str) -> Option<Time> {
    let pods = state.pods.values().filter(|pod| is(of, &format!("Pod/{}", pod.name_any())));
    let statuses = pods.flat_map(objects::containers);
    let states = statuses.flat_map(|status| [status.state.as_ref(), status.last_state.as_ref()]).flatten();
    states.filter_map(|state| state.terminated.as_ref()?.finished_at.clone()).max()
}
