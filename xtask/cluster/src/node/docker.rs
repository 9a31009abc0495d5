//! A node of kind: a container of Docker, in which commands can be run.

use std::time::Duration;

use process::{CommandError, Launcher};
use tools::Docker;

/// Long enough for a node to start; other commands end at once.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The Docker whose containers are nodes.
#[derive(Clone, Copy)]
pub struct DockerOfNodes<'a> {
    /// Starts its commands.
    pub launcher: &'a Launcher,
    /// Docker.
    pub docker: &'a Docker,
}

impl DockerOfNodes<'_> {
    /// Runs a command of Docker, and returns its output.
    pub(super) async fn run(self, args: &[&str]) -> Result<String, CommandError> {
        self.launcher.cmd(&self.docker.tool.path).args(args).timeout(TIMEOUT).run().await
    }

    /// Runs a command in a node, and returns its output.
    pub(super) async fn exec(self, node: &str, command: &[&str]) -> Result<String, CommandError> {
        self.run(&[&["exec", node], command].concat()).await
    }
}
