//! `cargo xtask cluster up`, as a user runs it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use process::Launcher;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tools::{self, Name};

use crate::command::command;
use crate::traces::Traces;
use crate::who::{Who, open_folder};

/// Much longer than it takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running cluster.
pub struct Up {
    folder: TempDir,
    /// kubectl's own caches, outside the checked folder.
    kubectls: TempDir,
    process: duct::Handle,
    kubeconfig: PathBuf,
}

impl Up {
    /// Starts a cluster and waits until it prints how to reach it.
    pub fn start(who: &Who) -> Self {
        let folder = open_folder();
        let (printed, told) = (folder.path().join("stdout"), folder.path().join("stderr"));
        let command = who.xtask(folder.path(), &["cluster", "up"]).stdout_path(&printed).stderr_path(&told);
        let process = command.start().unwrap();
        let started = Instant::now();
        let kubeconfig = loop {
            let text = std::fs::read_to_string(&printed).unwrap_or_default();
            if let Some(path) = text.strip_prefix("export KUBECONFIG=").and_then(|rest| rest.strip_suffix('\n')) {
                break PathBuf::from(path.trim_matches('\''));
            }
            let ended = process.try_wait().unwrap().is_some();
            assert!(!ended && started.elapsed() < PATIENCE, "{text}{}", std::fs::read_to_string(&told).unwrap());
            std::thread::park_timeout(Duration::from_millis(20));
        };
        Self { folder, kubectls: tempfile::tempdir().unwrap(), process, kubeconfig }
    }

    /// Runs a pod with a volume, with kubectl, until it is ready.
    pub fn run_a_pod(&self) {
        self.kubectl(&["run", "pod", "--image=busybox:1.36", "--", "sleep", "1000"]);
        self.kubectl(&["wait", "--for=condition=Ready", "pod/pod", "--timeout=60s"]);
    }

    fn kubectl(&self, args: &[&str]) {
        let environment = [("KUBECONFIG", self.kubeconfig.as_path()), ("HOME", self.kubectls.path())];
        let call = command(kubectl(), args).full_env(environment).stdout_capture().stderr_capture().unchecked();
        let output = call.run().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Returns all of its current traces.
    pub fn traces(&self) -> Traces {
        Traces::of(self.process.pids()[0], self.folder.path())
    }

    /// Ends it, and returns its working folder.
    pub fn end(self, signal: Signal) -> TempDir {
        let pid = Pid::from_raw(self.process.pids()[0].cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
        let output = self.process.wait().unwrap();
        let told = std::fs::read_to_string(self.folder.path().join("stderr")).unwrap();
        assert!(signal == Signal::KILL || output.status.code().is_some(), "{told}");
        for ours in ["stdout", "stderr"] {
            std::fs::remove_file(self.folder.path().join(ours)).unwrap();
        }
        self.folder
    }
}

/// Returns the path of kubectl, which is looked up once.
fn kubectl() -> &'static Path {
    static KUBECTL: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    KUBECTL.get_or_init(|| {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio
            .block_on(tools::resolve(&Launcher::light(false), Name::Kubectl))
            .unwrap_or_else(|why| panic!("{why}"))
            .path
    })
}
