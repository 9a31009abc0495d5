//! A container.

use crate::exec::Exec;
use crate::spec::{ExecSpec, Exit, RuntimeError};

/// A container that was started. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Container {}

impl Container {
    /// 64 hexadecimal digits, as containerd has them.
    pub fn id(&self) -> &str {
        ""
    }

    /// The process id of its program, as the node sees it.
    pub fn pid(&self) -> u32 {
        0
    }

    /// Sends a signal to its program; nothing happens where it has ended.
    pub fn signal(&self, _signal: i32) {}

    /// Waits for its end; any number of times.
    pub async fn wait(&self) -> Exit {
        std::future::pending().await
    }

    /// Runs a further program in it, as its user, with its environment.
    pub async fn exec(&self, _spec: ExecSpec) -> Result<Exec, RuntimeError> {
        Err(RuntimeError::Other("the runtime is not there yet".into()))
    }
}
