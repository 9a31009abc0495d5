//! The progress of a cluster's creation; cases that run meanwhile wait for what they need.

use anyhow::bail;
use tokio::sync::watch;

use super::Access;

/// The state of the creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CreationState {
    /// Nothing has been created.
    Absent,
    /// It is being created.
    Creating,
    /// The cluster responds.
    Created(Access),
    /// The creation failed; parts of the cluster may exist.
    Failed(String),
    /// The cluster is deleted, or was kept on purpose.
    Ended,
}

/// The state, shared between cases.
pub(super) struct Creation(watch::Sender<CreationState>);

impl Creation {
    pub fn new() -> Self {
        Self(watch::Sender::new(CreationState::Absent))
    }

    pub fn set(&self, state: CreationState) {
        self.0.send_replace(state);
    }

    pub fn now(&self) -> CreationState {
        self.0.borrow().clone()
    }

    /// Records the result of the creation.
    pub fn finish(&self, result: &anyhow::Result<Access>) {
        self.set(match result {
            Ok(access) => CreationState::Created(access.clone()),
            Err(error) => CreationState::Failed(error.to_string()),
        });
    }

    /// Waits until the creation has finished; it has its own time limit.
    pub async fn created(&self) -> anyhow::Result<Access> {
        let mut states = self.0.subscribe();
        let over = |state: &CreationState| !matches!(state, CreationState::Absent | CreationState::Creating);
        match &*states.wait_for(over).await? {
            CreationState::Created(access) => Ok(access.clone()),
            CreationState::Failed(reason) => {
                bail!("the cluster was not created: {}", reason.lines().next().unwrap_or_default())
            }
            other => bail!("the cluster does not exist: {other:?}"),
        }
    }
}
