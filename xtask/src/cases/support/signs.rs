//! Signs of why a release does not run, to search for words in: helm's output, and the states, events and logs of its
//! pods. Names and command lines are shown but never searched, since they may contain the words that the case itself
//! passed.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Event, Pod};
use kube::ResourceExt;

use crate::deployed_release::DeployedRelease;
use kubernetes::{logs, objects};
use process::CommandError;

/// The number of log lines of each container that are searched.
const LINES: i64 = 50;

/// One line, and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    by: String,
    line: String,
}

impl std::fmt::Display for Sign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.by, self.line)
    }
}

/// Returns the first sign with these words, in helm's output or from the release; otherwise returns all signs as an
/// error.
pub async fn find(
    client: &kube::Client,
    deployed_release: &DeployedRelease,
    helm: Option<&CommandError>,
    words: &str,
) -> Result<String, String> {
    let printed = helm.map(|error| of("helm", &error.tail)).unwrap_or_default();
    let of_release = of_release(client, deployed_release).await;
    match printed.iter().chain(&of_release).find(|sign| sign.line.contains(words)) {
        Some(sign) => Ok(sign.to_string()),
        None => {
            Err(helm.map(ToString::to_string).into_iter().chain([list(&of_release)]).collect::<Vec<_>>().join("\n"))
        }
    }
}

/// Whether a sign contains these words.
pub fn contain(signs: &[Sign], words: &str) -> bool {
    signs.iter().any(|sign| sign.line.contains(words))
}

/// Formats all signs, one per line.
pub fn list(signs: &[Sign]) -> String {
    signs.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Returns all signs of a release: those of its pods and of the objects that create them.
async fn of_release(client: &kube::Client, deployed_release: &DeployedRelease) -> Vec<Sign> {
    let mut signs = Vec::new();
    for pod in deployed_release.pods() {
        signs.extend(of_pod(client, deployed_release, &pod).await);
    }
    let state = deployed_release.watch.state();
    let own = |kind: &str, name: &str| {
        let about = state.events.values().filter(|event| {
            let object = objects::involved(event);
            // A ReplicaSet is named after its Deployment.
            object == format!("{kind}/{name}") || object.starts_with(&format!("ReplicaSet/{name}-"))
        });
        about.flat_map(of_event).collect::<Vec<_>>()
    };
    signs.extend(deployed_release.with_pods().into_iter().flat_map(|(kind, name)| own(kind, name)));
    signs
}

/// Returns all signs of a pod.
pub async fn of_pod(client: &kube::Client, deployed_release: &DeployedRelease, pod: &Pod) -> Vec<Sign> {
    let name = pod.name_any();
    let mut signs = states(pod);
    {
        let state = deployed_release.watch.state();
        signs.extend(state.events_about(&format!("Pod/{name}")).into_iter().flat_map(of_event));
    }
    let begun = |status: &&ContainerStatus| status.container_id.is_some() || status.restart_count > 0;
    for status in objects::containers(pod).filter(begun) {
        // A container that is being replaced has no log; the next attempt finds it.
        if let Ok(log) = logs::tail(client, deployed_release.watch.namespace(), &name, &status.name, LINES).await {
            signs.extend(of(&format!("log of {name}, {}", status.name), &log));
        }
    }
    signs
}

/// Returns the signs in the status of a pod and of its containers.
fn states(pod: &Pod) -> Vec<Sign> {
    let (name, status) = (format!("Pod/{}", pod.name_any()), pod.status.clone().unwrap_or_default());
    let words = [status.phase, status.reason, status.message].into_iter().flatten().collect::<Vec<_>>();
    let mut signs = of(&name, &words.join(", "));
    for status in objects::containers(pod) {
        let by = format!("{name}, container {}", status.name);
        signs.extend(objects::container_words(status, "not ready").into_iter().flat_map(|words| of(&by, &words)));
        signs.extend(messages(status).iter().flat_map(|message| of(&by, message)));
    }
    signs
}

fn of_event(event: &Event) -> Vec<Sign> {
    of(&objects::involved(event), &objects::event_line(event))
}

/// Returns a sign for each line.
fn of(by: &str, text: &str) -> Vec<Sign> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| Sign { by: by.to_owned(), line: line.to_owned() }).collect()
}

/// Returns the messages in a container's states.
fn messages(status: &ContainerStatus) -> Vec<String> {
    let of = |state: &ContainerState| {
        let waiting = state.waiting.as_ref().and_then(|waiting| waiting.message.clone());
        [waiting, state.terminated.as_ref().and_then(|ended| ended.message.clone())]
    };
    let states = [status.state.as_ref(), status.last_state.as_ref()];
    states.into_iter().flatten().flat_map(of).flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pods_state_is_searched_but_not_its_names() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": "server-absent" },
            "status": {
                "phase": "Failed", "reason": "Evicted", "message": "the node was low on memory",
                "containerStatuses": [{
                    "name": "lost", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                    "state": { "waiting": { "reason": "CreateContainerConfigError", "message": "secret \"db\" not found" } },
                }],
            },
        }))
        .unwrap();
        let signs = states(&pod);
        for words in ["Evicted", "low on memory", "CreateContainerConfigError", "secret \"db\" not found"] {
            assert!(contain(&signs, words), "{words}");
        }
        assert!(!contain(&signs, "absent"), "the pod's name");
        assert!(!contain(&signs, "lost"), "the container's name");
        assert!(list(&signs).contains("Pod/server-absent, container lost: CreateContainerConfigError"));
    }
}
