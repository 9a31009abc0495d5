//! Replicas that nobody touched have not restarted: one that crashes by itself while another is killed is no recovery.

use std::collections::BTreeMap;

use anyhow::bail;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use crate::kubernetes::objects;

/// How often each container had restarted, by its pod's UID and its name.
pub struct Restarts(BTreeMap<(String, String), i32>);

impl Restarts {
    /// As it is now.
    pub fn of(pods: &[Pod]) -> Self {
        let of_pod = |pod: &Pod| each(pod).map(|(key, status)| (key, status.restart_count)).collect::<Vec<_>>();
        Self(pods.iter().flat_map(of_pod).collect())
    }

    /// Allows a container one restart more.
    pub fn allow(&mut self, pod_uid: &str, container: &str) {
        if let Some(count) = self.0.get_mut(&(pod_uid.to_owned(), container.to_owned())) {
            *count += 1;
        }
    }

    /// Compares with how it is now. Pods that were replaced are not the ones that were counted.
    ///
    /// # Errors
    /// The first container that restarted by itself, and how it had ended.
    pub fn none_since(&self, pods: &[Pod]) -> anyhow::Result<()> {
        for pod in pods {
            for (key, status) in each(pod) {
                let Some(before) = self.0.get(&key) else { continue };
                if status.restart_count > *before {
                    let times = status.restart_count - before;
                    let (name, container) = (pod.name_any(), &status.name);
                    bail!(
                        "Pod/{name} was not touched and its container {container} restarted {times} times{}",
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

/// How the run before ended.
fn end(status: &ContainerStatus) -> String {
    let ended = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    ended.map_or_else(String::new, |ended| {
        format!(", last with exit code {} ({})", ended.exit_code, ended.reason.as_deref().unwrap_or("no reason"))
    })
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
    fn a_replica_that_restarts_by_itself_is_named() {
        let mut restarts = Restarts::of(&[pod("a", 1)]);
        assert!(restarts.none_since(&[pod("a", 1)]).is_ok());
        assert!(restarts.none_since(&[pod("b", 3)]).is_ok(), "another pod");
        let words =
            "Pod/caesium-1 was not touched and its container caesium restarted 1 times, last with exit code 1 (Error)";
        assert_eq!(restarts.none_since(&[pod("a", 2)]).unwrap_err().to_string(), words);
        restarts.allow("a", "caesium");
        assert!(restarts.none_since(&[pod("a", 2)]).is_ok());
    }
}
