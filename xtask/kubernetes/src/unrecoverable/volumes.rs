//! Unrecoverable states of volumes: claims that are not provisioned, volumes that can't be attached or mounted.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::ResourceExt;

use super::Sighting;
use super::view::{self, View};
use crate::objects;

/// The reasons of events about a pending claim; the last event counts.
const OF_CLAIMS: [&str; 7] = [
    "FailedBinding",
    "ProvisioningFailed",
    "ExternalProvisioning",
    "WaitForFirstConsumer",
    "WaitForPodScheduled",
    "Provisioning",
    "ProvisioningSucceeded",
];
/// The reasons of kubelet's events that occur only once all volumes of a pod are mounted.
const AFTER_MOUNTS: [&str; 7] =
    ["Pulling", "Pulled", "Created", "Started", "Failed", "BackOff", "FailedCreatePodSandBox"];

pub fn claim_without_class(view: &View<'_>) -> Vec<Sighting> {
    claims(view, |claim| {
        let last = view.last_event(claim, CLAIM, &OF_CLAIMS)?;
        (view::reason(last) == "FailedBinding" || lacks_class(last)).then_some((last, false))
    })
}

pub fn claim_unprovisioned(view: &View<'_>) -> Vec<Sighting> {
    claims(view, |claim| {
        let last = view.last_event(claim, CLAIM, &OF_CLAIMS)?;
        // A provisioner emits one event when it starts; those that wait for it emit theirs again and again.
        let provisioner =
            view.last_event(claim, CLAIM, &["Provisioning", "ProvisioningSucceeded", "ProvisioningFailed"]);
        let works = provisioner.is_some_and(|event| view::reason(event) != "ProvisioningFailed");
        let waits = match view::reason(last) {
            "ProvisioningFailed" => !lacks_class(last),
            "ExternalProvisioning" | "Provisioning" | "ProvisioningSucceeded" => true,
            _ => false,
        };
        waits.then_some((last, works))
    })
}

const CLAIM: &str = "PersistentVolumeClaim";

fn lacks_class(event: &Event) -> bool {
    view::reason(event) == "ProvisioningFailed" && view::message(event).contains("not found")
}

/// Returns the pending claims for which `judge` returns an event with the cause, and whether they have another chance.
fn claims<'a>(
    view: &View<'a>,
    judge: impl Fn(&'a PersistentVolumeClaim) -> Option<(&'a Event, bool)>,
) -> Vec<Sighting> {
    let sight = |claim: &'a PersistentVolumeClaim| {
        let (last, on_hold) = judge(claim).filter(|_| objects::claim_line(claim) == "Pending")?;
        let object = format!("{CLAIM}/{}", claim.name_any());
        let sentence = format!("{object} is not provisioned: {}", view::message(last));
        Some(Sighting { on_hold, ..Sighting::of(object, sentence) })
    };
    view.state.claims.values().filter_map(sight).collect()
}

pub fn unattached(view: &View<'_>) -> Vec<Sighting> {
    view.pods().filter_map(|pod| cant_start(pod, failing(view, pod, "FailedAttachVolume")?)).collect()
}

pub fn unmounted(view: &View<'_>) -> Vec<Sighting> {
    let sight = |pod| {
        // The mount also fails while a volume is not attached.
        let is_attached = failing(view, pod, "FailedAttachVolume").is_none();
        cant_start(pod, failing(view, pod, "FailedMount").filter(|_| is_attached)?)
    };
    view.pods().filter_map(sight).collect()
}

fn cant_start(pod: &Pod, failed: &Event) -> Option<Sighting> {
    let creating = objects::containers(pod).any(|status| {
        let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
        waiting.is_some_and(|w| matches!(w.reason.as_deref(), Some("ContainerCreating" | "PodInitializing")))
    });
    let started = objects::containers(pod).any(|status| status.container_id.is_some());
    // The sandbox is created once everything is mounted.
    let mounted = objects::condition(pod, "PodReadyToStartContainers").is_some_and(|ready| ready.status == "True");
    let object = format!("Pod/{}", pod.name_any());
    let sentence =
        format!("{object} can't start: {}", failed.message.as_deref().unwrap_or("a volume can't be mounted"));
    (creating && !started && !mounted).then(|| Sighting::of(object, sentence))
}

/// Returns the last failure of this kind that nothing newer contradicts: since then, the volume has not been attached, and
/// no step after mounting has been taken.
fn failing<'a>(view: &View<'a>, pod: &Pod, reason: &str) -> Option<&'a Event> {
    let mut failing = BTreeMap::new();
    for (at, event) in view.events(pod, "Pod").enumerate() {
        match view::reason(event) {
            other if other == reason => drop(failing.insert(volume(event), (at, event))),
            "SuccessfulAttachVolume" if reason == "FailedAttachVolume" => drop(failing.remove(&volume(event))),
            other if AFTER_MOUNTS.contains(&other) => failing.clear(),
            _ => {}
        }
    }
    failing.into_values().max_by_key(|(at, _)| *at).map(|(_, event)| event)
}

/// Returns the volume named in an event: `AttachVolume.Attach failed for volume "pvc-1" : …`.
fn volume(event: &Event) -> &str {
    let after = view::message(event).split_once("volume \"").map(|(_, after)| after);
    after.and_then(|after| after.split('"').next()).unwrap_or_default()
}
