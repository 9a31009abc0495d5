//! The lines below the first sentence of a failure: the object, its last events and log lines, and the command that
//! shows more.

use kube::ResourceExt;

use super::context::CaseContext;
use crate::deployed_topology::DeployedTopology;
use kubernetes::unrecoverable::Sighting;
use kubernetes::wait::WaitFailed;
use kubernetes::watch::Watch;
use kubernetes::{logs, objects};
use process::{CommandError, quote_line};

/// The number of events and log lines that are shown.
const LINES: usize = 8;

/// Returns the message of a failed case.
pub async fn message(cx: &CaseContext, error: &anyhow::Error) -> String {
    let mut first = format!("{error:#}");
    let Ok(deployed) = cx.deployed() else { return first };
    let failed_wait = error.downcast_ref::<WaitFailed>();
    let watch = watch_of(&deployed, failed_wait);
    logs::learn_secrets(&deployed.client, watch.namespace()).await;
    let mut sighting = failed_wait.and_then(|failed_wait| failed_wait.sighting.clone());
    if let Some(failed) = hook_behind(cx, &watch, error).await {
        first = format!("{}\n{first}", failed.sentence);
        sighting = Some(failed);
    }
    let (object, container) = match sighting {
        Some(Sighting { object, pod, container, .. }) => (pod.map_or(object, |pod| format!("Pod/{pod}")), container),
        None => match unready(&deployed) {
            Some(found) if failed_wait.is_some() => found,
            _ => return first,
        },
    };
    let has_ended = container.is_some() && failed_wait.is_some_and(|failed_wait| failed_wait.sighting.is_some());
    let (log, about) = about(&deployed, &watch, &object, container.as_deref()).await;
    let last_words = log.lines().rfind(|line| !line.trim().is_empty()).filter(|_| has_ended);
    first.extend(last_words.map(|line| format!("; log: {line}")));
    std::iter::once(first).chain(about).collect::<Vec<_>>().join("\n")
}

/// Returns the hook that made helm fail, if any.
async fn hook_behind(cx: &CaseContext, watch: &Watch, error: &anyhow::Error) -> Option<Sighting> {
    error.downcast_ref::<CommandError>()?;
    cx.wait.failed_hook(watch).await
}

/// Returns the watch of the namespace in which a wait failed, or else that of the release under test.
fn watch_of(deployed: &DeployedTopology, failed_wait: Option<&WaitFailed>) -> Watch {
    let of = |failed_wait: &WaitFailed| {
        deployed.watches().into_iter().find(|watch| watch.namespace() == failed_wait.namespace)
    };
    failed_wait.and_then(of).unwrap_or_else(|| deployed.watch.clone())
}

/// Returns the first replica that is not ready, and its container that is not ready.
fn unready(deployed: &DeployedTopology) -> Option<(String, Option<String>)> {
    let pod = deployed.replicas().into_iter().find(|pod| !objects::is_ready(pod))?;
    let waiting = objects::containers(&pod).find(|status| !status.ready && status.container_id.is_some());
    Some((format!("Pod/{}", pod.name_any()), waiting.map(|status| status.name.clone())))
}

/// Returns the end of the container's log, and the lines about the object.
async fn about(
    deployed: &DeployedTopology,
    watch: &Watch,
    object: &str,
    container: Option<&str>,
) -> (String, Vec<String>) {
    let (mut log, mut lines) = (String::new(), Vec::new());
    let (kind, name) = object.split_once('/').unwrap_or(("", object));
    let events: Vec<_> = {
        let seen = watch.state();
        lines.extend(seen.pods.get(name).map(|pod| format!("  {object}: {}", objects::pod_line(pod))));
        seen.events_about(object).iter().map(|event| objects::event_line(event)).collect()
    };
    lines.extend(events.iter().skip(events.len().saturating_sub(LINES)).map(|event| format!("  event: {event}")));
    if let Some(container) = container.filter(|_| kind == "Pod") {
        let count = i64::try_from(LINES).unwrap_or(i64::MAX);
        match logs::tail(&deployed.client, watch.namespace(), name, container, count).await {
            Ok(found) => {
                lines.extend(found.lines().map(|line| format!("  log of {container}: {line}")));
                log = found;
            }
            Err(error) => lines.push(format!("  log of {container}: {error:#}")),
        }
    }
    lines.push(format!(
        "  for more, with --keep: {}",
        describe(deployed, watch.namespace(), &kind.to_lowercase(), name)
    ));
    (log, lines)
}

fn describe(deployed: &DeployedTopology, namespace: &str, kind: &str, name: &str) -> String {
    let kubeconfig = deployed.helm.kubeconfig.display().to_string();
    let words = [
        "kubectl",
        "--kubeconfig",
        &kubeconfig,
        "--context",
        &deployed.helm.context,
        "--namespace",
        namespace,
        "describe",
        kind,
        name,
    ];
    quote_line(words.map(str::to_owned))
}
