//! A container: one program with a root file system, an identity and a process namespace of its own.

mod become_program;
pub mod helper;
mod identity;
mod layers;
mod mounts;
mod plan;
mod prepare;
pub mod seccomp;

use std::fs;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};

pub use self::mounts::restrict;
use self::plan::{ContainerPlan, ExecPlan, ProcessPlan};
use self::prepare::{container_plan, name_terminal, process_plan, set_env};
use crate::cgroup::Group;
use crate::console::{Console, OutputChunk, Readers};
use crate::exec::{self, Exec};
use crate::image::Unpacked;
use crate::life::Life;
use crate::logs;
use crate::pause;
use crate::process::{Process, ProcessEnd};
use crate::sandbox::Sandbox;
use crate::spawn::{CONTAINER, LaunchFailure, ProcessNamespace, Spawner, Stdio3};
use crate::spec::{ContainerSpec, ExecSpec, Exit, RuntimeError};
use crate::trees::remove_tree;
use crate::{cgroup, hex};

/// The prefix that containerd and runc put before an error inside the container.
const START_FAILED: &str = "failed to create containerd task: failed to create shim task: OCI runtime create failed: \
                            runc create failed: unable to start container process: error during container init: ";

/// How long the last output may take to reach the log after the program has ended.
const LOG_DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// A started container. Cheap to clone; dropping it does nothing to the container.
#[derive(Debug, Clone)]
pub struct Container {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: String,
    life: Life,
    /// The plan that an additional program is derived from.
    plan: ProcessPlan,
    stop_signal: i32,
    spawner: Spawner,
    group: Option<Arc<Group>>,
    console: Console,
    paused: AtomicBool,
}

/// What the node provides to every container.
pub struct Node<'a> {
    pub spawner: &'a Spawner,
    /// The parent of the containers' own directories.
    pub dir: PathBuf,
    /// Whether only root exists in the node's user namespace.
    pub single_user: bool,
}

impl Container {
    /// Returns its id: 64 hexadecimal digits, as in containerd.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// Returns the process id of its program in the node's pid namespace.
    pub fn pid(&self) -> u32 {
        self.inner.life.process.pid()
    }

    /// Returns the number of the signal that asks its program to stop: SIGTERM unless its image sets another.
    pub fn stop_signal(&self) -> i32 {
        self.inner.stop_signal
    }

    /// Sends a signal to its program; does nothing if it has ended or if there is no such signal.
    pub fn signal(&self, signal: i32) {
        self.inner.life.signal(signal);
    }

    /// Waits for its end, any number of times. By then its output is in its log.
    pub async fn wait(&self) -> Exit {
        self.inner.life.wait().await
    }

    /// Stops all processes in its process namespace until [`Container::resume`]; a program can't be executed in it meanwhile. Returns once
    /// none of them runs.
    pub async fn pause(&self) -> Result<(), RuntimeError> {
        self.inner.paused.store(true, Ordering::SeqCst);
        let stopped = pause::stop_all(self.pid()).await;
        stopped.map_err(|error| RuntimeError::Other(format!("pause container {}: {error:#}", self.inner.id)))
    }

    /// Continues all of its processes; does nothing if it has ended.
    pub fn resume(&self) {
        self.inner.paused.store(false, Ordering::SeqCst);
        if self.inner.life.process.ended().is_none() {
            pause::continue_all(self.pid());
        }
    }

    /// Returns what its sandbox needs to end it.
    pub(crate) fn life(&self) -> Life {
        self.inner.life.clone()
    }

    /// Returns a receiver of its output from now on, which ends with it.
    pub fn attach(&self) -> mpsc::Receiver<OutputChunk> {
        self.inner.console.attach()
    }

    /// Writes to its standard input; if it has none, or does not read it, this is lost.
    pub async fn write_input(&self, bytes: &[u8]) {
        self.inner.console.write_input(bytes).await;
    }

    /// Closes its standard input; on a terminal, sends end-of-file.
    pub async fn close_input(&self) {
        self.inner.console.close_input().await;
    }

    /// Sets the size of its terminal; does nothing if it has none.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.inner.console.resize(columns, rows);
    }

    /// Runs an additional program in it, as its user, with its environment.
    pub async fn exec(&self, spec: ExecSpec) -> Result<Exec, RuntimeError> {
        let inner = &self.inner;
        if inner.life.process.ended().is_some() {
            return Err(RuntimeError::Other(format!("container {} is not running", inner.id)));
        }
        if inner.paused.load(Ordering::SeqCst) {
            return Err(RuntimeError::Other("failed to create exec: cannot exec in a paused state".to_owned()));
        }
        let mut process = ProcessPlan { argv: spec.argv, tty: spec.tty, ..inner.plan.clone() };
        for (name, value) in spec.env {
            set_env(&mut process.env, &name, &value);
        }
        if spec.tty {
            name_terminal(&mut process.env);
        }
        let pidfd = inner.life.process.pidfd();
        let container = pidfd.as_raw_fd();
        let plan = to_json(&ExecPlan { container, process })?;
        let streams = if spec.tty { exec::terminal(inner.life.process.pid()) } else { exec::pipes(spec.stdin) };
        let (stdio, streams) = streams.map_err(|error| RuntimeError::Other(format!("{error:#}")))?;
        let namespace = ProcessNamespace::Of(pidfd.clone());
        let limit = |pid| inner.group.as_ref().map_or(Ok(()), |group| group.add(pid));
        let launched = inner.spawner.launch(crate::spawn::EXEC, namespace, stdio, vec![pidfd], &plan, limit).await;
        match launched {
            Ok(process) => Ok(Exec::new(process, streams)),
            Err(failure) => Err(RuntimeError::Start(exec_failed(&inner.id, failure))),
        }
    }

    /// Starts a container, in the process namespace of another one if that is given; returns once its program runs.
    pub(crate) async fn start(
        node: Node<'_>,
        sandbox: &Sandbox,
        image: &Unpacked,
        spec: ContainerSpec,
        beside: Option<&Self>,
    ) -> Result<Self, RuntimeError> {
        let id = new_id(&spec);
        let dir = node.dir.join(&id);
        let process = process_plan(node.single_user, sandbox, image, &spec)
            .map_err(|error| RuntimeError::Create(format!("failed to create containerd container: {error:#}")))?;
        let plan = container_plan(sandbox, image, &spec, &dir, process.clone());
        let cleanup = Cleanup { dir, group: memory_group(&id, &spec)? };
        let started = launch(&node, sandbox, &plan, &spec, cleanup.group.clone(), beside).await;
        let (running, log, console) = match started {
            Ok(started) => started,
            Err(failure) => return Err(start_failed(failure)),
        };
        let (end, exit) = watch::channel(None);
        let group = cleanup.group.clone();
        tokio::spawn(watch_end(running.clone(), Utc::now(), (log, console.readers.clone()), cleanup, end));
        let (stop_signal, spawner) = (image.image.stop_signal_number(), node.spawner.clone());
        let life = Life { process: running, exit };
        let inner = Inner {
            id,
            life,
            plan: ProcessPlan { tty: false, ..process },
            stop_signal,
            spawner,
            group,
            console,
            paused: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

/// The files of a container other than its log; removed when this value is dropped.
struct Cleanup {
    dir: PathBuf,
    group: Option<Arc<Group>>,
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            group.remove();
        }
        if let Err(error) = remove_tree(&self.dir) {
            tracing::warn!("remove {}: {error}", self.dir.display());
        }
    }
}

async fn watch_end(
    process: Process,
    started_at: DateTime<Utc>,
    (log, readers): (logs::Pump, Readers),
    cleanup: Cleanup,
    end: watch::Sender<Option<Exit>>,
) {
    let ProcessEnd { code, signal, at } = process.wait().await;
    log.drain(LOG_DRAIN_TIMEOUT).await;
    readers.close();
    let oom_killed = cleanup.group.as_ref().is_some_and(|group| group.oom_killed());
    let removed = tokio::task::spawn_blocking(move || drop(cleanup));
    let _ = removed.await;
    end.send_replace(Some(Exit { code, signal, oom_killed, started_at, finished_at: at }));
}

async fn launch(
    node: &Node<'_>,
    sandbox: &Sandbox,
    plan: &ContainerPlan,
    spec: &ContainerSpec,
    group: Option<Arc<Group>>,
    beside: Option<&Container>,
) -> Result<(Process, logs::Pump, Console), LaunchFailure> {
    fs::create_dir_all(&plan.root.own).with_context(|| format!("create the directory {}", plan.root.own.display()))?;
    let (stdio, pump, console) = streams(spec)?;
    let bytes = serde_json::to_vec(plan).context("write a plan")?;
    let limit = |pid| group.as_ref().map_or(Ok(()), |group| group.add(pid));
    let inherit = sandbox.namespaces().all();
    let of = |other: &Container| ProcessNamespace::Of(other.inner.life.process.pidfd());
    let namespace = beside.map_or(ProcessNamespace::New, of);
    let process = node.spawner.launch(CONTAINER, namespace, stdio, inherit, &bytes, limit).await?;
    Ok((process, pump, console))
}

/// Opens the standard streams of a container: the helper's ends, the log, and the node's ends.
fn streams(spec: &ContainerSpec) -> Result<(Stdio3, logs::Pump, Console)> {
    let readers = Readers::new();
    if spec.tty {
        let (stdio, terminal) = exec::own_terminal()?;
        let pump = logs::Pump::of_terminal(&spec.log_path, terminal.clone(), &readers)?;
        let input = spec.stdin.then(|| terminal.input());
        return Ok((stdio, pump, Console::new(readers, input, Some(terminal))));
    }
    let (pump, stdout, stderr) = logs::Pump::start(&spec.log_path, &readers)?;
    let (stdin, input) = exec::input(spec.stdin)?;
    let stdio = Stdio3 { stdin, stdout: stdout.into(), stderr: stderr.into() };
    Ok((stdio, pump, Console::new(readers, input, None)))
}

fn memory_group(id: &str, spec: &ContainerSpec) -> Result<Option<Arc<Group>>, RuntimeError> {
    let (Some(limit), Some(tree)) = (spec.memory_limit_bytes, cgroup::tree()) else { return Ok(None) };
    match tree.group(id, limit) {
        Ok(group) => Ok(Some(Arc::new(group))),
        Err(error) => Err(RuntimeError::Create(format!("limit the memory of {} to {limit} bytes: {error}", spec.name))),
    }
}

fn start_failed(failure: LaunchFailure) -> RuntimeError {
    match failure {
        LaunchFailure::Helper(words) => RuntimeError::Start(format!("{START_FAILED}{words}")),
        LaunchFailure::Spawn(error) => {
            RuntimeError::Create(format!("failed to create containerd container: {error:#}"))
        }
    }
}

fn exec_failed(id: &str, failure: LaunchFailure) -> String {
    match failure {
        LaunchFailure::Helper(words) => format!(
            "failed to exec in container: failed to start exec {id:?}: OCI runtime exec failed: exec failed: \
             unable to start container process: {words}"
        ),
        LaunchFailure::Spawn(error) => format!("failed to exec in container: failed to start exec {id:?}: {error:#}"),
    }
}

fn to_json(plan: &impl serde::Serialize) -> Result<Vec<u8>, RuntimeError> {
    serde_json::to_vec(plan).map_err(|error| RuntimeError::Other(format!("write a plan: {error}")))
}

/// Returns an id that no other container has: the clock's nanoseconds and the address space differ from run to run.
fn new_id(spec: &ContainerSpec) -> String {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let unique = format!("{} {} {} {number} {:?}", std::process::id(), spec.name, spec.attempt, Utc::now());
    hex::hex(&Sha256::digest(unique))
}
