//! Docker: its client and its daemon.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::{Name, Tool, resolve};
use process::Launcher;

/// How long the daemon may take to report its version.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A usable Docker installation: its daemon responds.
#[derive(Debug, Clone)]
pub struct Docker {
    /// The client.
    pub tool: Tool,
    /// The daemon's version, as it reports it.
    pub server: String,
    /// The API version that client and daemon negotiated.
    pub api: (u32, u32),
    /// `amd64`.
    pub arch: String,
}

/// Why Docker can't be used, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoDocker {
    /// The cause.
    pub reason: String,
    /// What to do about it.
    pub fix: String,
}

impl fmt::Display for NoDocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "docker is unavailable: {}; {}", self.reason, self.fix)
    }
}

impl std::error::Error for NoDocker {}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerVersion {
    client: Client,
    server: Option<Server>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Client {
    api_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Server {
    version: String,
    arch: String,
}

impl Docker {
    /// Finds the client and queries the daemon's version.
    ///
    /// # Errors
    /// If there is no client, or its daemon does not respond.
    pub async fn find(launcher: &Launcher) -> Result<Self, NoDocker> {
        let tool = resolve(launcher, Name::Docker).await.map_err(|missing| NoDocker {
            reason: missing.tried.join("; "),
            fix: "install Docker, or use `--cluster embedded`".to_owned(),
        })?;
        let cmd = launcher.cmd(&tool.path).args(["version", "--format", "json"]).timeout(TIMEOUT);
        let output = cmd.output().await.map_err(|error| no_daemon(&error.to_string()))?;
        let version = serde_json::from_str::<DockerVersion>(&output.stdout).ok();
        let Some((DockerVersion { client, .. }, server)) =
            version.and_then(|mut version| version.server.take().map(|server| (version, server)))
        else {
            return Err(no_daemon(output.stderr.trim()));
        };
        let api = parse_api(&client.api_version);
        Ok(Self { tool, server: server.version, api, arch: server.arch })
    }

    /// Returns whether an image can be saved for a single platform, which the containerd image store requires.
    pub fn saves_one_platform(&self) -> bool {
        self.api >= (1, 48)
    }
}

fn parse_api(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|part| part.parse().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
}

/// Returns an error with the fix that matches the client's output.
fn no_daemon(output: &str) -> NoDocker {
    let fix = if output.contains("permission denied") {
        "add the user to the group docker, or run with sudo"
    } else {
        "start its daemon, or use `--cluster embedded`"
    };
    let reason = output.lines().last().unwrap_or("no output").trim_end_matches(['.', '?']);
    NoDocker { reason: reason.to_owned(), fix: fix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_versions_compare_as_numbers() {
        assert!(parse_api("1.48") >= (1, 48) && parse_api("1.50") >= (1, 48));
        assert!(parse_api("1.41") < (1, 48) && parse_api("1.9") < (1, 48));
    }

    #[test]
    fn a_silent_daemon_comes_with_a_fix() {
        let output =
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
        assert!(no_daemon(output).fix.starts_with("start its daemon"));
        assert!(no_daemon("permission denied while trying to connect").fix.contains("group docker"));
    }
}
