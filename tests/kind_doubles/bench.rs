//! `cargo xtask bench e2e` on kind: the plain sequence's command lines, and failed runs, which are not measured.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::command::command;
use crate::doubles::{Doubles, Rule, rule};
use crate::run::{Scene, suite};

/// What docker and kind do besides creating.
fn tools() -> Vec<Rule> {
    let names = ["docker--version", "docker-version", "docker-load", "docker-image-inspect", "inspect-curl"];
    let kind = ["kind-version", "kind-load-docker-image", "kind-delete-plain"];
    names.into_iter().chain(kind).map(rule).collect()
}

/// Returns a user with fakes of kind and docker, and with a helm, kubectl and curl that only log their calls; `fails`
/// is a pattern of calls that fail.
fn user(rules: &[Rule], fails: &str) -> (Scene, Doubles) {
    let mut scene = Scene::new();
    let doubles = Doubles::new(scene.folder.path(), &scene.report(), rules);
    for tool in ["helm", "kubectl", "curl"] {
        let path = doubles.bin().join(tool);
        let script = format!(
            "#!/bin/sh\nprintf '{tool}\\t%s\\n' \"{tool} $*\" >>'{}'\ncase \"$*\" in {fails}) exit 1 ;; esac\n",
            doubles.bin().join("log").display()
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap_or_default();
    scene.env = vec![("PATH", format!("{}:{path}", doubles.bin().display()))];
    (scene, doubles)
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cmd/bench/e2e/plain.sh")
}

/// Runs the script as the benchmark does.
fn plain(scene: &Scene, doubles: &Doubles) -> (Option<i32>, String) {
    let bin = |tool: &str| doubles.bin().join(tool).display().to_string();
    let folder = scene.folder.path().display().to_string();
    let mut command = command("sh", [script()]).env("PATH", &scene.env[0].1);
    let environment = [
        ("CLUSTER", "kind".to_owned()),
        ("NAME", "chartproof-ab12".to_owned()),
        ("NODE_IMAGE", tools::pins::node_image().to_owned()),
        ("IMAGES", "busybox:1.36.1 chartproof/stand-in:dev".to_owned()),
        ("CHART", "CHART".to_owned()),
        ("RELEASE", "caesium".to_owned()),
        ("WORKLOAD", "caesium".to_owned()),
        ("SERVICE", "caesium".to_owned()),
        ("PORT", "8080".to_owned()),
        ("HEALTH", "/health".to_owned()),
        ("LOCAL_PORT", "18080".to_owned()),
        ("FLAGS_ONE", "--set replicaCount=1".to_owned()),
        ("FLAGS_THREE", "--set replicaCount=3".to_owned()),
        ("DIR", folder),
        ("KIND", bin("kind")),
        ("HELM", bin("helm")),
        ("KUBECTL", bin("kubectl")),
    ];
    for (name, value) in environment {
        command = command.env(name, value);
    }
    let output = command.stdout_capture().stderr_null().unchecked().run().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_plain_sequence_runs_step_by_step_and_times_each_step() {
    let (scene, doubles) = user(&[tools(), vec![rule("kind-create-wait")]].concat(), "none");
    let (code, told) = plain(&scene, &doubles);
    assert_eq!(code, Some(0), "{told}");
    let steps: Vec<_> = told.lines().map(|line| line.split_once(' ').unwrap().0).collect();
    let of = |size: &str| ["install", "test", "health", "kill"].map(|step| format!("{step}-{size}"));
    let want = [vec!["create".to_owned(), "load".to_owned()], of("one").into(), of("three").into()].concat();
    assert_eq!(steps, [want, vec!["delete".to_owned()]].concat());
    let at = |size: &str, replicas: u32| {
        let install = format!("helm install caesium CHART --namespace {size} --create-namespace --set replicaCount");
        [
            format!("{install}={replicas} --wait --timeout 300s"),
            format!("helm test caesium --namespace {size} --timeout 60s"),
            "curl --silent --fail --max-time 5 --output /dev/null http://127.0.0.1:18080/health".to_owned(),
            format!("kubectl --namespace {size} delete pod caesium-0"),
            format!("kubectl --namespace {size} rollout status statefulset/caesium --timeout 300s"),
        ]
    };
    let image = tools::pins::node_image();
    let first = [
        format!("kind create cluster --name chartproof-ab12 --image {image} --wait 120s --kubeconfig SCENE/kubeconfig"),
        "kind load docker-image busybox:1.36.1 --name chartproof-ab12".to_owned(),
        "kind load docker-image chartproof/stand-in:dev --name chartproof-ab12".to_owned(),
    ];
    let last = "kind delete cluster --name chartproof-ab12 --kubeconfig SCENE/kubeconfig".to_owned();
    let want = [first.to_vec(), at("one", 1).to_vec(), at("three", 3).to_vec(), vec![last]].concat();
    let mut lines = doubles.lines();
    // Runs in the background of the request through it, and is killed: it may not have logged anything.
    lines.retain(|line| !line.contains("port-forward service/caesium 18080:8080"));
    assert_eq!(lines, want);
}

#[test]
fn a_failed_plain_sequence_deletes_its_cluster_and_ends() {
    let (scene, doubles) = user(&[tools(), vec![rule("kind-create-wait")]].concat(), "test*");
    let (code, told) = plain(&scene, &doubles);
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(told.lines().last().and_then(|line| line.split(' ').next()), Some("install-one"), "{told}");
    assert_eq!(doubles.count("kind-delete-plain"), 1);
}

#[test]
fn a_failed_run_is_not_a_measurement() {
    let (scene, doubles) = user(&[tools(), vec![rule("kind-create-wait-fails")]].concat(), "none");
    // The real helm renders the chart, to find out which images it needs.
    for tool in ["helm", "kubectl"] {
        std::fs::remove_file(doubles.bin().join(tool)).unwrap();
    }
    let suite = suite().display().to_string();
    let bench = scene.xtask(&["bench", "e2e", "--cluster", "kind", "--runs", "1", "--suite", &suite]);
    let output = bench.stdout_capture().stderr_capture().run().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("plain.sh`: exit code 1 after") && stderr.contains("timed out waiting for the condition"));
    assert!(stdout.starts_with("machine: ") && !stdout.contains("median"), "{stdout}");
    assert_eq!(doubles.count("kind-delete-plain"), 1, "{:?}", doubles.lines());
    assert_eq!(doubles.refused(), [""; 0]);
}

#[test]
fn only_clusters_that_a_run_creates_are_measured() {
    let (scene, _) = user(&[], "none");
    let bench = scene.xtask(&["bench", "e2e", "--cluster", "context:production"]);
    let output = bench.stderr_capture().stdout_null().run().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = "--cluster context:production: only kind and embedded can be measured";
    assert!(String::from_utf8_lossy(&output.stderr).contains(told));
}
