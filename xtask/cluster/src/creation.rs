//! How far the creation of a cluster is; cases that run beside it wait for what they need.

use anyhow::bail;
use tokio::sync::watch;

use super::Access;

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CreationState {
    /// Nothing was created.
    Absent,
    /// It is being created.
    Creating,
    /// It answers.
    Created(Access),
    /// It could not be created; something may be left of it.
    Failed(String),
    /// It is gone, or was left behind on purpose.
    Ended,
}

/// The stage, shared.
pub(super) struct Creation(watch::Sender<CreationState>);

impl Creation {
    pub fn new() -> Self {
        Self(watch::Sender::new(CreationState::Absent))
    }

    pub fn set(&self, stage: CreationState) {
        self.0.send_replace(stage);
    }

    pub fn now(&self) -> CreationState {
        self.0.borrow().clone()
    }

    /// Notes how the creation went.
    pub fn finish(&self, result: &anyhow::Result<Access>) {
        self.set(match result {
            Ok(access) => CreationState::Created(access.clone()),
            Err(error) => CreationState::Failed(error.to_string()),
        });
    }

    /// Waits until the creation is over; its own limit bounds this.
    pub async fn created(&self) -> anyhow::Result<Access> {
        let mut stages = self.0.subscribe();
        let over = |stage: &CreationState| !matches!(stage, CreationState::Absent | CreationState::Creating);
        match &*stages.wait_for(over).await? {
            CreationState::Created(access) => Ok(access.clone()),
            CreationState::Failed(reason) => {
                bail!("the cluster was not created: {}", reason.lines().next().unwrap_or_default())
            }
            other => bail!("the cluster is not there: {other:?}"),
        }
    }
}
