//! A pod's whole status, computed from the kubelet's records of it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use chrono::Utc;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStatus, HostIP, Pod, PodIP, PodSpec, PodStatus,
    ResourceRequirements, VolumeMountStatus,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::conditions::{ConditionInput, conditions};
use super::record::{
    self, ContainerRecord, ContainerRecords, ContainerRole, ContainerRun, RunEnd, WaitingReason, is_sidecar,
};
use super::{phase, qos, time};
use resources::quantity;

/// The input for a status.
pub(super) struct StatusInput<'a> {
    pub pod: &'a Pod,
    pub records: &'a ContainerRecords,
    /// The pod's address, shown as soon as the start of a container was attempted.
    pub ip: Option<Ipv4Addr>,
    pub host_ip: Ipv4Addr,
    pub has_sandbox: bool,
    /// Whether the pod is being stopped: no container is started again.
    pub stopping: bool,
    /// Whether all of it has ended and is removed: only now may the phase be a final one.
    pub stopped: bool,
    /// Why the kubelet itself ended the pod: reason and message of the status.
    pub verdict: Option<(&'static str, &'static str)>,
}

/// Returns the resulting status.
pub(super) fn status(view: &StatusInput) -> PodStatus {
    let none = PodSpec::default();
    let spec = view.pod.spec.as_ref().unwrap_or(&none);
    let init: Vec<_> =
        spec.init_containers.iter().flatten().map(|c| container_status(view, spec, c, ContainerRole::Init)).collect();
    let main: Vec<_> = spec.containers.iter().map(|c| container_status(view, spec, c, ContainerRole::Main)).collect();
    let added = record::ephemeral(spec);
    let added: Vec<_> = added.iter().map(|c| container_status(view, spec, c, ContainerRole::Ephemeral)).collect();
    let reached = if view.verdict.is_some() { "Failed" } else { phase::phase(spec, &init, &main, view.stopping) };
    let conditions = conditions(&ConditionInput {
        pod: view.pod,
        phase: reached,
        init: &init,
        main: &main,
        has_sandbox: view.has_sandbox,
    });
    let stored = view.pod.status.as_ref();
    PodStatus {
        observed_generation: view.pod.metadata.generation,
        phase: Some(shown_phase(view, reached)),
        reason: view.verdict.map(|(reason, _)| reason.to_owned()),
        message: view.verdict.map(|(_, message)| message.to_owned()),
        conditions: Some(conditions),
        host_ip: Some(view.host_ip.to_string()),
        host_ips: Some(vec![HostIP { ip: view.host_ip.to_string() }]),
        pod_ip: view.ip.map(|ip| ip.to_string()),
        pod_ips: view.ip.map(|ip| vec![PodIP { ip: ip.to_string() }]),
        start_time: stored.and_then(|s| s.start_time.clone()).or_else(|| Some(time::of(Utc::now()))),
        init_container_statuses: (!init.is_empty()).then_some(init),
        container_statuses: Some(main),
        ephemeral_container_statuses: (!added.is_empty()).then_some(added),
        qos_class: Some(qos::class(spec).to_owned()),
        allocated_resources: sum(spec, |r| r.requests.as_ref().or(r.limits.as_ref())),
        resources: Some(ResourceRequirements {
            limits: sum(spec, |r| r.limits.as_ref()),
            requests: sum(spec, |r| r.requests.as_ref().or(r.limits.as_ref())),
            claims: None,
        }),
        ..PodStatus::default()
    }
}

/// Returns the phase to show: a pod whose containers have ended shows it only when its sandbox is gone, too.
fn shown_phase(view: &StatusInput, reached: &str) -> String {
    let before = view.pod.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or("Pending");
    match (reached, view.stopped) {
        ("Succeeded" | "Failed", false) => before.to_owned(),
        // A pod that never ran has not succeeded when it is removed.
        ("Pending" | "Running", true) => "Failed".to_owned(),
        _ => reached.to_owned(),
    }
}

fn container_status(view: &StatusInput, spec: &PodSpec, container: &Container, role: ContainerRole) -> ContainerStatus {
    let none = ContainerRecord::default();
    let record = view.records.get(&container.name).unwrap_or(&none);
    let policy = policy(spec, container, role);
    let refusal = record.refusal.as_ref().filter(|_| !view.stopping && record.wants_start(policy));
    let (state, last_state) = states(record, refusal, spec, view.stopped);
    let run = record.current.as_ref();
    let runs = record.running().is_some();
    let health = run.map(|run| *run.health.borrow()).unwrap_or_default();
    let is_init = role == ContainerRole::Init;
    let completed = is_init && !is_sidecar(container) && record.ended().is_some_and(|e| e.state.exit_code == 0);
    let resources = run.map(|_| effective(container));
    ContainerStatus {
        name: container.name.clone(),
        state: Some(state),
        last_state: Some(last_state),
        ready: completed || (runs && health.started && health.ready && counts_as_ready(container, role)),
        started: (role != ContainerRole::Ephemeral).then_some(runs && health.started),
        restart_count: run.map_or(0, |run| i32::try_from(run.attempt).unwrap_or(i32::MAX)),
        image: run.map_or_else(|| container.image.clone().unwrap_or_default(), |run| run.image.0.clone()),
        image_id: run.map(|run| run.image.1.clone()).unwrap_or_default(),
        container_id: run.map(|run| format!("containerd://{}", run.id)),
        allocated_resources: resources.as_ref().and_then(|r| r.requests.clone()),
        resources,
        user: run.and_then(|run| run.user.clone()),
        volume_mounts: Some(mounts(container)).filter(|mounts| !mounts.is_empty()),
        ..ContainerStatus::default()
    }
}

/// Returns whether a running container can be ready: init containers are when they have completed, ephemeral ones never.
fn counts_as_ready(container: &Container, role: ContainerRole) -> bool {
    role == ContainerRole::Main || (role == ContainerRole::Init && is_sidecar(container))
}

/// Returns when a container is restarted: sidecars always, other init containers until they succeed, ephemeral ones
/// never.
pub(super) fn policy<'a>(spec: &'a PodSpec, container: &Container, role: ContainerRole) -> &'a str {
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    match (role, is_sidecar(container)) {
        (ContainerRole::Ephemeral, _) => "Never",
        (ContainerRole::Init, true) => "Always",
        (ContainerRole::Init, false) if policy == "Always" => "OnFailure",
        _ => policy,
    }
}

/// Returns the state and the last state of a container.
fn states(
    record: &ContainerRecord,
    refusal: Option<&WaitingReason>,
    spec: &PodSpec,
    stopped: bool,
) -> (ContainerState, ContainerState) {
    let last = record.previous.as_ref().map(RunEnd::to_state).unwrap_or_default();
    match (&record.current, refusal) {
        (None, Some(refusal)) => (refusal.to_state(), last),
        (None, None) if stopped => (lost(), last),
        (None, None) => (not_yet(spec).to_state(), last),
        (Some(run), refusal) => match (run.ended.get(), refusal) {
            (None, _) => (running(run), last),
            (Some(ended), Some(refusal)) => (refusal.to_state(), ended.to_state()),
            (Some(ended), None) => (ended.to_state(), last),
        },
    }
}

fn running(run: &ContainerRun) -> ContainerState {
    let running = ContainerStateRunning { started_at: Some(time::of(run.started_at)) };
    ContainerState { running: Some(running), ..ContainerState::default() }
}

fn not_yet(spec: &PodSpec) -> WaitingReason {
    let has_init = spec.init_containers.as_ref().is_some_and(|init| !init.is_empty());
    WaitingReason::new(if has_init { "PodInitializing" } else { "ContainerCreating" }, "")
}

/// Returns the state of a container that never ran in a finished pod.
fn lost() -> ContainerState {
    let message = "The container could not be located when the pod was terminated";
    let terminated = k8s_openapi::api::core::v1::ContainerStateTerminated {
        exit_code: 137,
        reason: Some("ContainerStatusUnknown".to_owned()),
        message: Some(message.to_owned()),
        ..Default::default()
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

fn mounts(container: &Container) -> Vec<VolumeMountStatus> {
    let mounts = container.volume_mounts.iter().flatten();
    let shown = mounts.map(|mount| VolumeMountStatus {
        name: mount.name.clone(),
        mount_path: mount.mount_path.clone(),
        read_only: mount.read_only.filter(|read_only| *read_only),
        recursive_read_only: mount.read_only.filter(|read_only| *read_only).map(|_| "Disabled".to_owned()),
        ..VolumeMountStatus::default()
    });
    shown.collect()
}

/// Returns a container's resources; a limit without a request is also a request.
fn effective(container: &Container) -> ResourceRequirements {
    let resources = container.resources.clone().unwrap_or_default();
    let mut requests = resources.limits.clone().unwrap_or_default();
    requests.extend(resources.requests.unwrap_or_default());
    let requests = Some(requests).filter(|requests| !requests.is_empty());
    ResourceRequirements { limits: resources.limits, requests, claims: None }
}

type Amounts = BTreeMap<String, Quantity>;

/// Returns the total CPU and memory of all main containers, or `None` if no container states any.
fn sum(spec: &PodSpec, side: impl Fn(&ResourceRequirements) -> Option<&Amounts>) -> Option<Amounts> {
    let mut total: BTreeMap<String, Vec<&Quantity>> = BTreeMap::new();
    let amounts = spec.containers.iter().filter_map(|c| c.resources.as_ref()).filter_map(side).flatten();
    for (name, amount) in amounts.filter(|(name, _)| ["cpu", "memory"].contains(&name.as_str())) {
        total.entry(name.clone()).or_default().push(amount);
    }
    let added = total.into_iter().map(|(name, amounts)| (name, quantity::sum(&amounts)));
    let added: Amounts = added.collect();
    (!added.is_empty()).then_some(added)
}
