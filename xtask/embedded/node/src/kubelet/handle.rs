//! The kubelet's interface for the API server: the back ends of log, exec and port-forward.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use runtime::Sandbox;
use tokio::net::TcpStream;

use super::disks::Disks;
use super::record::{ContainerRecord, ContainerRecords};
use crate::status::Status;

/// Access to the pods of the node for the API server. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    directory: Arc<Path>,
    pods: Arc<Mutex<HashMap<String, Entry>>>,
    disks: Disks,
}

/// One pod, by its UID.
#[derive(Default)]
struct Entry {
    name: String,
    logs: PathBuf,
    sandbox: Option<Sandbox>,
    containers: BTreeMap<String, PublishedContainer>,
}

/// One container as it was last published.
struct PublishedContainer {
    attempt: Option<u32>,
    running: Option<runtime::Container>,
    /// Why it waits, if it does.
    waiting: Option<&'static str>,
}

impl Handle {
    /// Returns a handle to the pods below `directory`, the run directory of the cluster.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.into(), pods: Arc::default(), disks: Disks::default() }
    }

    /// Returns the log of a container's current or previous run, in CRI's line format.
    ///
    /// # Errors
    /// 400 `BadRequest` if the container has no such run, with kubelet's message.
    pub(crate) fn log_path(&self, pod_uid: &str, container: &str, previous: bool) -> Result<PathBuf, Status> {
        let pods = self.lock();
        let none = Entry::default();
        let entry = pods.get(pod_uid).unwrap_or(&none);
        let refuse = |why: String| Status::new(400, "BadRequest", why);
        let (shown, pod) = (entry.containers.get(container), &entry.name);
        // During back-off the last run is shown as the last state, which `--previous` requests.
        let attempt = shown.and_then(|shown| match shown.attempt {
            Some(attempt) if previous && shown.waiting.is_none() => attempt.checked_sub(1),
            attempt => attempt,
        });
        let attempt = attempt.ok_or_else(|| match shown.and_then(|shown| shown.waiting) {
            _ if previous => {
                refuse(format!("previous terminated container \"{container}\" in pod \"{pod}\" not found"))
            }
            Some("ErrImagePull") => refuse(waits(container, pod, "image can't be pulled")),
            Some("ImagePullBackOff") => refuse(waits(container, pod, "trying and failing to pull image")),
            Some(reason) => refuse(waits(container, pod, reason)),
            None => refuse(waits(container, pod, "ContainerCreating")),
        })?;
        Ok(log_file(&entry.logs, container, attempt))
    }

    /// Returns a running container, to run a command in it.
    ///
    /// # Errors
    /// 404 if it does not run.
    pub(crate) fn container(&self, pod_uid: &str, container: &str) -> Result<runtime::Container, Status> {
        let pods = self.lock();
        let shown = pods.get(pod_uid).and_then(|entry| entry.containers.get(container));
        let running = shown.and_then(|shown| shown.running.clone());
        running.ok_or_else(|| Status::new(404, "NotFound", format!("container not found (\"{container}\")")))
    }

    /// Returns whether a pod has not ended yet.
    pub(crate) fn has(&self, pod_uid: &str) -> bool {
        self.lock().contains_key(pod_uid)
    }

    /// Returns the disks of claims.
    pub(crate) fn disks(&self) -> &Disks {
        &self.disks
    }

    /// Returns a pod's sandbox.
    ///
    /// # Errors
    /// 404 if it does not run.
    pub(crate) fn sandbox_of(&self, pod_uid: &str) -> Result<Sandbox, Status> {
        let sandbox = self.lock().get(pod_uid).and_then(|entry| entry.sandbox.clone());
        sandbox.ok_or_else(|| Status::new(404, "NotFound", format!("no pod with UID \"{pod_uid}\" runs here")))
    }

    /// Connects to a port on the pod's own loopback interface.
    ///
    /// # Errors
    /// 500 if nothing listens, or the pod does not run.
    pub(crate) async fn connect(&self, pod_uid: &str, port: u16) -> Result<TcpStream, Status> {
        let sandbox = self.lock().get(pod_uid).and_then(|entry| entry.sandbox.clone());
        let fail = |why: String| {
            let message = format!("error forwarding port {port} to pod {pod_uid}, uid : {why}");
            Status::new(500, "InternalError", message)
        };
        let sandbox = sandbox.ok_or_else(|| fail("the pod is not running".to_owned()))?;
        let connected = sandbox.connect(port).await;
        connected.map_err(|error| fail(format!("failed to connect to localhost:{port} inside the pod: {error}")))
    }

    /// Returns the log file of one run of a container. Logs outlive their pod.
    pub(super) fn log_file(&self, pod: &Pod, container: &str, attempt: u32) -> PathBuf {
        log_file(&self.logs(pod), container, attempt)
    }

    fn logs(&self, pod: &Pod) -> PathBuf {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let metadata = &pod.metadata;
        let name = [&metadata.namespace, &metadata.name, &metadata.uid].map(text).join("_");
        self.directory.join("logs").join(name)
    }

    /// Publishes the pod's sandbox.
    pub(super) fn sandbox(&self, pod: &Pod, sandbox: &Sandbox) {
        self.entry(pod, |entry| entry.sandbox = Some(sandbox.clone()));
    }

    /// Publishes the state of the pod's containers.
    pub(super) fn publish(&self, pod: &Pod, records: &ContainerRecords) {
        let containers = records.iter().map(|(name, record)| (name.clone(), PublishedContainer::of(record))).collect();
        self.entry(pod, |entry| entry.containers = containers);
    }

    /// Removes a pod.
    pub(super) fn forget(&self, pod: &Pod) {
        self.lock().remove(pod.metadata.uid.as_deref().unwrap_or_default());
    }

    fn entry(&self, pod: &Pod, change: impl FnOnce(&mut Entry)) {
        let mut pods = self.lock();
        let entry = pods.entry(pod.metadata.uid.clone().unwrap_or_default()).or_insert_with(|| Entry {
            name: pod.metadata.name.clone().unwrap_or_default(),
            logs: self.logs(pod),
            ..Entry::default()
        });
        change(entry);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PublishedContainer {
    fn of(record: &ContainerRecord) -> Self {
        let running = record.running().cloned();
        let waiting = record.refusal.as_ref().filter(|_| running.is_none()).map(|refusal| refusal.reason);
        Self { attempt: record.current.as_ref().map(|run| run.attempt), running, waiting }
    }
}

fn waits(container: &str, pod: &str, why: &str) -> String {
    format!("container \"{container}\" in pod \"{pod}\" is waiting to start: {why}")
}

fn log_file(logs: &Path, container: &str, attempt: u32) -> PathBuf {
    logs.join(container).join(format!("{attempt}.log"))
}
