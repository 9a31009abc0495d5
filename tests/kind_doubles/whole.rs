//! Complete runs of the binary on `--cluster kind` (long because the cases share the fakes and their rules).
//!
//! If a case needs Kubernetes, it is an embedded cluster: the fake of `kind create cluster` writes its kubeconfig, and
//! that of `kind load` passes the archive on to it.

mod node_stop;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cluster::lease::{self, LeaseRecord, Owner, Resource};
use embedded::cluster::{Cluster, Faults, Options};
use images::standin;
use process::Launcher;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::doubles::{Doubles, Rule, common, rule};
use crate::node_program::node_program;
use crate::run::{Ended, Scene, suite};

/// The image under test, which Docker has.
const IMAGE: &str = "caesiumcloud/caesium:dev";
const PATIENCE: Duration = Duration::from_secs(180);

/// A user with fakes of kind and docker first on PATH.
struct User {
    scene: Scene,
    doubles: Doubles,
}

impl User {
    fn new(rules: &[Rule]) -> Self {
        let mut scene = Scene::new();
        let doubles = Doubles::new(scene.folder.path(), &scene.report(), rules);
        let path = std::env::var("PATH").unwrap_or_default();
        scene.env = vec![("PATH", format!("{}:{path}", doubles.bin().display()))];
        Self { scene, doubles }
    }

    fn command(&self, flags: &[&str]) -> duct::Expression {
        self.command_of(&suite(), flags)
    }

    fn command_of(&self, suite: &Path, flags: &[&str]) -> duct::Expression {
        let (suite, report) = (shown(suite), shown(&self.scene.report()));
        let common = ["--suite", &suite, "--cluster", "kind", "--report-dir", &report, "--image", IMAGE];
        self.scene.command(&[&common, flags].concat())
    }

    fn run(&self, flags: &[&str]) -> Ended {
        self.scene.run(&self.command(flags))
    }

    /// Returns the output of `cargo xtask cluster list`.
    fn clusters(&self) -> String {
        self.scene.xtask(&["cluster", "list"]).read().unwrap()
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Removes recordings that end a cluster: the test has its own.
fn but(mut rules: Vec<Rule>, recordings: &[&str]) -> Vec<Rule> {
    rules.retain(|rule| !recordings.iter().any(|recording| rule.plays(recording)));
    rules
}

/// Returns the rules for saving and loading images: an archive of the image under test.
fn images() -> Vec<Rule> {
    vec![
        rule("docker-image-inspect"),
        rule("inspect-curl"),
        rule("inspect-caesium"),
        rule("docker-save-run").does(json!({"copies": {"from": "$BASE/stand-in.tar", "to": "$DIR/images.tar"}})),
        rule("kind-export-run-logs"),
        rule("node-images-run").when(&["loaded", "created"]),
    ]
}

/// Returns the rule of a creation whose cluster is the embedded one in `$BASE/embedded`.
fn creation() -> Rule {
    let kubeconfig = json!({"kubeconfig": {"of": "$BASE/embedded", "to": "$DIR/kubeconfig"}});
    rule("kind-create").when(&["absent"]).does(kubeconfig).then("created")
}

/// Returns the same rule, but it finishes only after this query, once the node's runtime is up.
fn creation_until(recording: &str) -> Rule {
    creation().step("booting", "node-images-not-up").step("runtime", recording)
}

fn all(more: Vec<Rule>) -> Vec<Rule> {
    [but(common(), &["node-images"]), images(), more].into_iter().flatten().collect()
}

/// Returns the rules of loads that pass the archives on to the embedded cluster.
fn loads() -> Vec<Rule> {
    let into = json!({"loads": {"into": "$BASE/embedded"}});
    let load = |recording| rule(recording).when(&["runtime", "created", "loaded"]).does(into.clone()).then("loaded");
    vec![load("kind-load-run"), load("kind-load-client")]
}

/// Creates the archive of the image that docker supposedly has.
fn stand_in(scene: &Scene) {
    let into = shown(&scene.folder.path().join("stand-in.tar"));
    let path = shown(&suite());
    let built = scene.xtask(&["image", "--suite", &path, "--tag", IMAGE, "--output", &into]).run().unwrap();
    assert!(built.status.success());
}

async fn embedded(scene: &Scene) -> Cluster {
    let (dir, program) = (scene.folder.path().join("embedded"), node_program().await);
    Cluster::start(Options { dir, program, faults: Faults::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_one_replica_passes_and_every_command_line_is_shown() {
    let kill = rule("crictl-stop").does(json!({"kills": {"of": "$BASE/embedded"}}));
    let user = User::new(&all([vec![creation_until("node-images-run"), kill], loads()].concat()));
    stand_in(&user.scene);
    let cluster = embedded(&user.scene).await;
    let ended = user.run(&["--replicas", "1", "-v"]);
    cluster.stop().await.unwrap();
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert!(ended.stdout.contains(" passed; 0 failed; 0 ignored;"), "{}", ended.told());
    assert_eq!(ended.verdict("caesium::r1::uninstall"), Some("passed"));
    let kind = "kind v0.33.0 on Docker 20.10.24+dfsg1, node image kindest/node:v1.36.4@sha256:";
    assert!(ended.stderr.contains(kind), "{}", ended.told());
    let image = "with caesiumcloud/caesium:dev on kind";
    assert!(ended.stderr.contains(image), "the tested image is not called a stand-in: {}", ended.told());
    let budgets = "budgets.kind.toml: fault costs are reported but not checked against a budget";
    assert!(ended.stderr.contains(budgets), "{}", ended.told());
    assert_eq!(user.doubles.refused(), [""; 0]);
    assert_eq!(user.doubles.played().last_chunk().unwrap(), &["kind-delete", "kind-get-clusters-none"]);
    every_command_is_shown(&user, &ended);
    assert_eq!(user.clusters(), "earlier runs left nothing behind");
}

/// Checks that each command, including the fakes', is on the terminal, and names its kubeconfig and context.
fn every_command_is_shown(user: &User, ended: &Ended) {
    let shown: Vec<_> = ended.stderr.lines().filter_map(|line| line.strip_prefix("+ ")).collect();
    let commands = std::fs::read_dir(user.scene.report().join("commands")).unwrap();
    let kept: Vec<_> = commands.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    assert!(kept.len() > 30 && shown.len() == kept.len(), "{} shown, {} kept", shown.len(), kept.len());
    for text in &kept {
        let line = text.lines().next().and_then(|line| line.strip_prefix("$ ")).unwrap_or_default();
        // Before a value is seen in the rendered chart, the terminal hides it as a secret.
        let hidden = line.replace("config.logLevel=debug", "config.logLevel=REDACTED");
        assert!(shown.contains(&line) || shown.contains(&hidden.as_str()), "not shown: {line}");
    }
    let ours = user.doubles.lines().len();
    let told = |line: &&&str| line.contains("/bin/kind ") || line.contains("/bin/docker ");
    assert_eq!(shown.iter().filter(told).count(), ours, "{shown:#?}");
    for line in shown.iter().filter(|line| line.contains("helm install") || line.contains("helm test")) {
        assert!(line.contains("--kubeconfig ") && line.contains("--kube-context kind-chartproof-"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_fails_once_is_retried_and_the_run_passes() {
    let failing = vec![creation_until("kind-load-run-fails"), rule("kind-load-run-fails").times(1)];
    let user = User::new(&all([failing, loads()].concat()));
    stand_in(&user.scene);
    let cluster = embedded(&user.scene).await;
    let ended = user.run(&["images::load"]);
    cluster.stop().await.unwrap();
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert!(
        ended.stderr.contains("loading images early failed, trying again now that the cluster exists"),
        "{}",
        ended.told()
    );
    assert_eq!(user.doubles.count("kind-load-run-fails"), 1);
    assert_eq!(user.clusters(), "earlier runs left nothing behind");
}

/// The recovering counterpart is [`every_case_of_one_replica_passes_and_every_command_line_is_shown`].
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_runs_another_image_than_was_loaded_fails_the_case() {
    let says_so = rule("kind-load-run").when(&["runtime", "created", "loaded"]).then("loaded");
    let user = User::new(&all([vec![creation_until("node-images-run"), says_so], loads()].concat()));
    let (cluster, archive) = (embedded(&user.scene).await, user.scene.folder.path().join("stand-in.tar"));
    // The node has an image of the same name, and the load above changes nothing.
    stand_in(&user.scene);
    cluster.load_images(&archive).await.unwrap();
    let newer = standin::build(&Launcher::light(false), "/bin/newer", &[IMAGE.parse().unwrap()]).await.unwrap();
    std::fs::copy(newer.path, archive).unwrap();
    let ended = user.run(&["r1::ready"]);
    cluster.stop().await.unwrap();
    assert_eq!(ended.code, 101, "{}", ended.told());
    assert_eq!(ended.red(), ["caesium::r1::ready"], "{}", ended.told());
    let words =
        "container caesium of Pod/caesium-0 does not run the loaded image caesiumcloud/caesium:dev: it runs sha256:";
    assert!(ended.message("caesium::r1::ready").starts_with(words), "{}", ended.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_keeps_failing_fails_images_load() {
    let user = User::new(&all(vec![creation_until("kind-load-run-fails"), rule("kind-load-run-fails")]));
    stand_in(&user.scene);
    let cluster = embedded(&user.scene).await;
    let ended = user.run(&["r1::install"]);
    cluster.stop().await.unwrap();
    assert_eq!(ended.code, 101, "{}", ended.told());
    assert_eq!(ended.red(), ["images::load"], "{}", ended.told());
    assert!(ended.message("images::load").contains("images.tar can't be loaded"), "{}", ended.told());
    assert_eq!(ended.verdict("caesium::r1::install"), Some("not_run"));
    assert_eq!(user.doubles.count("kind-export-run-logs"), 1, "the node's logs are kept");
    assert_eq!(user.clusters(), "earlier runs left nothing behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_stopping_during_a_run_ends_the_run_and_its_lease_is_kept() {
    let gone = ["node-state-docker-gone", "kind-delete-docker-gone", "kind-get-clusters-docker-gone"].map(rule);
    let rules =
        but(all([vec![creation_until("node-images-run")], loads()].concat()), &["kind-delete", "kind-get-clusters"]);
    let user = User::new(&[rules, gone.into()].concat());
    stand_in(&user.scene);
    let cluster = embedded(&user.scene).await;
    let events = user.scene.report().join("events.jsonl");
    let stop = async move {
        let began = Instant::now();
        let is_ready =
            |text: String| text.lines().any(|line| line.contains("case_ended") && line.contains("r1::ready"));
        while !std::fs::read_to_string(&events).is_ok_and(is_ready) && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cluster.stop().await.unwrap();
        Instant::now()
    };
    let stop = tokio::spawn(stop);
    let ended = tokio::task::block_in_place(|| user.run(&["r1::pod_kill"]));
    let stopped = stop.await.unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(40), "no case waits for its deadline: {}", ended.told());
    assert_eq!(ended.code, 3, "{}", ended.told());
    assert_eq!(ended.red(), [""; 0], "no case is to blame: {}", ended.told());
    let told = "ending the run: the kind cluster chartproof-";
    assert!(
        ended.stderr.contains(told) && ended.stderr.contains("is gone, because docker has stopped"),
        "{}",
        ended.told()
    );
    assert!(user.clusters().contains("kind cluster chartproof-"), "{}", user.clusters());
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_redacted_in_the_logs_that_kind_exports() {
    let save = rule("docker-save-any").does(json!({"copies": {"from": "$BASE/stand-in.tar", "to": "$DIR/images.tar"}}));
    let journal = json!({"copies": {"from": "$BASE/journal.log", "to": "$DIR/cluster-logs/node/journal.log"}});
    let export = rule("kind-export-run-logs").does(journal);
    let user = User::new(&[vec![export, save], all([vec![creation()], loads()].concat())].concat());
    stand_in(&user.scene);
    // The Secret's values, one of them also in base64, and a value under a flag that is named like a password.
    let journal = "kubelet has started\ndsn=db://swordfish-of-the-north@host c3dvcmRmaXNoLW9mLXRoZS1ub3J0aA==\n\
                   env tortoise-of-the-south, called with pelican-of-the-shore\n";
    std::fs::write(user.scene.folder.path().join("journal.log"), journal).unwrap();
    let cluster = embedded(&user.scene).await;
    let leaky = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/e2e/leaky/e2e.toml");
    let flags = ["--set", "apiToken=pelican-of-the-shore", "--timeout", "20", "r1::ready"];
    let ended = user.scene.run(&user.command_of(&leaky, &flags));
    cluster.stop().await.unwrap();
    assert_eq!(ended.red(), ["leaky::r1::ready"], "{}", ended.told());
    let kept = std::fs::read_to_string(user.scene.report().join("cluster-logs/node/journal.log")).unwrap();
    let hidden = "kubelet has started\ndsn=REDACTED REDACTED\nenv REDACTED, called with REDACTED\n";
    assert_eq!(kept, hidden);
}

#[test]
fn a_failed_creation_fails_cluster_create_with_its_logs_and_exit_code_3() {
    let half_way = rule("kind-create-half-way").when(&["absent"]).step("booting", "node-images-not-up").then("broken");
    let user = User::new(&all(vec![half_way]));
    stand_in(&user.scene);
    let ended = user.run(&["r1::install"]);
    assert_eq!(ended.code, 3, "{}", ended.told());
    assert_eq!(ended.red(), ["cluster::create"], "{}", ended.told());
    let message = ended.message("cluster::create");
    assert!(
        message.starts_with("the control plane did not start; see the kubelet's journal in the exported logs"),
        "{message}"
    );
    assert!(message.contains("kind create cluster") && message.contains("exit code 1 after"), "{message}");
    for blocked in ["images::load", "caesium::r1::install"] {
        assert_eq!(ended.verdict(blocked), Some("not_run"), "{blocked}: {}", ended.told());
    }
    assert!(ended.stdout.contains("images::load") && ended.stdout.contains("(not run: cluster::create)"));
    assert_eq!(ended.verdict("cluster::delete"), Some("passed"), "{}", ended.told());
    let last = ["kind-export-run-logs", "kind-delete", "kind-get-clusters-none"];
    assert_eq!(user.doubles.played().last_chunk().unwrap(), &last);
    assert_eq!(user.clusters(), "earlier runs left nothing behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_deletion_is_a_failed_case_of_its_own_and_the_next_run_sweeps() {
    let rules = but(all(vec![creation()]), &["kind-delete"]);
    let failing = rule("kind-delete-fails").times(3);
    let user = User::new(&[rules, vec![failing, rule("kind-delete").then("absent")]].concat());
    let cluster = embedded(&user.scene).await;
    let ended = user.run(&["cluster::create"]);
    assert_eq!(ended.code, 101, "{}", ended.told());
    assert_eq!(ended.red(), ["cluster::delete"], "{}", ended.told());
    let message = ended.message("cluster::delete");
    assert!(message.contains("run `cargo xtask cluster sweep`") && message.contains("is left behind"), "{message}");
    assert!(message.contains("could not kill container: permission denied"), "{message}");
    assert!(user.clusters().starts_with("abandoned       run "), "{}", user.clusters());
    let again = user.run(&["cluster::create"]);
    cluster.stop().await.unwrap();
    assert_eq!(again.code, 0, "{}", again.told());
    assert!(again.stderr.contains("swept kind cluster chartproof-"), "{}", again.told());
}

#[test]
fn without_docker_nothing_is_created_and_the_exit_code_is_3() {
    let user = User::new(&[rule("docker--version"), rule("docker-version-gone"), rule("kind-version")]);
    let ended = user.run(&["cluster::create"]);
    assert_eq!(ended.code, 3, "{}", ended.told());
    assert!(ended.stderr.contains("1 problem found before the run, nothing was created"), "{}", ended.told());
    assert!(ended.stderr.contains("docker is unavailable: Cannot connect to the Docker daemon"), "{}", ended.told());
    assert_eq!(user.doubles.lines(), ["docker --version", "docker version --format json", "kind version"]);
}

#[test]
fn if_docker_becomes_unreachable_it_is_named_and_what_is_left_is_listed() {
    let rules = but(all(vec![]), &["kind-delete", "kind-get-clusters", "kind-get-clusters-none"]);
    let gone = [rule("kind-delete-docker-gone"), rule("kind-get-clusters-docker-gone")];
    let broken = rule("kind-create-half-way").when(&["absent"]).then("broken");
    let user = User::new(&[rules, vec![broken], gone.into()].concat());
    let ended = user.run(&["cluster::create"]);
    assert_eq!(ended.code, 3, "{}", ended.told());
    assert_eq!(ended.red(), ["cluster::create", "cluster::delete"], "{}", ended.told());
    assert!(ended.message("cluster::delete").contains("Cannot connect to the Docker daemon"), "{}", ended.told());
    let left = user.clusters();
    assert!(left.starts_with("abandoned       run ") && left.contains("kind cluster chartproof-"), "{left}");
}

#[test]
fn an_outdated_kind_is_not_used() {
    let mut user =
        User::new(&[rule("docker--version"), rule("docker-version"), rule("docker-info"), rule("kind-version-old")]);
    // Nothing is downloaded, and nothing was.
    user.scene.env.push(("CHARTPROOF_OFFLINE", "1".to_owned()));
    user.scene.env.push(("XDG_CACHE_HOME", shown(&user.scene.folder.path().join("cache"))));
    let ended = user.run(&["cluster::create"]);
    assert_eq!(ended.code, 3, "{}", ended.told());
    let told = "/bin/kind is v0.27.0, but 0.33 or newer is required";
    assert!(
        ended.stderr.contains(told) && ended.stderr.contains("fix: install it, or use `--cluster embedded`"),
        "{}",
        ended.told()
    );
    assert!(!user.doubles.played().iter().any(|played| played == "kind-create"));
}

/// Returns the rule of a creation that only a signal ends.
fn endless() -> Rule {
    rule("kind-create-interrupted").when(&["absent"]).step("booting", "never")
}

/// Starts a run and signals it while kind is creating the cluster.
fn signalled(user: &User, signal: Signal) -> Ended {
    let handle = user.command(&["cluster::create"]).start().unwrap();
    let begun = Instant::now();
    while user.doubles.count("kind-create-interrupted") == 0 {
        assert!(begun.elapsed() < PATIENCE && handle.try_wait().unwrap().is_none(), "{:?}", user.doubles.lines());
        std::thread::park_timeout(Duration::from_millis(20));
    }
    kill_process(Pid::from_raw(handle.pids()[0].cast_signed()).unwrap(), signal).unwrap();
    let output = handle.wait().unwrap();
    user.scene.ended(Some(output.status.code().unwrap_or(-1)))
}

#[test]
fn ctrl_c_while_kind_creates_ends_with_130_after_the_cluster_was_deleted() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let user = User::new(&all(vec![endless()]));
        let ended = signalled(&user, signal);
        assert_eq!(ended.code, code, "{}", ended.told());
        assert_eq!(ended.verdict("cluster::delete"), Some("passed"), "{}", ended.told());
        assert_eq!(user.doubles.played().last_chunk().unwrap(), &["kind-delete", "kind-get-clusters-none"]);
        assert_eq!(user.clusters(), "earlier runs left nothing behind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_deletes_what_a_killed_run_leaves() {
    let user = User::new(&all(vec![endless().times(1), creation()]));
    let cluster = embedded(&user.scene).await;
    signalled(&user, Signal::KILL);
    assert!(user.clusters().contains("kind cluster chartproof-"), "{}", user.clusters());
    let killed = named(&user, "kind create cluster");
    let ended = user.run(&["cluster::create"]);
    cluster.stop().await.unwrap();
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert!(ended.stderr.contains(&format!("swept kind cluster {}", killed[0])), "{}", ended.told());
    let (created, deleted) = (named(&user, "kind create cluster"), named(&user, "kind delete cluster"));
    assert_eq!(created, deleted, "each is deleted, the killed run's first");
    assert_eq!(user.clusters(), "earlier runs left nothing behind");
}

/// Returns the names of the clusters in a command's lines.
fn named(user: &User, command: &str) -> Vec<String> {
    let lines = user.doubles.lines().into_iter().filter(|line| line.starts_with(command));
    lines.filter_map(|line| line.split(' ').find(|word| word.starts_with("chartproof-")).map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_cluster_is_reused_and_stays() {
    let user = User::new(&all(vec![creation()]));
    let cluster = embedded(&user.scene).await;
    let kept = user.run(&["--keep", "cluster::create"]);
    assert_eq!(kept.code, 0, "{}", kept.told());
    assert!(kept.stderr.contains("kept: kubectl --kubeconfig "), "{}", kept.told());
    assert!(user.clusters().starts_with("kept            run "), "{}", user.clusters());
    // The first run's folder contains the kubeconfig, so the second has a folder of its own.
    let again = shown(&user.scene.folder.path().join("again"));
    let suite = shown(&suite());
    let flags = ["--suite", &suite, "--cluster", "kind", "--report-dir", &again, "--reuse", "cluster::create"];
    let ended = user.scene.run(&user.scene.command(&flags));
    cluster.stop().await.unwrap();
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert!(ended.stderr.contains("the existing cluster of context kind-chartproof-"), "{}", ended.told());
    assert_eq!((user.doubles.count("kind-create"), user.doubles.count("kind-delete")), (1, 0));
    assert!(user.clusters().starts_with("kept            run "), "{}", user.clusters());
}

#[test]
fn a_missing_kept_cluster_is_a_usage_error() {
    let user = User::new(&all(vec![]));
    let leases = user.scene.folder.path().join("state/chartproof/leases");
    let gone = Owner { pid: i32::MAX, ..Owner::this_process() };
    let resources = vec![Resource::KindCluster("chartproof-ab12".to_owned())];
    let record =
        LeaseRecord { owner: gone, kept: true, resources, ..LeaseRecord::of_this_process("ab12", "/nowhere".as_ref()) };
    lease::write(&leases.join("ab12.json"), &record).unwrap();
    let ended = user.run(&["--reuse", "cluster::create"]);
    assert_eq!(ended.code, 2, "{}", ended.told());
    let told = "--reuse: the kind cluster chartproof-ab12 that run ab12 kept is gone; `cargo xtask cluster sweep`";
    assert!(ended.stderr.contains(told), "{}", ended.told());
}
