//! What faults change on a node, and undo: the body of `POST` and `DELETE /chartproof/changes`. It has all that a node
//! of any provider needs to make a change: kind's nodes know containers by their ID, the embedded one by their name.

use serde::{Deserialize, Serialize};

use crate::traffic::DisturbedTraffic;

/// A change on a node. Making or undoing one twice is harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeChange {
    /// Every process of a container is stopped, until it is continued.
    Paused(PausedContainer),
    /// The disks of claims fail, until they are repaired.
    Disks(FailedDisks),
    /// No packet passes between the node and the others.
    CutOff,
    /// Traffic of a pod is lost or late.
    Traffic(DisturbedTraffic),
}

/// Disks of claims that fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedDisks {
    /// The names of their volumes.
    pub volumes: Vec<String>,
    /// The UIDs of the pods that use them. A disk without power gets it back once they are gone.
    pub pods: Vec<String>,
    /// How they fail.
    pub failure: DiskFailure,
}

/// How a disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskFailure {
    /// Nothing more fits.
    Full,
    /// Nothing can be changed.
    ReadOnly,
    /// It has no power. When it returns, what was never synced is lost.
    NoPower,
}

/// The label of a namespace on whose claims disks can fail; its value is `true`. Only the embedded node knows it.
pub const DISKS_CAN_FAIL: &str = "chartproof/disks-can-fail";

/// A container that is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedContainer {
    /// Its pod's UID.
    pub pod_uid: String,
    /// Its name in the pod.
    pub container: String,
    /// Its ID, without the runtime's name: `1b…`.
    pub id: String,
}
