//! Starts a container: its image, its environment, its mounts, its user, and then the program.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use k8s_openapi::api::core::v1::{Container, LifecycleHandler};
use runtime::{ContainerSpec, Image, Mount, RuntimeError, Sandbox, Security};
use tokio::sync::{SetOnce, watch};
use tokio::time::Instant;

use super::env::{self, Sources};
use super::expand::expand;
use super::probe::{self, Prober, Target};
use super::record::{ContainerRole, ContainerRun, Health, RunEnd, Tasks, WaitingReason};
use super::reporter::Reporter;
use super::service_env::Env;
use super::worker::Worker;
use super::{hooks, security, volumes};
use resources::quantity;

/// The longest termination message in a status.
const MESSAGE_BYTES_MAX: usize = 4096;
/// The grace period of a container whose hook failed.
const CONDEMNED_GRACE: Duration = Duration::from_secs(2);

/// A container ready to be passed to the runtime.
struct PreparedContainer {
    image: Image,
    security: Security,
    spec: ContainerSpec,
    message_file: PathBuf,
}

impl Worker {
    /// Starts a container; returns why it has to wait, if it does.
    pub(super) async fn start(&mut self, container: &Container, role: ContainerRole) -> Result<(), WaitingReason> {
        let Some(sandbox) = self.sandbox.clone() else { return Ok(()) };
        let reporter = self.reporter.of(&container.name, role);
        self.kubelet.images.delay(container, &reporter).await;
        let image = self.kubelet.images.ensure(&self.pod, container, &reporter).inspect_err(|refusal| {
            reporter.warning("Failed", &format!("Error: {}", refusal.reason));
        })?;
        let prepared = self.prepare(container, image).inspect_err(|refusal| {
            reporter.warning("Failed", &format!("Error: {}", refusal.message));
        })?;
        let attempt = prepared.spec.attempt;
        let beside = self.target(container, role)?;
        let started = self.kubelet.runtime.start_container(&sandbox, prepared.spec.clone(), beside).await;
        if !matches!(started, Err(RuntimeError::Create(_))) {
            reporter.normal("Created", "Container created");
        }
        match started {
            Ok(running) => {
                reporter.normal("Started", "Container started");
                self.begin(container, running, &prepared, &reporter);
                self.post_start(container, &sandbox, &reporter).await
            }
            Err(error) => {
                reporter.warning("Failed", &format!("Error: {error}"));
                Err(self.not_started(container, attempt, &prepared, &error))
            }
        }
    }

    /// Returns the container whose processes an ephemeral container is to see, if it names one.
    fn target(&self, container: &Container, role: ContainerRole) -> Result<Option<runtime::Container>, WaitingReason> {
        let all = self.pod.spec.iter().flat_map(|spec| spec.ephemeral_containers.iter().flatten());
        let mut named = all.filter(|_| role == ContainerRole::Ephemeral).filter(|other| other.name == container.name);
        let target =
            named.find_map(|ephemeral| ephemeral.target_container_name.clone()).filter(|name| !name.is_empty());
        let Some(target) = target else { return Ok(None) };
        let running = self.records.get(&target).and_then(|record| record.running()).cloned();
        let why = || format!("cannot target container {target:?}: it is not running");
        running.map(Some).ok_or_else(|| WaitingReason::new("CreateContainerConfigError", why()))
    }

    /// Collects everything that the runtime needs.
    fn prepare(&self, container: &Container, image: Image) -> Result<PreparedContainer, WaitingReason> {
        let refuse = |message: String| WaitingReason::new("CreateContainerConfigError", message);
        let addresses = self.addresses();
        let node = &self.kubelet.capacity;
        let sources = Sources { client: &self.kubelet.client, pod: &self.pod, addresses, node };
        let mut env = env::environment(&sources, container).map_err(refuse)?;
        let no_volumes = volumes::Volumes::default();
        let mut mounts =
            volumes::mounts(self.volumes.as_ref().unwrap_or(&no_volumes), container, &env).map_err(refuse)?;
        let security = security::security(&self.pod, container);
        security::verify_non_root(&self.pod, container, &security, &image)?;
        let attempt = self.records.get(&container.name).map_or(0, super::record::ContainerRecord::next_attempt);
        let message_file = self.message_file(&container.name, attempt).map_err(|error| refuse(error.to_string()))?;
        // containerd sets every container's host name.
        env.entry("HOSTNAME".to_owned()).or_insert_with(|| self.hostname.clone());
        let target = container.termination_message_path.as_deref().unwrap_or("/dev/termination-log");
        mounts.push(Mount { source: message_file.clone(), target: target.into(), ..Mount::default() });
        let spec = ContainerSpec {
            name: container.name.clone(),
            attempt,
            image: image.reference.clone(),
            command: expanded(container.command.as_deref(), &env),
            args: expanded(container.args.as_deref(), &env),
            env,
            working_dir: container.working_dir.clone().filter(|dir| !dir.is_empty()).map(PathBuf::from),
            mounts,
            security: security.clone(),
            log_path: self.kubelet.handle.log_file(&self.pod, &container.name, attempt),
            stdin: container.stdin == Some(true),
            tty: container.tty == Some(true),
            memory_limit_bytes: memory_limit(container),
        };
        Ok(PreparedContainer { image, security, spec, message_file })
    }

    /// Creates the container's termination message file.
    fn message_file(&self, container: &str, attempt: u32) -> std::io::Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let directory = self.directory.join("termination");
        std::fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{container}-{attempt}"));
        std::fs::write(&path, "")?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666))?;
        Ok(path)
    }

    /// Registers a started container: its record, its probes, the task that waits for its end.
    fn begin(
        &mut self,
        container: &Container,
        running: runtime::Container,
        prepared: &PreparedContainer,
        reporter: &Reporter,
    ) {
        let health = watch::Sender::new(probe::initial(container));
        let ended = Arc::new(SetOnce::new());
        let (attempt, started_at) = (prepared.spec.attempt, Utc::now());
        let probes = self.probe(container, &running, &health, reporter);
        let watch = self.watch_end(container, running.clone(), Arc::clone(&ended), prepared, probes);
        let run = ContainerRun {
            attempt,
            id: running.id().to_owned(),
            image: (prepared.image.reference.clone(), prepared.image.id.clone()),
            user: security::user(&prepared.security, &prepared.image),
            started_at,
            container: Some(running),
            ended,
            health,
            tasks: Tasks(vec![watch]),
        };
        let record = self.records.entry(container.name.clone()).or_default();
        record.begin(run);
        record.refusal = None;
        self.wake.notify_one();
    }

    /// Starts the container's probes.
    fn probe(
        &self,
        container: &Container,
        running: &runtime::Container,
        health: &watch::Sender<Health>,
        reporter: &Reporter,
    ) -> Tasks {
        let Some(ip) = self.sandbox.as_ref().map(Sandbox::ip) else { return Tasks::default() };
        let target = Target { container: running.clone(), spec: container.clone(), ip };
        let probers = probe::of(container).map(|(kind, probe)| {
            let prober = Prober {
                kind,
                probe,
                target: target.clone(),
                health: health.clone(),
                reporter: reporter.clone(),
                wake: Arc::clone(&self.wake),
                started_at: Instant::now(),
            };
            tokio::spawn(prober.run())
        });
        Tasks(probers.collect())
    }

    /// Records the container's end as soon as it happens; its probes stop then.
    fn watch_end(
        &self,
        container: &Container,
        running: runtime::Container,
        ended: Arc<SetOnce<RunEnd>>,
        prepared: &PreparedContainer,
        probes: Tasks,
    ) -> tokio::task::JoinHandle<()> {
        let wake = Arc::clone(&self.wake);
        let (file, log) = (prepared.message_file.clone(), prepared.spec.log_path.clone());
        let fall_back = container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
        let name = self.pod.metadata.name.as_deref().unwrap_or_default();
        let starved = self.kubelet.faults.starves(name, &container.name);
        if starved {
            running.signal(nix::libc::SIGKILL);
        }
        tokio::spawn(async move {
            let mut exit = running.wait().await;
            drop(probes);
            exit.oom_killed |= starved;
            let message = last_words(&file).or_else(|| {
                let wanted = fall_back && exit.code != 0;
                wanted.then(|| super::logs::tail(&log, MESSAGE_BYTES_MAX)).flatten()
            });
            let _ = ended.set(RunEnd::new(running.id(), &exit, message));
            wake.notify_one();
        })
    }

    async fn post_start(
        &mut self,
        container: &Container,
        sandbox: &Sandbox,
        reporter: &Reporter,
    ) -> Result<(), WaitingReason> {
        let Some(hook) = container.lifecycle.as_ref().and_then(|l| l.post_start.clone()) else { return Ok(()) };
        let failed = self.run_hook(&hook, container, sandbox).await.err();
        let Some(why) = failed else { return Ok(()) };
        reporter.warning("FailedPostStartHook", "PostStartHook failed");
        reporter.normal("Killing", "FailedPostStartHook");
        self.stop_container(container, CONDEMNED_GRACE, None).await;
        Err(WaitingReason::new("PostStartHookError", why))
    }

    /// Runs a hook, until the pod is to be stopped.
    async fn run_hook(&self, hook: &LifecycleHandler, container: &Container, sandbox: &Sandbox) -> Result<(), String> {
        let running = self.records.get(&container.name).and_then(|record| record.running()).cloned();
        let Some(running) = running else { return Ok(()) };
        let mut orders = self.orders.clone();
        tokio::select! {
            done = hooks::run(hook, container, &running, sandbox.ip()) => done,
            () = super::order::until_deletion(&mut orders) => Ok(()),
        }
    }

    /// Records a container that the runtime could not start. If it was created, this counts as an attempt.
    fn not_started(
        &mut self,
        container: &Container,
        attempt: u32,
        prepared: &PreparedContainer,
        error: &RuntimeError,
    ) -> WaitingReason {
        let RuntimeError::Start(why) = error else {
            return WaitingReason::new("CreateContainerError", error.to_string());
        };
        let id = format!("{:064x}", uuid::Uuid::new_v4().as_u128());
        let ended = Arc::new(SetOnce::new_with(Some(RunEnd::never_started(&id, why.clone()))));
        let run = ContainerRun {
            attempt,
            id,
            image: (prepared.image.reference.clone(), prepared.image.id.clone()),
            user: None,
            started_at: Utc::now(),
            container: None,
            ended,
            health: watch::Sender::default(),
            tasks: Tasks::default(),
        };
        self.records.entry(container.name.clone()).or_default().begin(run);
        self.wake.notify_one();
        WaitingReason::new("RunContainerError", why.clone())
    }
}

fn expanded(texts: Option<&[String]>, env: &Env) -> Vec<String> {
    texts.unwrap_or_default().iter().map(|text| expand(text, |name| env.get(name).cloned())).collect()
}

fn memory_limit(container: &Container) -> Option<u64> {
    let limit = container.resources.as_ref()?.limits.as_ref()?.get("memory")?;
    quantity::whole(limit).and_then(|bytes| u64::try_from(bytes).ok())
}

fn last_words(file: &std::path::Path) -> Option<String> {
    let mut kept = Vec::new();
    // The container may have written any amount.
    std::fs::File::open(file).ok()?.take(MESSAGE_BYTES_MAX as u64).read_to_end(&mut kept).ok()?;
    (!kept.is_empty()).then(|| String::from_utf8_lossy(&kept).into_owned())
}
