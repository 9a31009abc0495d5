//! Disks of claims that fail.

use std::time::{Duration, Instant};

use embedded::changes::{DiskFailure, FailedDisks};

use super::Undo;
use crate::kubelet::Handle;
use crate::status::Status;

/// How long the pods of a disk without power may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(8);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Lets the disks fail, or returns why they can't.
pub(super) fn make(kubelet: &Handle, failed: &FailedDisks) -> Result<Undo, String> {
    match kubelet.disks().fail(&failed.volumes, failed.failure) {
        Some(why) => Err(why),
        None => Ok(Undo::Repair(failed.clone())),
    }
}

/// Lets the disks work again, once the pods that used them without power are gone.
pub(super) async fn undo(kubelet: &Handle, failed: &FailedDisks) -> Result<(), Status> {
    let fail = |why: String| Status::new(500, "InternalError", why);
    let began = Instant::now();
    let users: &[String] = if failed.failure == DiskFailure::NoPower { &failed.pods } else { &[] };
    while let Some(pod) = users.iter().find(|pod| kubelet.has(pod)) {
        if began.elapsed() > END_TIMEOUT {
            return Err(fail(format!("pod {pod} still runs on a disk without power")));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let (disks, volumes) = (kubelet.disks().clone(), failed.volumes.clone());
    let repaired = tokio::task::spawn_blocking(move || disks.repair(&volumes)).await;
    repaired.map_err(|error| fail(error.to_string()))?.map_err(|error| fail(format!("repair a disk: {error}")))
}
