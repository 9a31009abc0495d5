//! A paused container.

use embedded::changes::PausedContainer;

use super::Undo;
use crate::kubelet::Handle;
use crate::status::Status;

/// Stops every process of the container.
pub(super) async fn make(kubelet: &Handle, paused: &PausedContainer) -> Result<Undo, Status> {
    let container = kubelet.container(&paused.pod_uid, &paused.container)?;
    if let Err(error) = container.pause().await {
        container.resume();
        return Err(Status::new(500, "InternalError", error.to_string()));
    }
    Ok(Undo::Resume(container))
}
