//! What a release shows of why it does not run: states, events and logs of its pods, as one text to look for words in.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use crate::kubernetes::{logs, objects};
use crate::placed::Placed;

/// Log lines of each container that are looked at.
const LINES: i64 = 50;

/// The line that has these words, in what `helm` said or the release shows; all of it where none has.
pub async fn find(client: &kube::Client, placed: &Placed, helm: &str, words: &str) -> Result<String, String> {
    let signs = format!("{helm}\n{}", of_release(client, placed).await);
    match signs.lines().find(|line| line.contains(words)) {
        Some(line) => Ok(line.trim().to_owned()),
        None => Err(signs.trim().to_owned()),
    }
}

/// Everything about all pods of a release, and about what was to make them.
async fn of_release(client: &kube::Client, placed: &Placed) -> String {
    let mut signs = Vec::new();
    for pod in placed.pods() {
        signs.push(of_pod(client, placed, &pod).await);
    }
    let state = placed.watch.state();
    let own = |kind: &str, name: &str| {
        let about = state.events.values().filter(|event| {
            let object = objects::involved(event);
            // A ReplicaSet is called after its Deployment.
            object == format!("{kind}/{name}") || object.starts_with(&format!("ReplicaSet/{name}-"))
        });
        about.map(objects::event_line).collect::<Vec<_>>()
    };
    signs.extend(placed.with_pods().into_iter().flat_map(|(kind, name)| own(kind, name)));
    signs.join("\n")
}

/// Everything about a pod.
pub async fn of_pod(client: &kube::Client, placed: &Placed, pod: &Pod) -> String {
    let name = pod.name_any();
    let mut signs = vec![format!("Pod/{name} {}", objects::pod_line(pod))];
    signs.extend(objects::containers(pod).flat_map(messages));
    {
        let state = placed.watch.state();
        signs.extend(state.events_about(&format!("Pod/{name}")).into_iter().map(objects::event_line));
    }
    let begun = |status: &&ContainerStatus| status.container_id.is_some() || status.restart_count > 0;
    for status in objects::containers(pod).filter(begun) {
        // A container that is just being replaced has no log to read; the next look finds it.
        if let Ok(log) = logs::tail(client, placed.watch.namespace(), &name, &status.name, LINES).await {
            signs.extend(log.lines().map(|line| format!("{}: {line}", status.name)));
        }
    }
    signs.join("\n")
}

/// What a container's states say.
fn messages(status: &ContainerStatus) -> Vec<String> {
    let of = |state: &k8s_openapi::api::core::v1::ContainerState| {
        let waiting = state.waiting.as_ref().and_then(|waiting| waiting.message.clone());
        [waiting, state.terminated.as_ref().and_then(|ended| ended.message.clone())]
    };
    let states = [status.state.as_ref(), status.last_state.as_ref()];
    states.into_iter().flatten().flat_map(of).flatten().collect()
}
