//! What to show below the first sentence of a failure: the object, its last events and log lines, the
//! command to see more.

use kube::ResourceExt;

use super::context::Cx;
use crate::stage::Stage;
use kubernetes::final_states::Sighting;
use kubernetes::wait::GivenUp;
use kubernetes::watch::Watch;
use kubernetes::{logs, objects};
use process::{CommandError, quote_line};

/// Events and log lines that are shown.
const LINES: usize = 8;

/// The message of a failed case.
pub async fn message(cx: &Cx, error: &anyhow::Error) -> String {
    let mut first = format!("{error:#}");
    let Ok(stage) = cx.stage() else { return first };
    let given_up = error.downcast_ref::<GivenUp>();
    let watch = watch_of(&stage, given_up);
    logs::learn_secrets(&stage.client, watch.namespace()).await;
    let mut sighting = given_up.and_then(|given_up| given_up.sighting.clone());
    if let Some(failed) = hook_behind(cx, &watch, error).await {
        first = format!("{}\n{first}", failed.sentence);
        sighting = Some(failed);
    }
    let (object, container) = match sighting {
        Some(Sighting { object, pod, container, .. }) => (pod.map_or(object, |pod| format!("Pod/{pod}")), container),
        None => match unready(&stage) {
            Some(found) if given_up.is_some() => found,
            _ => return first,
        },
    };
    let about = about(&stage, &watch, &object, container.as_deref()).await;
    std::iter::once(first).chain(about).collect::<Vec<_>>().join("\n")
}

/// The hook that made helm fail.
async fn hook_behind(cx: &Cx, watch: &Watch, error: &anyhow::Error) -> Option<Sighting> {
    error.downcast_ref::<CommandError>()?;
    cx.wait.failed_hook(watch).await
}

/// The namespace in which a wait was given up; else that of the release under test.
fn watch_of(stage: &Stage, given_up: Option<&GivenUp>) -> Watch {
    let of = |given_up: &GivenUp| stage.watches().into_iter().find(|watch| watch.namespace() == given_up.namespace);
    given_up.and_then(of).unwrap_or_else(|| stage.watch.clone())
}

/// The first replica that is not ready, and its application's container.
fn unready(stage: &Stage) -> Option<(String, Option<String>)> {
    let pod = stage.replicas().into_iter().find(|pod| !objects::is_ready(pod))?;
    let waiting = objects::containers(&pod).find(|status| !status.ready && status.container_id.is_some());
    Some((format!("Pod/{}", pod.name_any()), waiting.map(|status| status.name.clone())))
}

async fn about(stage: &Stage, watch: &Watch, object: &str, container: Option<&str>) -> Vec<String> {
    let mut lines = Vec::new();
    let (kind, name) = object.split_once('/').unwrap_or(("", object));
    let events: Vec<_> = {
        let seen = watch.state();
        lines.extend(seen.pods.get(name).map(|pod| format!("  {object}: {}", objects::pod_line(pod))));
        seen.events_about(object).iter().map(|event| objects::event_line(event)).collect()
    };
    lines.extend(events.iter().skip(events.len().saturating_sub(LINES)).map(|event| format!("  event: {event}")));
    if let Some(container) = container.filter(|_| kind == "Pod") {
        let count = i64::try_from(LINES).unwrap_or(i64::MAX);
        match logs::tail(&stage.client, watch.namespace(), name, container, count).await {
            Ok(log) => lines.extend(log.lines().map(|line| format!("  log of {container}: {line}"))),
            Err(error) => lines.push(format!("  log of {container}: {error:#}")),
        }
    }
    lines.push(format!(
        "  see more, where --keep keeps it: {}",
        describe(stage, watch.namespace(), &kind.to_lowercase(), name)
    ));
    lines
}

fn describe(stage: &Stage, namespace: &str, kind: &str, name: &str) -> String {
    let kubeconfig = stage.helm.kubeconfig.display().to_string();
    let words = [
        "kubectl",
        "--kubeconfig",
        &kubeconfig,
        "--context",
        &stage.helm.context,
        "--namespace",
        namespace,
        "describe",
        kind,
        name,
    ];
    quote_line(words.map(str::to_owned))
}
