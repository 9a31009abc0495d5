//! How far the creation of a cluster is; phases that run beside it wait for what they need.

use anyhow::bail;
use tokio::sync::watch;

use super::Access;

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
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
pub(super) struct Progress(watch::Sender<Stage>);

impl Progress {
    pub fn new() -> Self {
        Self(watch::Sender::new(Stage::Absent))
    }

    pub fn set(&self, stage: Stage) {
        self.0.send_replace(stage);
    }

    pub fn now(&self) -> Stage {
        self.0.borrow().clone()
    }

    /// Notes how the creation went.
    pub fn finish(&self, result: &anyhow::Result<Access>) {
        self.set(match result {
            Ok(access) => Stage::Created(access.clone()),
            Err(error) => Stage::Failed(error.to_string()),
        });
    }

    /// Waits until the creation is over; its own limit bounds this.
    pub async fn created(&self) -> anyhow::Result<Access> {
        let mut stages = self.0.subscribe();
        let over = |stage: &Stage| !matches!(stage, Stage::Absent | Stage::Creating);
        match &*stages.wait_for(over).await? {
            Stage::Created(access) => Ok(access.clone()),
            Stage::Failed(reason) => {
                bail!("the cluster was not created: {}", reason.lines().next().unwrap_or_default())
            }
            other => bail!("the cluster is not there: {other:?}"),
        }
    }
}
