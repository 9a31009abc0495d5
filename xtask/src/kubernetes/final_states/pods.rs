//! Final states of pods: images, containers, placement, volumes.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use super::Sighting;
use super::view::View;
use crate::kubernetes::objects;

/// The end of a container that is final: it had its chances.
pub const ENDS: i32 = 3;

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
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let condition = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
        let message = condition.message.as_deref().unwrap_or("");
        // A young node has taints; since 1.35 the scheduler does not say which.
        let passes = ["untolerated taint", "no nodes available", "unbound immediate PersistentVolumeClaims"];
        if condition.reason.as_deref() != Some("Unschedulable") || passes.iter().any(|word| message.contains(word)) {
            return None;
        }
        let object = format!("Pod/{}", pod.name_any());
        let sentence = format!("{object} fits on no node: {message}");
        Some(Sighting::of(object, sentence))
    };
    view.pods().filter_map(sight).collect()
}

pub fn unmounted(view: &View<'_>) -> Vec<Sighting> {
    let sight = |pod: &Pod| {
        let creating = objects::containers(pod).any(|status| {
            let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
            waiting.is_some_and(|w| matches!(w.reason.as_deref(), Some("ContainerCreating" | "PodInitializing")))
        });
        let started = objects::containers(pod).any(|status| status.container_id.is_some());
        let failed = view.last_event(pod, "Pod", &["FailedMount", "FailedAttachVolume"])?;
        let object = format!("Pod/{}", pod.name_any());
        let why = failed.message.as_deref().unwrap_or("a volume can't be mounted");
        let sentence = format!("{object} can't start: {why}");
        (creating && !started).then(|| Sighting::of(object, sentence))
    };
    view.pods().filter_map(sight).collect()
}

/// Pods of jobs may fail: the job counts how often.
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
            let told = if message.is_empty() { reason.to_owned() } else { format!("{reason}, {message}") };
            let sentence =
                format!("{object} can't start: container {} with image {}: {told}", status.name, status.image);
            let container = Some(status.name.clone());
            matches(reason, message).then(|| Sighting { container, ..Sighting::of(object.clone(), sentence) })
        })
    };
    view.pods().filter_map(sight).collect()
}

/// A back-off says what it backs off from: that is worth telling, and the same before and after.
fn cause<'a>(reason: &'a str, message: &'a str) -> (&'a str, &'a str) {
    let behind = message.strip_prefix("Back-off pulling image").and_then(|rest| rest.split_once(": ErrImagePull: "));
    behind.map_or((reason, message), |(_, error)| ("ErrImagePull", error))
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

/// A container that is starting again has its chance.
fn ended_often(status: &ContainerStatus) -> Option<String> {
    let state = status.state.as_ref()?;
    let backs_off = state.waiting.as_ref().is_some_and(|w| w.reason.as_deref() == Some("CrashLoopBackOff"));
    let crashed = state.terminated.as_ref().is_some_and(|ended| ended.exit_code != 0);
    if status.restart_count + 1 < ENDS || !(backs_off || crashed) {
        return None;
    }
    let last = state.terminated.as_ref().or_else(|| status.last_state.as_ref()?.terminated.as_ref());
    let how = last.map_or_else(String::new, |ended| {
        format!(", last with exit code {} ({})", ended.exit_code, ended.reason.as_deref().unwrap_or("no reason given"))
    });
    Some(format!("container {} ended {} times{how}", status.name, status.restart_count + 1))
}
