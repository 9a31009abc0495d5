//! Pods for the cases.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use runtime::{Container, ContainerSpec, Exit, NodeNetwork, Runtime, RuntimeError, Sandbox, SandboxSpec, Security};

/// Long enough for anything on a busy machine.
const WAIT: Duration = Duration::from_secs(30);

/// The node that a case runs on.
#[derive(Clone)]
pub struct Node {
    pub runtime: Runtime,
    pub dir: PathBuf,
}

/// A pod with a sandbox.
#[derive(Clone)]
pub struct Pod {
    pub node: Node,
    pub name: String,
    pub sandbox: Sandbox,
}

/// Returns the processes of this case's containers, as the node sees them.
pub fn marked_processes(node: &Node) -> Vec<PathBuf> {
    let mark = format!("MARK={}", node.dir.display());
    let has_mark = |path: &PathBuf| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    };
    std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path()).filter(has_mark).collect()
}

impl Node {
    /// Starts the runtime in a directory.
    pub async fn start(dir: &Path) -> Result<Self> {
        let network = NodeNetwork { gateway: Ipv4Addr::new(10, 244, 0, 1), prefix: 16 };
        Ok(Self { runtime: Runtime::start(dir, network).await?, dir: dir.to_owned() })
    }

    /// Creates a directory for a volume.
    pub fn volume(&self, name: &str) -> Result<PathBuf> {
        let dir = self.dir.join("volumes").join(name);
        std::fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    pub async fn pod(&self, name: &str) -> Result<Pod> {
        let spec = SandboxSpec {
            pod_uid: name.into(),
            hostname: name.into(),
            resolv_conf: "nameserver 10.96.0.10\n".into(),
            hosts: "127.0.0.1 localhost\n{ip} pod\n".into(),
        };
        Ok(Pod { node: self.clone(), name: name.into(), sandbox: self.runtime.run_sandbox(spec).await? })
    }
}

impl Pod {
    /// Returns a container that runs a script with the host's shell.
    pub fn spec(&self, script: &str) -> ContainerSpec {
        ContainerSpec {
            name: "main".into(),
            attempt: 0,
            image: "busybox:1.36.1".into(),
            command: vec!["sh".into(), "-c".into(), script.into()],
            args: Vec::new(),
            env: [("MARK".to_owned(), self.node.dir.display().to_string())].into(),
            working_dir: None,
            mounts: Vec::new(),
            security: Security::default(),
            log_path: self.log_path(),
            stdin: false,
            tty: false,
            memory_limit_bytes: None,
        }
    }

    pub fn log_path(&self) -> PathBuf {
        self.node.dir.join("logs").join(&self.name).join("0.log")
    }

    pub async fn start(&self, spec: ContainerSpec) -> Result<Container, RuntimeError> {
        self.node.runtime.start_container(&self.sandbox, spec, None).await
    }

    /// Runs a container to its end, and returns its output.
    pub async fn run(&self, spec: ContainerSpec) -> Result<(Exit, String)> {
        let _ = std::fs::remove_file(self.log_path());
        let container = self.start(spec).await?;
        let exit = tokio::time::timeout(WAIT, container.wait()).await.context("the container does not end")?;
        Ok((exit, self.output()))
    }

    /// Runs a script to its end; it has to succeed.
    pub async fn script(&self, script: &str) -> Result<String> {
        let (exit, output) = self.run(self.spec(script)).await?;
        ensure!(exit.code == 0, "{script:?} ended with {exit:?}: {output}");
        Ok(output)
    }

    /// Returns what the container wrote to both of its outputs.
    pub fn output(&self) -> String {
        let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        log.lines().filter_map(|line| line.splitn(4, ' ').nth(3)).fold(String::new(), |all, line| all + line + "\n")
    }

    /// Waits until a running container has written something.
    pub async fn written(&self, text: &str) -> Result<()> {
        let seen = async {
            while !self.output().contains(text) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(WAIT, seen).await.with_context(|| format!("{text:?} is not in {:?}", self.output()))
    }

    pub async fn stop(&self) {
        self.node.runtime.stop_sandbox(&self.sandbox).await;
    }
}
