//! An existing cluster by context: opt-in, only the run's own namespaces, swept after a kill.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::left::leases;
use crate::scene::{Ended, Scene, suite};
use crate::up::{IMAGE, Up, shown};

const FLAGS: [&str; 6] = ["--cluster", "context:chartproof", "--allow-context", "chartproof", "--image", IMAGE];
const PATIENCE: Duration = Duration::from_secs(120);

/// Returns a scene of a user whose kubeconfig leads to this cluster.
fn user(up: &Up) -> Scene {
    Scene { env: vec![("KUBECONFIG", shown(&up.kubeconfig))], ..Scene::new() }
}

fn command(scene: &Scene, flags: &[&str]) -> duct::Expression {
    let (suite, report) = (shown(&suite()), shown(&scene.report()));
    scene.command(&[&["--suite", &suite, "--report-dir", &report], FLAGS.as_slice(), flags].concat())
}

fn run(scene: &Scene, flags: &[&str]) -> Ended {
    scene.run(&command(scene, flags))
}

/// Returns the namespaces of runs.
fn ours(up: &Up) -> String {
    up.kubectl(&["get", "namespaces", "--selector", "chartproof/run", "--output", "name"])
}

/// Returns the objects of another user on the cluster, with every field that a modification would change.
fn foreign(up: &Up) -> String {
    let of = |kind: &str| up.kubectl(&["get", kind, "--namespace", "theirs", "--output", "yaml"]);
    let namespace = up.kubectl(&["get", "namespace", "theirs", "--output", "yaml"]);
    [namespace, of("configmaps"), of("services"), of("statefulsets")].concat()
}

#[test]
fn the_whole_suite_passes_and_nothing_else_is_touched() {
    let home = Scene::new();
    let up = Up::start(&home);
    up.kubectl(&["create", "namespace", "theirs"]);
    up.kubectl(&["create", "configmap", "caesium", "--namespace", "theirs", "--from-literal=a=b"]);
    up.kubectl(&["create", "service", "clusterip", "caesium", "--namespace", "theirs", "--tcp=8080"]);
    let before = foreign(&up);
    assert!(before.contains("name: theirs") && before.contains("a: b"), "{before}");
    let users = std::fs::read(&up.kubeconfig).unwrap();

    let scene = user(&up);
    let ended = run(&scene, &["--replicas", "1"]);
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert_eq!(ended.red(), [""; 0], "{}", ended.told());
    assert!(ended.stderr.contains("the existing cluster of context chartproof"), "{}", ended.told());
    assert_eq!(ended.verdict("caesium::r1::uninstall"), Some("passed"));
    assert_eq!(ended.verdict("cluster::delete"), Some("passed"));

    assert_eq!(foreign(&up), before);
    assert_eq!(std::fs::read(&up.kubeconfig).unwrap(), users, "the user's kubeconfig is only read");
    assert_eq!(ours(&up), "");
    assert!(leases(&scene).is_empty());
    assert!(!scene.report().join("kubeconfig").exists(), "no credentials among the evidence");
    assert_eq!(up.down(&home), Some(0));
}

#[test]
fn namespaces_of_a_killed_run_are_swept_by_the_next_one_even_without_its_leases() {
    let home = Scene::new();
    let up = Up::start(&home);
    for shares_leases in [true, false] {
        let killed = user(&up);
        kill_once_installed(&killed, &command(&killed, &["r1::health"]));
        assert_ne!(ours(&up), "");
        let listed = killed.xtask(&["cluster", "list", "--context", "chartproof"]).read().unwrap();
        assert!(
            listed.contains("abandoned       run ") && listed.contains("Namespace/chartproof-caesium-r1-"),
            "{listed}"
        );

        let kubeconfig = killed.report().join("kubeconfig");
        assert!(kubeconfig.exists());
        let (evidence, other) = if shares_leases { (None, killed) } else { (Some(killed), user(&up)) };
        let ended = run(&other, &["r1::install"]);
        assert!(evidence.is_some() || !kubeconfig.exists(), "the user's credentials stay");
        assert_eq!(ended.code, 0, "{}", ended.told());
        let swept = if shares_leases {
            "swept namespaces on context chartproof"
        } else {
            "swept Namespace/chartproof-caesium-r1-"
        };
        assert!(ended.stderr.contains(swept), "{}", ended.told());
        assert_eq!(ours(&up), "", "{}", ended.told());
    }
    assert_eq!(up.down(&home), Some(0));
}

#[test]
fn namespaces_of_a_living_run_and_kept_ones_stay() {
    let home = Scene::new();
    let up = Up::start(&home);
    let scene = user(&up);
    let kept = run(&scene, &["--keep", "r1::install"]);
    assert_eq!(kept.code, 0, "{}", kept.told());
    assert!(kept.stderr.contains("kept: kubectl --kubeconfig "), "{}", kept.told());
    let namespace = ours(&up);
    assert!(namespace.starts_with("namespace/chartproof-caesium-r1-"), "{namespace}");
    let other = user(&up);
    assert_eq!(run(&other, &["r1::install"]).code, 0);
    assert_eq!(ours(&up), namespace, "kept namespaces stay");
    let listed = other.xtask(&["cluster", "list", "--context", "chartproof"]).read().unwrap();
    assert!(listed.starts_with("kept            run "), "{listed}");
    let swept = other.xtask(&["cluster", "sweep", "--context", "chartproof"]).read().unwrap();
    assert!(swept.starts_with("swept Namespace/chartproof-caesium-r1-"), "{swept}");
    assert_eq!(ours(&up), "");
    assert_eq!(up.down(&home), Some(0));
}

#[test]
fn what_a_killed_run_created_outside_of_its_namespaces_is_swept() {
    let home = Scene::new();
    let up = Up::start(&home);
    up.kubectl(&["create", "clusterrole", "theirs", "--verb=get", "--resource=pods"]);
    let killed = user(&up);
    let (suite, report) = (with_cluster_role(&killed), shown(&killed.report()));
    let flags = ["--suite", &suite, "--report-dir", &report, "--allow-cluster-objects", "r1::health"];
    kill_once_installed(&killed, &killed.command(&[&FLAGS, flags.as_slice()].concat()));
    let roles = || up.kubectl(&["get", "clusterroles", "--output", "name"]);
    assert!(roles().contains("/planted"), "{}", roles());
    let other = user(&up);
    let swept = other.xtask(&["cluster", "sweep", "--context", "chartproof"]).read().unwrap();
    assert!(swept.contains("swept Namespace/chartproof-caesium-r1-"), "{swept}");
    assert!(!roles().contains("/planted") && roles().contains("/theirs"), "{}", roles());
    assert_eq!(up.down(&home), Some(0));
}

/// Copies the chart and adds a `ClusterRole` to it.
fn with_cluster_role(scene: &Scene) -> String {
    let copy = scene.folder.path().join("caesium");
    scene
        .program("cp", &["--recursive", "--dereference", &shown(suite().parent().unwrap()), &shown(&copy)])
        .run()
        .unwrap();
    let role = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: planted}}\n";
    std::fs::write(copy.join("templates/role.yaml"), role).unwrap();
    shown(&copy)
}

/// As in CI: the containers have the same host name and kernel, but pid namespaces of their own.
#[test]
fn a_run_in_another_container_of_the_same_host_counts_as_alive() {
    let home = Scene::new();
    let up = Up::start(&home);
    let scene = user(&up);
    let (suite, report) = (shown(&suite()), shown(&scene.report()));
    let container = ["--pid", "--fork", "--kill-child", "--mount-proc", env!("CARGO_BIN_EXE_chartproof"), "e2e"];
    let words = [&container, ["--suite", &suite, "--report-dir", &report].as_slice(), &FLAGS, &["r1::health"]].concat();
    let handle = scene.program("unshare", &words).stdout_null().stderr_null().start().unwrap();
    until_installed(&scene, &handle);
    let other = user(&up);
    let listed = other.xtask(&["cluster", "sweep", "--context", "chartproof"]).read().unwrap();
    assert!(listed.starts_with("in use          run ") && !listed.contains("swept"), "{listed}");
    let ended = handle.wait().unwrap();
    let ended = scene.ended(ended.status.code());
    assert_eq!((ended.code, ended.red()), (0, vec![]), "{}", ended.told());
    assert_eq!(up.down(&home), Some(0));
}

#[test]
fn an_unreachable_cluster_fails_only_cluster_create() {
    let mut scene = Scene::new();
    let kubeconfig = scene.folder.path().join("config");
    let text = "{apiVersion: v1, kind: Config, contexts: [{name: chartproof, context: {cluster: a, user: b}}], \
                clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}], users: [{name: b, user: {token: c}}]}";
    std::fs::write(&kubeconfig, text).unwrap();
    scene.env.push(("KUBECONFIG", shown(&kubeconfig)));
    let ended = run(&scene, &["r1::install"]);
    assert_eq!(ended.code, 3, "{}", ended.told());
    assert_eq!(ended.red(), ["cluster::create"], "{}", ended.told());
    let message = ended.message("cluster::create");
    assert!(message.contains("getting the cluster's version"), "{message}");
    assert!(!scene.report().join("kubeconfig").exists() && leases(&scene).is_empty());
}

/// Starts a run and kills it as soon as it has created something on the cluster.
fn kill_once_installed(scene: &Scene, command: &duct::Expression) {
    let handle = command.start().unwrap();
    until_installed(scene, &handle);
    kill_process(Pid::from_raw(handle.pids()[0].cast_signed()).unwrap(), Signal::KILL).unwrap();
    handle.wait().unwrap();
}

fn until_installed(scene: &Scene, handle: &duct::Handle) {
    let events = || std::fs::read_to_string(scene.report().join("events.jsonl")).unwrap_or_default();
    let begun = Instant::now();
    while !events().contains(r#""type":"case_started","case":"caesium::r1::ready""#) {
        assert!(begun.elapsed() < PATIENCE && handle.try_wait().unwrap().is_none(), "it never started: {}", events());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
