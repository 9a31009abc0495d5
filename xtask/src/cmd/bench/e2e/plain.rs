//! The plain script: kind, helm, kubectl and curl in a shell script that times each step.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::Subject;
use cluster::{Choice, kind};
use images::Archive;
use process::Launcher;
use tools::helm::Values;
use tools::{Tool, pins};

const SCRIPT: &str = include_str!("plain.sh");
/// The time limit for the script, with a wide margin.
const TIMEOUT: Duration = Duration::from_secs(1800);

/// The inputs of the script.
pub struct Plain<'a> {
    pub launcher: &'a Launcher,
    pub subject: &'a Subject,
    pub cluster: &'a Choice,
    /// The image under test.
    pub archive: &'a Archive,
    /// All images that the chart needs, by name.
    pub images: Vec<String>,
    pub helm: Tool,
    pub kubectl: Tool,
    /// Set only for a kind cluster.
    pub kind: Option<Tool>,
    /// This program.
    pub xtask: PathBuf,
}

/// A step and its seconds.
pub type Step = (String, f64);

impl Plain<'_> {
    /// Runs the script with these values; returns its steps.
    pub async fn run(&self, one: &Values, three: &Values) -> anyhow::Result<Vec<Step>> {
        let dir = tempfile::tempdir().context("creating a folder for the script")?;
        let script = dir.path().join("plain.sh");
        std::fs::write(&script, SCRIPT).with_context(|| format!("writing {}", script.display()))?;
        let mut cmd = self.launcher.cmd("sh").arg(&script).timeout(TIMEOUT);
        for (name, value) in self.environment(dir.path(), one, three)? {
            cmd = cmd.env(name, value);
        }
        steps(&cmd.run().await?)
    }

    fn environment(&self, dir: &Path, one: &Values, three: &Values) -> anyhow::Result<Vec<(&'static str, String)>> {
        let Subject { chart, release, service, workload, port, health, .. } = self.subject;
        let path = |tool: &Tool| tool.path.display().to_string();
        let id = &uuid::Uuid::new_v4().simple().to_string()[..8];
        Ok(vec![
            ("CLUSTER", self.cluster.to_string()),
            ("NAME", format!("{}{id}", kind::PREFIX)),
            ("NODE_IMAGE", pins::node_image().to_owned()),
            ("IMAGES", self.images.join(" ")),
            ("ARCHIVE", self.archive.path.display().to_string()),
            ("CHART", chart.display().to_string()),
            ("RELEASE", release.clone()),
            ("WORKLOAD", workload.clone()),
            ("SERVICE", service.clone()),
            ("PORT", port.to_string()),
            ("HEALTH", health.clone()),
            ("LOCAL_PORT", free_port()?.to_string()),
            ("FLAGS_ONE", one.args().join(" ")),
            ("FLAGS_THREE", three.args().join(" ")),
            ("DIR", dir.display().to_string()),
            ("KIND", self.kind.as_ref().map(path).unwrap_or_default()),
            ("HELM", path(&self.helm)),
            ("KUBECTL", path(&self.kubectl)),
            ("XTASK", self.xtask.display().to_string()),
        ])
    }
}

/// Returns a port that is free at the moment.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

/// Parses the script's lines, such as `install-one 12345`.
fn steps(output: &str) -> anyhow::Result<Vec<Step>> {
    let step = |line: &str| {
        let (name, ms) = line.split_once(' ')?;
        Some((name.to_owned(), ms.parse::<f64>().ok()? / 1000.0))
    };
    output.lines().map(|line| step(line).with_context(|| format!("unexpected output of plain.sh: {line:?}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_as_seconds() {
        assert_eq!(steps("create 29100\nload 50\n").unwrap(), [("create".to_owned(), 29.1), ("load".to_owned(), 0.05)]);
        assert_eq!(steps("oops\n").unwrap_err().to_string(), "unexpected output of plain.sh: \"oops\"");
    }
}
