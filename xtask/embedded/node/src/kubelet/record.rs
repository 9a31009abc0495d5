//! What the kubelet records about each container of a pod: its runs, and why it does not run.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateTerminated, ContainerStateWaiting, ContainerUser, PodSpec,
};
use runtime::Exit;
use tokio::sync::{SetOnce, watch};
use tokio::task::JoinHandle;

use super::time;

/// Which of a pod's lists a container is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContainerRole {
    Init,
    Main,
    Ephemeral,
}

impl ContainerRole {
    /// Returns the name of the list.
    pub fn list(self) -> &'static str {
        match self {
            Self::Init => "initContainers",
            Self::Main => "containers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

/// Returns the ephemeral containers of a pod as containers.
pub(super) fn ephemeral(spec: &PodSpec) -> Vec<Container> {
    let all = spec.ephemeral_containers.iter().flatten();
    all.map(|ephemeral| Container {
        name: ephemeral.name.clone(),
        image: ephemeral.image.clone(),
        command: ephemeral.command.clone(),
        args: ephemeral.args.clone(),
        working_dir: ephemeral.working_dir.clone(),
        env: ephemeral.env.clone(),
        env_from: ephemeral.env_from.clone(),
        volume_mounts: ephemeral.volume_mounts.clone(),
        image_pull_policy: ephemeral.image_pull_policy.clone(),
        security_context: ephemeral.security_context.clone(),
        termination_message_path: ephemeral.termination_message_path.clone(),
        termination_message_policy: ephemeral.termination_message_policy.clone(),
        stdin: ephemeral.stdin,
        stdin_once: ephemeral.stdin_once,
        tty: ephemeral.tty,
        ..Container::default()
    })
    .collect()
}

/// The containers of a pod by name.
pub(super) type ContainerRecords = BTreeMap<String, ContainerRecord>;

/// One container of a pod.
#[derive(Default)]
pub(super) struct ContainerRecord {
    /// The latest run, in progress or ended.
    pub current: Option<ContainerRun>,
    /// How the run before that ended.
    pub previous: Option<RunEnd>,
    /// Why the last attempt to start it failed; `None` once an attempt succeeds.
    pub refusal: Option<WaitingReason>,
}

/// Why a container does not run: `ImagePullBackOff` and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WaitingReason {
    pub reason: &'static str,
    pub message: String,
}

/// One start of a container.
pub(super) struct ContainerRun {
    pub attempt: u32,
    pub id: String,
    /// Reference and id of the image as the runtime resolved them.
    pub image: (String, String),
    pub user: Option<ContainerUser>,
    pub started_at: DateTime<Utc>,
    /// `None` if the program could not even be started.
    pub container: Option<runtime::Container>,
    pub ended: Arc<SetOnce<RunEnd>>,
    pub health: watch::Sender<Health>,
    /// The tasks that wait for the end and probe the container; they stop when the run is dropped.
    #[expect(dead_code, reason = "kept only to be dropped with the run")]
    pub tasks: Tasks,
}

/// The current results of the probes of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Health {
    pub started: bool,
    pub ready: bool,
    /// The probe that condemned the container: `liveness` or `startup`.
    pub failed: Option<&'static str>,
    /// The grace period in seconds, if the probe sets one.
    pub grace_s: Option<i64>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub(super) struct RunEnd {
    pub state: ContainerStateTerminated,
    /// The exact time: back-off is counted from it.
    pub finished_at: DateTime<Utc>,
}

/// Tasks that end with their owner.
#[derive(Default)]
pub(super) struct Tasks(pub Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl ContainerRun {
    /// Returns the container if it runs.
    pub fn running(&self) -> Option<&runtime::Container> {
        self.container.as_ref().filter(|_| self.ended.get().is_none())
    }
}

impl ContainerRecord {
    /// Returns the running container, if there is one.
    pub fn running(&self) -> Option<&runtime::Container> {
        self.current.as_ref()?.running()
    }

    /// Returns how the latest run ended, or `None` while it is in progress or if there was none.
    pub fn ended(&self) -> Option<&RunEnd> {
        self.current.as_ref()?.ended.get()
    }

    /// Returns the number of the next run.
    pub fn next_attempt(&self) -> u32 {
        self.current.as_ref().map_or(0, |run| run.attempt + 1)
    }

    /// Starts a new run.
    pub fn begin(&mut self, run: ContainerRun) {
        self.previous = self.current.take().and_then(|run| run.ended.get().cloned());
        self.current = Some(run);
    }

    /// Returns whether a stopped container should be started (again).
    pub fn wants_start(&self, policy: &str) -> bool {
        match (&self.current, self.ended()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(ended)) => match policy {
                "Never" => false,
                "OnFailure" => ended.state.exit_code != 0,
                _ => true,
            },
        }
    }
}

impl RunEnd {
    /// Returns how a container ended, in the API's terms.
    pub fn new(id: &str, exit: &Exit, message: Option<String>) -> Self {
        let reason = match exit.code {
            _ if exit.oom_killed => "OOMKilled",
            0 => "Completed",
            _ => "Error",
        };
        let state = ContainerStateTerminated {
            container_id: Some(format!("containerd://{id}")),
            exit_code: exit.code,
            reason: Some(reason.to_owned()),
            message,
            started_at: Some(time::of(exit.started_at)),
            finished_at: Some(time::of(exit.finished_at)),
            signal: None,
        };
        Self { state, finished_at: exit.finished_at }
    }

    /// Returns the end of a container whose program could not be started.
    pub fn never_started(id: &str, message: String) -> Self {
        let state = ContainerStateTerminated {
            container_id: Some(format!("containerd://{id}")),
            exit_code: 128,
            reason: Some("StartError".to_owned()),
            message: Some(message),
            started_at: Some(time::of(DateTime::UNIX_EPOCH)),
            finished_at: Some(time::of(Utc::now())),
            signal: None,
        };
        Self { state, finished_at: Utc::now() }
    }

    pub fn to_state(&self) -> ContainerState {
        ContainerState { terminated: Some(self.state.clone()), ..ContainerState::default() }
    }
}

impl WaitingReason {
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    pub fn to_state(&self) -> ContainerState {
        let message = (!self.message.is_empty()).then(|| self.message.clone());
        let waiting = ContainerStateWaiting { reason: Some(self.reason.to_owned()), message };
        ContainerState { waiting: Some(waiting), ..ContainerState::default() }
    }
}

pub(super) use resources::pod_requests::is_sidecar;
