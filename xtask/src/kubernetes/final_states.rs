//! The states that can't recover, in one table: a wait that sees one ends at once.
//!
//! Each row says how long its state has to last, or how often it has to come, before it is final, and
//! has a twin: the same beginning, which recovers and must not end a wait.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use super::objects;
use super::watch::State;

/// A state as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Whose: `Pod/caesium-0`.
    pub object: String,
    /// Which of its containers.
    pub container: Option<String>,
    /// One sentence for a tired person.
    pub sentence: String,
}

/// A kind of state that can't recover.
struct Row {
    /// Names it in the documentation.
    name: &'static str,
    /// How long it has to last before it is final.
    after: Duration,
    /// What begins alike and recovers.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the test that every row has a twin, and by people"))]
    twin: &'static str,
    /// Every object that is in this state.
    find: fn(&State) -> Vec<Sighting>,
}

const TABLE: [Row; 11] = [
    Row {
        name: "image is never pulled",
        after: Duration::ZERO,
        twin: "an image that is loaded while its pod is still being scheduled",
        find: |state| waiting(state, |reason, _| matches!(reason, "ErrImageNeverPull" | "InvalidImageName")),
    },
    Row {
        name: "image does not exist",
        after: Duration::from_secs(3),
        twin: "a registry that says 404 once, just after a push",
        find: |state| waiting(state, |reason, message| is_pull(reason) && is_definite(message)),
    },
    Row {
        name: "image can't be pulled",
        after: Duration::from_secs(60),
        twin: "a pull that fails on DNS, and then works",
        find: |state| waiting(state, |reason, message| is_pull(reason) && !is_definite(message)),
    },
    Row {
        name: "crash loop",
        after: Duration::ZERO,
        twin: "two crashes at the start",
        find: |state| each_container(state, crash_loop),
    },
    Row {
        name: "container's configuration is refused",
        after: Duration::ZERO,
        twin: "none: the image's user does not change",
        find: |state| waiting(state, |reason, message| is_config_error(reason) && message.contains("runAsNonRoot")),
    },
    Row {
        name: "container's configuration names what is not there",
        after: Duration::from_secs(10),
        twin: "a secret that is created a moment after its pod",
        find: |state| waiting(state, |reason, _| is_config_error(reason)),
    },
    Row {
        name: "unschedulable",
        after: Duration::from_secs(15),
        twin: "a node that is not ready yet",
        find: unschedulable,
    },
    Row {
        name: "claim that nobody provisions",
        after: Duration::from_secs(5),
        twin: "a claim that waits for its first consumer",
        find: unprovisioned,
    },
    Row {
        name: "pods refused by admission",
        after: Duration::from_secs(3),
        twin: "a service account that is created a moment after the workload",
        find: refused,
    },
    Row {
        name: "volume that can't be mounted",
        after: Duration::from_secs(30),
        twin: "a mount that fails once",
        find: unmounted,
    },
    Row { name: "job failed", after: Duration::ZERO, twin: "a job whose first pod failed", find: failed_jobs },
];

/// Watches for final states over the time of one wait.
#[derive(Default)]
pub struct Tracker {
    since: BTreeMap<(usize, String), Instant>,
}

impl Tracker {
    /// The first state that is final by now.
    pub fn look(&mut self, state: &State, now: Instant) -> Option<Sighting> {
        let mut seen = BTreeMap::new();
        let mut found = None;
        for (index, row) in TABLE.iter().enumerate() {
            for sighting in (row.find)(state) {
                let key = (index, sighting.object.clone());
                let since = *self.since.get(&key).unwrap_or(&now);
                seen.insert(key, since);
                if found.is_none() && now.duration_since(since) >= row.after {
                    tracing::debug!(state = row.name, object = sighting.object, "final");
                    found = Some(sighting);
                }
            }
        }
        self.since = seen;
        found
    }
}

/// Pods that count: those of hooks are helm's to judge.
fn pods(state: &State) -> impl Iterator<Item = &Pod> {
    let counts =
        |pod: &&Pod| !pod.annotations().contains_key("helm.sh/hook") && pod.metadata.deletion_timestamp.is_none();
    state.pods.values().filter(counts)
}

fn each_container(state: &State, judge: fn(&Pod, &ContainerStatus) -> Option<String>) -> Vec<Sighting> {
    let sight = |pod: &Pod| {
        let object = format!("Pod/{}", pod.name_any());
        let find = |status: &ContainerStatus| {
            let sentence = format!("{object} can't start: {}", judge(pod, status)?);
            Some(Sighting { object: object.clone(), container: Some(status.name.clone()), sentence })
        };
        objects::containers(pod).find_map(find)
    };
    pods(state).filter_map(sight).collect()
}

fn waiting(state: &State, matches: fn(&str, &str) -> bool) -> Vec<Sighting> {
    let sight = |pod: &Pod| {
        let object = format!("Pod/{}", pod.name_any());
        objects::containers(pod).find_map(|status| {
            let waiting = status.state.as_ref()?.waiting.as_ref()?;
            let (reason, message) = (waiting.reason.as_deref()?, waiting.message.as_deref().unwrap_or(""));
            let told = if message.is_empty() { reason.to_owned() } else { format!("{reason}, {message}") };
            matches(reason, message).then(|| Sighting {
                object: object.clone(),
                container: Some(status.name.clone()),
                sentence: format!(
                    "{object} can't start: container {} with image {}: {told}",
                    status.name, status.image
                ),
            })
        })
    };
    pods(state).filter_map(sight).collect()
}

fn is_pull(reason: &str) -> bool {
    matches!(reason, "ErrImagePull" | "ImagePullBackOff")
}

/// Whether the registry answered, and the answer will not change.
fn is_definite(message: &str) -> bool {
    let words =
        ["not found", "manifest unknown", "denied", "unauthorized", "no match for platform", "invalid reference"];
    words.iter().any(|word| message.contains(word)) && !message.contains("no such host")
}

fn is_config_error(reason: &str) -> bool {
    matches!(reason, "CreateContainerConfigError" | "CreateContainerError")
}

/// The third crash is final; a container that is starting again has its chance.
fn crash_loop(_: &Pod, status: &ContainerStatus) -> Option<String> {
    let state = status.state.as_ref()?;
    let backs_off = state.waiting.as_ref().is_some_and(|w| w.reason.as_deref() == Some("CrashLoopBackOff"));
    let crashed = state.terminated.as_ref().is_some_and(|ended| ended.exit_code != 0);
    if status.restart_count < 2 || !(backs_off || crashed) {
        return None;
    }
    let last = state.terminated.as_ref().or_else(|| status.last_state.as_ref()?.terminated.as_ref());
    let how = last.map_or_else(String::new, |ended| {
        format!(", last with exit code {} ({})", ended.exit_code, ended.reason.as_deref().unwrap_or("no reason given"))
    });
    Some(format!("container {} ended {} times{how}", status.name, status.restart_count + 1))
}

fn unschedulable(state: &State) -> Vec<Sighting> {
    let sight = |pod: &Pod| {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let condition = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
        let message = condition.message.as_deref().unwrap_or("");
        let passes = ["not-ready", "no nodes available", "unbound immediate PersistentVolumeClaims", "uninitialized"];
        if condition.reason.as_deref() != Some("Unschedulable") || passes.iter().any(|word| message.contains(word)) {
            return None;
        }
        let object = format!("Pod/{}", pod.name_any());
        let sentence = format!("{object} fits on no node: {message}");
        Some(Sighting { object, container: None, sentence })
    };
    pods(state).filter_map(sight).collect()
}

fn unprovisioned(state: &State) -> Vec<Sighting> {
    let sight = |(name, claim): (&String, _)| {
        let object = format!("PersistentVolumeClaim/{name}");
        let events = state.events_about(&object);
        let last =
            events.iter().rfind(|e| matches!(e.reason.as_deref(), Some("FailedBinding" | "ProvisioningFailed")))?;
        let message = last.message.as_deref().unwrap_or("");
        (objects::claim_line(claim) == "Pending").then(|| Sighting {
            sentence: format!("{object} is never provisioned: {message}"),
            object,
            container: None,
        })
    };
    state.claims.iter().filter_map(sight).collect()
}

fn refused(state: &State) -> Vec<Sighting> {
    let definite = ["violates PodSecurity", "exceeded quota", "admission webhook"];
    let sight = |(name, set): (&String, &k8s_openapi::api::apps::v1::StatefulSet)| {
        let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        if set.status.as_ref().is_some_and(|status| status.replicas >= wanted) {
            return None;
        }
        let object = format!("StatefulSet/{name}");
        let events = state.events_about(&object);
        let message = events.iter().rfind(|e| e.reason.as_deref() == Some("FailedCreate"))?.message.clone()?;
        definite.iter().any(|word| message.contains(word)).then(|| Sighting {
            sentence: format!("{object} may not create its pods: {message}"),
            object,
            container: None,
        })
    };
    state.stateful_sets.iter().filter_map(sight).collect()
}

fn unmounted(state: &State) -> Vec<Sighting> {
    let sight = |pod: &Pod| {
        let object = format!("Pod/{}", pod.name_any());
        let creating = objects::containers(pod).any(|status| {
            let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
            waiting.is_some_and(|w| matches!(w.reason.as_deref(), Some("ContainerCreating" | "PodInitializing")))
        });
        let started = objects::containers(pod).any(|status| status.container_id.is_some());
        let events = state.events_about(&object);
        let failed = events.iter().rfind(|e| e.reason.as_deref() == Some("FailedMount"))?;
        (creating && !started).then(|| Sighting {
            sentence: format!(
                "{object} can't start: {}",
                failed.message.as_deref().unwrap_or("a volume can't be mounted")
            ),
            object,
            container: None,
        })
    };
    pods(state).filter_map(sight).collect()
}

fn failed_jobs(state: &State) -> Vec<Sighting> {
    let sight = |(name, job): (&String, &k8s_openapi::api::batch::v1::Job)| {
        let conditions = job.status.as_ref()?.conditions.as_ref()?;
        let failed = conditions.iter().find(|c| c.type_ == "Failed" && c.status == "True")?;
        let object = format!("Job/{name}");
        let why = failed.message.as_deref().or(failed.reason.as_deref()).unwrap_or("no reason given");
        Some(Sighting { sentence: format!("{object} failed: {why}"), object, container: None })
    };
    state.jobs.iter().filter_map(sight).collect()
}

#[cfg(test)]
#[path = "final_states_tests.rs"]
mod tests;
