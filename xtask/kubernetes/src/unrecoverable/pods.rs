//! Unrecoverable states of pods: images, containers, scheduling, the failure of a pod that nothing replaces.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Event, Pod};
use kube::ResourceExt;

use super::Sighting;
use super::view::{self, View};
use crate::objects;

/// The number of a container's exits after which it is unrecoverable.
pub const ENDS: i32 = 3;
/// A container that ran this long had started: its exit is not a failure to start, however often it exited before.
const UP: Duration = Duration::from_secs(60);

pub fn image_never_pulled(view: &View<'_>) -> Vec<Sighting> {
    waiting(view, |reason, _| matches!(reason, "ErrImageNeverPull" | "InvalidImageName"))
}

pub fn image_missing(view: &View<'_>) -> Vec<Sighting> {
    waiting(view, |reason, message| is_pull(reason) && is_definite(message))
}

pub fn image_unreachable(view: &View<'_>) -> Vec<Sighting> {
    waiting(view, |reason, message| is_pull(reason) && !is_definite(message))
}

pub fn config_refused(view: &View<'_>) -> Vec<Sighting> {
    waiting(view, |reason, message| is_config_error(reason) && message.contains("runAsNonRoot"))
}

pub fn config_missing(view: &View<'_>) -> Vec<Sighting> {
    waiting(view, |reason, message| is_config_error(reason) && !message.contains("runAsNonRoot"))
}

pub fn init_fails(view: &View<'_>) -> Vec<Sighting> {
    each_container(view, objects::init_containers, |status| Some(format!("init {}", ended_often(status)?)))
}

pub fn crash_loop(view: &View<'_>) -> Vec<Sighting> {
    each_container(view, objects::main_containers, ended_often)
}

pub fn unschedulable(view: &View<'_>) -> Vec<Sighting> {
    let sight = |pod: &Pod| {
        let condition = objects::condition(pod, "PodScheduled").filter(|condition| condition.status == "False")?;
        let message = condition.message.as_deref().unwrap_or("");
        // A new node has taints; since 1.35 the scheduler does not name them.
        let passes = ["untolerated taint", "no nodes available", "unbound immediate PersistentVolumeClaims"];
        if condition.reason.as_deref() != Some("Unschedulable") || passes.iter().any(|word| message.contains(word)) {
            return None;
        }
        let object = format!("Pod/{}", pod.name_any());
        // The reasons of cluster-autoscaler and of Karpenter.
        let autoscaler = view.last_event(pod, "Pod", &["TriggeredScaleUp", "Nominated", "NotTriggerScaleUp"]);
        let refuses = |event: &&Event| view::reason(event) == "NotTriggerScaleUp";
        let refused = autoscaler.filter(refuses).map(|event| format!("; autoscaler: {}", view::message(event)));
        let on_hold = autoscaler.is_some() && refused.is_none();
        let sentence = format!("{object} can't be scheduled: {message}{}", refused.unwrap_or_default());
        Some(Sighting { on_hold, ..Sighting::of(object, sentence) })
    };
    view.pods().filter_map(sight).collect()
}

/// A failed pod of the release that nothing recreates.
pub fn ended(view: &View<'_>) -> Vec<Sighting> {
    let bare = |pod: &&Pod| pod.owner_references().is_empty() && !view::is_hook(*pod);
    let helms = |pod: &&Pod| pod.annotations().contains_key("meta.helm.sh/release-name");
    let sight = |pod: &Pod| {
        let object = format!("Pod/{}", pod.name_any());
        let sentence = format!("{object} failed, and nothing recreates it: {}", objects::failure(pod)?);
        let failed = objects::containers(pod).find(|status| ended_badly(status)).map(|status| status.name.clone());
        Some(Sighting { container: failed, ..Sighting::of(object, sentence) })
    };
    view.pods().filter(bare).filter(helms).filter_map(sight).collect()
}

fn ended_badly(status: &ContainerStatus) -> bool {
    let ended = status.state.as_ref().and_then(|state| state.terminated.as_ref());
    ended.is_some_and(|ended| ended.exit_code != 0)
}

/// Skips pods of jobs, which may fail: the job counts how often.
fn each_container<'a, I: Iterator<Item = &'a ContainerStatus>>(
    view: &View<'a>,
    containers: fn(&'a Pod) -> I,
    judge: fn(&ContainerStatus) -> Option<String>,
) -> Vec<Sighting> {
    let sight = |pod: &'a Pod| {
        let object = format!("Pod/{}", pod.name_any());
        containers(pod).find_map(|status| {
            let sentence = format!("{object} can't start: {}", judge(status)?);
            Some(Sighting { container: Some(status.name.clone()), ..Sighting::of(object.clone(), sentence) })
        })
    };
    view.pods().filter(|pod| objects::controller(*pod, "Job").is_none()).filter_map(sight).collect()
}

fn waiting(view: &View<'_>, matches: fn(&str, &str) -> bool) -> Vec<Sighting> {
    let sight = |pod: &Pod| {
        let object = format!("Pod/{}", pod.name_any());
        objects::containers(pod).find_map(|status| {
            let waiting = status.state.as_ref()?.waiting.as_ref()?;
            let (reason, message) = cause(waiting.reason.as_deref()?, waiting.message.as_deref().unwrap_or(""));
            let cause =
                if message.is_empty() { reason.to_owned() } else { format!("{reason}, {}", innermost(message)) };
            let sentence =
                format!("{object} can't start: {cause} (container {} with image {})", status.name, status.image);
            let container = Some(status.name.clone());
            let on_hold = is_pull(reason) && is_pulling(view, pod, &status.name);
            matches(reason, message).then(|| Sighting { container, on_hold, ..Sighting::of(object.clone(), sentence) })
        })
    };
    view.pods().filter_map(sight).collect()
}

/// Returns whether a container's image is being pulled again: its state shows the last failure until the pull ends.
fn is_pulling(view: &View<'_>, pod: &Pod, container: &str) -> bool {
    let field = format!("ontainers{{{container}}}");
    let of_container =
        |event: &&Event| event.involved_object.field_path.as_deref().is_some_and(|path| path.ends_with(&field));
    let mut last = view.events(pod, "Pod").filter(of_container).map(view::reason);
    last.rfind(|reason| matches!(*reason, "Pulling" | "Pulled" | "Failed" | "BackOff")) == Some("Pulling")
}

/// Returns the reason and the message of the error behind a back-off, which is the same before and after it.
fn cause<'a>(reason: &'a str, message: &'a str) -> (&'a str, &'a str) {
    let behind = message.strip_prefix("Back-off pulling image").and_then(|rest| rest.split_once(": ErrImagePull: "));
    behind.map_or((reason, message), |(_, error)| ("ErrImagePull", error))
}

/// Returns an error of a pull without the words of those that pass it on: each names the image again.
fn innermost(message: &str) -> &str {
    let names_image = ["failed to pull and unpack image \"", "failed to resolve reference \""];
    let inner = if message.starts_with("rpc error: ") {
        message.split_once("desc = ")
    } else if names_image.iter().any(|outer| message.starts_with(outer)) {
        message.split_once("\": ")
    } else {
        None
    };
    inner.map_or(message, |(_, inner)| innermost(inner))
}

fn is_pull(reason: &str) -> bool {
    matches!(reason, "ErrImagePull" | "ImagePullBackOff")
}

/// Returns whether the registry responded, and the response will not change.
fn is_definite(message: &str) -> bool {
    let words =
        ["not found", "manifest unknown", "denied", "unauthorized", "no match for platform", "invalid reference"];
    words.iter().any(|word| message.contains(word)) && !message.contains("no such host")
}

fn is_config_error(reason: &str) -> bool {
    matches!(reason, "CreateContainerConfigError" | "CreateContainerError")
}

/// Returns a description if a container has exited too often. A container that is starting again still has a chance.
fn ended_often(status: &ContainerStatus) -> Option<String> {
    let state = status.state.as_ref()?;
    let backs_off = state.waiting.as_ref().is_some_and(|w| w.reason.as_deref() == Some("CrashLoopBackOff"));
    let crashed = state.terminated.as_ref().is_some_and(|ended| ended.exit_code != 0);
    if status.restart_count + 1 < ENDS || !(backs_off || crashed) {
        return None;
    }
    let last = state.terminated.as_ref().or_else(|| status.last_state.as_ref()?.terminated.as_ref());
    if last.is_some_and(was_up) {
        return None;
    }
    let how = last.map_or_else(String::new, |ended| format!(", last with {}", objects::exit(ended)));
    Some(format!("container {} ended {} times{how}", status.name, status.restart_count + 1))
}

/// Returns whether a container had started before it exited.
fn was_up(ended: &ContainerStateTerminated) -> bool {
    let times = ended.finished_at.as_ref().zip(ended.started_at.as_ref());
    let ran_s = times.map(|(finished, started)| finished.0.as_second() - started.0.as_second());
    ran_s.and_then(|ran_s| u64::try_from(ran_s).ok()).is_some_and(|ran_s| ran_s >= UP.as_secs())
}
