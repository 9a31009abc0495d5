//! Checks that untouched replicas did not restart: if one crashes while another is killed, that is not recovery.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::bail;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use kubernetes::objects;

/// The restart count of each container when it was first counted, by its pod's UID and its name.
#[derive(Default)]
pub struct Restarts(Mutex<Counts>);

type Counts = BTreeMap<(String, String), i32>;

impl Restarts {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the containers of pods that were not counted yet.
    pub fn count(&self, pods: &[Pod]) {
        let mut counts = self.counts();
        for (key, status) in pods.iter().flat_map(each) {
            counts.entry(key).or_insert(status.restart_count);
        }
    }

    /// Forgets all counts.
    pub fn forget(&self) {
        self.counts().clear();
    }

    /// Forgets the counts of a pod, whose containers may restart.
    pub fn forget_pod(&self, pod_uid: &str) {
        self.counts().retain(|(uid, _), _| uid != pod_uid);
    }

    /// Allows a container one more restart.
    pub fn allow(&self, pod_uid: &str, container: &str) {
        if let Some(count) = self.counts().get_mut(&(pod_uid.to_owned(), container.to_owned())) {
            *count += 1;
        }
    }

    /// Compares the counts with the current ones.
    ///
    /// # Errors
    /// The first container that restarted on its own, and why.
    pub fn none_since(&self, pods: &[Pod]) -> anyhow::Result<()> {
        let counts = self.counts();
        for pod in pods {
            for (key, status) in each(pod) {
                let Some(before) = counts.get(&key) else { continue };
                if status.restart_count > *before {
                    let times = status.restart_count - before;
                    let (name, container) = (pod.name_any(), &status.name);
                    bail!(
                        "container {container} of Pod/{name} restarted {times} times, although no fault touched it{}",
                        end(status)
                    );
                }
            }
        }
        Ok(())
    }
}

fn each(pod: &Pod) -> impl Iterator<Item = ((String, String), &ContainerStatus)> {
    let uid = pod.uid().unwrap_or_default();
    objects::containers(pod).map(move |status| ((uid.clone(), status.name.clone()), status))
}

/// Describes how the container's previous run ended.
fn end(status: &ContainerStatus) -> String {
    let ended = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    ended.map_or_else(String::new, |ended| format!(", last with {}", objects::exit(ended)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(uid: &str, restarts: i32) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "caesium-1", "uid": uid },
            "status": { "containerStatuses": [{
                "name": "caesium", "image": "", "imageID": "", "ready": true, "restartCount": restarts,
                "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } },
            }] },
        }))
        .unwrap()
    }

    #[test]
    fn a_replica_that_restarts_on_its_own_is_named() {
        let restarts = Restarts::default();
        restarts.count(&[pod("a", 1)]);
        assert!(restarts.none_since(&[pod("a", 1)]).is_ok());
        assert!(restarts.none_since(&[pod("b", 3)]).is_ok(), "another pod");
        let words = "container caesium of Pod/caesium-1 restarted 1 times, although no fault touched it, last with exit \
                     code 1";
        assert_eq!(restarts.none_since(&[pod("a", 2)]).unwrap_err().to_string(), words);
        restarts.allow("a", "caesium");
        assert!(restarts.none_since(&[pod("a", 2)]).is_ok());
        restarts.count(&[pod("b", 0)]);
        assert!(restarts.none_since(&[pod("b", 1)]).is_err(), "a new pod counts from then on");
        restarts.forget();
        assert!(restarts.none_since(&[pod("b", 1)]).is_ok());
    }
}
