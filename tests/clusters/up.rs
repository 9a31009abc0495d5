//! `cargo xtask cluster up` and `down`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use process::Launcher;
use rustix::process::{Pid, Signal, kill_process};
use tools::{self, Name};

use crate::command::command;
use crate::left::{leases, left_behind};
use crate::scene::{Scene, suite};

/// Much longer than it takes; a machine that compiles something meanwhile is slow.
const PATIENCE: Duration = Duration::from_secs(120);
/// The name of the stand-in's image in the loaded archive.
pub const IMAGE: &str = "chartproof/stand-in:dev";

/// A running cluster.
pub struct Up {
    process: duct::Handle,
    /// The path that was printed.
    pub kubeconfig: PathBuf,
}

impl Up {
    /// Starts a cluster with the stand-in's image and waits until it prints how to reach it.
    pub fn start(scene: &Scene) -> Self {
        let archive = stand_in(scene);
        Self::of(scene, &["cluster", "up", "--image", &archive], |told| {
            let line = told.lines().find_map(|line| line.strip_prefix("export KUBECONFIG="))?;
            Some(PathBuf::from(line.trim_matches('\'')))
        })
    }

    /// Starts a command and waits until it has printed the path of its kubeconfig.
    pub fn of(scene: &Scene, words: &[&str], kubeconfig: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let told = scene.folder.path().join("told");
        let process = scene.xtask(words).stderr_to_stdout().stdout_path(&told).start().unwrap();
        let started = Instant::now();
        loop {
            let text = std::fs::read_to_string(&told).unwrap_or_default();
            if let Some(kubeconfig) = kubeconfig(&text) {
                return Self { process, kubeconfig };
            }
            assert!(process.try_wait().unwrap().is_none() && started.elapsed() < PATIENCE, "{words:?}: {text}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Takes the cluster down as users do, and waits for its process; returns the exit code.
    pub fn down(self, scene: &Scene) -> Option<i32> {
        let said = scene.xtask(&["cluster", "down"]).stdout_capture().run().unwrap();
        assert!(String::from_utf8_lossy(&said.stdout).contains("stopped "), "{said:?}");
        self.process.wait().unwrap().status.code()
    }

    /// Returns kubectl's output.
    pub fn kubectl(&self, words: &[&str]) -> String {
        let kubectl = tool(Name::Kubectl);
        let folder = tempfile::tempdir().unwrap();
        let (kubeconfig, caches) = (shown(&self.kubeconfig), shown(folder.path()));
        let flags = [&["--kubeconfig", &kubeconfig, "--cache-dir", &caches], words].concat();
        command(kubectl, flags).stderr_to_stdout().unchecked().read().unwrap()
    }
}

impl Drop for Up {
    /// Takes the cluster down even if a test fails.
    fn drop(&mut self) {
        drop(self.process.kill());
    }
}

/// Returns the path of a tool that the harness would use.
fn tool(name: Name) -> PathBuf {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(tools::resolve(&Launcher::light(false), name)).unwrap().path
}

/// Returns the archive of the stand-in's image.
pub fn stand_in(scene: &Scene) -> String {
    let path = shown(&suite());
    let built = scene.xtask(&["image", "--suite", &path, "--tag", IMAGE]).stdout_capture().run().unwrap();
    String::from_utf8(built.stdout).unwrap().trim().to_owned()
}

/// Returns a path as a word of a command line.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn cluster_up_prints_a_private_kubeconfig_works_with_kubectl_and_helm_and_leaves_nothing() {
    let scene = Scene::new();
    let up = Up::start(&scene);
    assert_eq!(std::fs::metadata(&up.kubeconfig).unwrap().permissions().mode() & 0o777, 0o600);
    let nodes = up.kubectl(&["--context", "chartproof", "get", "nodes"]);
    assert!(nodes.contains("chartproof-control-plane   Ready"), "{nodes}");
    let helm = |words: &[&str]| {
        let at = ["--kubeconfig", &shown(&up.kubeconfig), "--kube-context", "chartproof"];
        command(tool(Name::Helm), [words, &at].concat()).stderr_to_stdout().unchecked().read().unwrap()
    };
    let chart = shown(suite().parent().unwrap());
    let values = shown(&suite().parent().unwrap().join("ci/r1-values.yaml"));
    let set = "image.repository=chartproof/stand-in,image.tag=dev,test.retries=0";
    let set = ["--set", set, "--wait", "--timeout", "120s"];
    let installed = helm(&[&["install", "caesium", &chart, "--values", &values], set.as_slice()].concat());
    assert!(installed.contains("STATUS: deployed"), "{installed}");
    assert_eq!(up.kubectl(&["get", "pods", "--output", "jsonpath={.items[*].status.phase}"]), "Running");
    helm(&["install", "untested", &shown(&chart_without_tests(&scene))]);
    helm_test_shows_logs(&scene, &up);
    assert_eq!(up.down(&scene), Some(0));
    assert_eq!(left_behind(&scene), [""; 0]);
    let clusters = scene.folder.path().join("state/chartproof/clusters");
    assert_eq!(std::fs::read_dir(clusters).unwrap().count(), 0);
}

/// Returns a chart of one ConfigMap.
fn chart_without_tests(scene: &Scene) -> PathBuf {
    let folder = scene.folder.path().join("untested");
    std::fs::create_dir_all(folder.join("templates")).unwrap();
    std::fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: untested\nversion: 0.1.0\n").unwrap();
    let config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: untested}\n";
    std::fs::write(folder.join("templates/config-map.yaml"), config_map).unwrap();
    folder
}

/// `cargo xtask helm-test` passes, fails with the test's output, and fails if there is no test or no release.
fn helm_test_shows_logs(scene: &Scene, up: &Up) {
    let test_on = |context: &str, release: &str| {
        let at = ["--context", context, "--kubeconfig", &shown(&up.kubeconfig), "--timeout", "60"];
        let words = [&["helm-test", release], at.as_slice()].concat();
        let output = scene.xtask(&words).stdout_capture().stderr_capture().run().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), stdout, stderr)
    };
    let test = |release: &str| test_on("chartproof", release);
    let (code, stdout, stderr) = test("caesium");
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("Phase:          Succeeded") && stdout.contains("POD LOGS: caesium-test"), "{stdout}");
    up.kubectl(&["scale", "statefulset", "caesium", "--replicas", "0"]);
    up.kubectl(&["wait", "pod/caesium-0", "--for", "delete", "--timeout", "60s"]);
    let (code, stdout, stderr) = test("caesium");
    assert_eq!(code, Some(101), "{stdout}{stderr}");
    assert!(stdout.contains("Phase:          Failed") && stdout.contains("curl: ("), "{stdout}{stderr}");
    let (code, _, stderr) = test("untested");
    assert_eq!(code, Some(101), "{stderr}");
    assert!(stderr.contains("release untested has no tests"), "{stderr}");
    let (code, _, stderr) = test("nosuch");
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("release: not found") && stderr.contains("helm test nosuch --logs"), "{stderr}");
    let (code, _, stderr) = test_on("nowhere", "caesium");
    assert_eq!(code, Some(2), "{stderr}");
    let advice = "--context nowhere: the kubeconfig has no context nowhere; it has: chartproof";
    assert!(stderr.contains(advice), "{stderr}");
}

#[test]
fn leftovers_of_a_killed_cluster_up_are_abandoned_and_swept() {
    let scene = Scene::new();
    let up = Up::start(&scene);
    let pid = Pid::from_raw(up.process.pids()[0].cast_signed()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    up.process.wait().unwrap();
    assert_eq!(leases(&scene).len(), 1);
    let listed = scene.xtask(&["cluster", "list"]).read().unwrap();
    assert!(listed.starts_with("abandoned       run up-") && listed.contains("embedded cluster in"), "{listed}");
    let swept = scene.xtask(&["cluster", "sweep"]).read().unwrap();
    assert!(swept.starts_with("swept embedded cluster in "), "{swept}");
    assert!(leases(&scene).is_empty() && !up.kubeconfig.exists());
}
