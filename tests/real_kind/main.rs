//! The real kind with a fake of docker, as far as possible without a node image. If kind is not on PATH, the cases are
//! reported as ignored, with the reason: Debian's newer suites package it.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]
#![expect(dead_code, reason = "the scene is shared with tests/kind_doubles, which uses all of it")]

#[path = "../kind_doubles/doubles.rs"]
mod doubles;
#[path = "../kind_doubles/scene.rs"]
mod scene;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cluster::{Loaded, kind};
use doubles::{Rule, rule};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use process::Launcher;
use scene::{NAME, Scene};
use tokio::runtime::Runtime;
use tools::{self, Name};

fn main() -> ExitCode {
    let trials = vec![
        trial("kind_creates_loads_exports_and_deletes", kind_creates_loads_exports_and_deletes),
        trial(
            "kind_keeps_the_node_of_a_failed_creation_for_its_logs",
            kind_keeps_the_node_of_a_failed_creation_for_its_logs,
        ),
        trial("kind_reports_that_the_node_image_can_not_be_pulled", kind_reports_that_the_node_image_can_not_be_pulled),
        trial("kind_loads_again_if_an_early_load_failed", kind_loads_again_if_an_early_load_failed),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, test: fn(&Runtime, &Path)) -> Trial {
    Trial::ignorable_test(name, move || {
        let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let real = match tokio.block_on(real_kind()) {
            Ok(real) => real,
            Err(why) => return Ok(Completion::ignored_with(why)),
        };
        // As in any other test, only a panic is a failure.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&tokio, &real)));
        outcome.map(|()| Completion::Completed).map_err(|_| Failed::without_message())
    })
}

/// Returns this machine's kind, if the harness accepts it; nothing is downloaded.
async fn real_kind() -> Result<PathBuf, String> {
    let path = which::which("kind").map_err(|_| "no kind on PATH".to_owned())?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    match tools::resolve(&Launcher::light(false).searching(folder), Name::Kind).await {
        Ok(tool) if tool.path == path => Ok(path),
        _ => Err(format!("{} is not {}", path.display(), tools::accepted(Name::Kind).words)),
    }
}

/// Returns docker's responses to kind: a node that boots, and images that arrive meanwhile.
fn docker(more: Vec<Rule>) -> Vec<Rule> {
    let anytime = [
        "docker--version",
        "docker-version",
        "docker-info",
        "node-image",
        "under-version",
        "under-info-json",
        "under-info-security",
        "under-info-driver",
        "under-info-driver-status",
        "under-info",
        "under-network",
        "under-boot",
        "under-role",
        "under-desktop",
        "under-address",
        "under-ports",
        "under-inspect",
        "under-kind-version",
        "under-admin-conf",
        "under-mkdir",
        "under-kubeadm-conf",
        "under-kubectl-nodes",
        "under-manifest",
        "under-kubectl-create",
        "under-containerd-config",
        "under-crictl",
        "under-var-log",
        "under-journal",
        "under-logs",
    ];
    let state = [
        rule("under-clusters-none").when(&["absent"]),
        rule("under-clusters"),
        rule("under-nodes-none").when(&["absent"]),
        rule("under-nodes"),
        rule("under-run").then("running"),
        rule("under-images-bare").when(&["running"]),
        rule("under-images"),
        rule("under-rm").then("absent"),
    ];
    anytime.into_iter().map(rule).chain(state).chain(more).collect()
}

/// Returns the rules of a node that exists and comes up only after a given query.
fn booting(until: &str) -> Vec<Rule> {
    vec![rule("under-image"), rule("under-kubeadm-init").step("running", until)]
}

/// Returns a scene with the real kind in place of the fake.
fn scene(real: &Path, rules: &[Rule]) -> Scene {
    let scene = Scene::new(rules);
    let place = scene.doubles.bin().join("kind");
    std::fs::remove_file(&place).unwrap();
    std::os::unix::fs::symlink(real, place).unwrap();
    std::fs::write(scene.path("images.tar"), "an archive").unwrap();
    scene
}

fn kind_creates_loads_exports_and_deletes(tokio: &Runtime, real: &Path) {
    let import = rule("under-import").then("loaded");
    let mut scene = scene(real, &docker([booting("under-images"), vec![import]].concat()));
    tokio.block_on(async {
        let (cluster, archives) = (scene.cluster().await, [scene.archive()]);
        let (created, loaded) = tokio::join!(cluster.create(), cluster.load_images(&archives));
        let access = created.unwrap();
        assert_eq!(loaded.unwrap(), Loaded::OnNodes(scene.archive().references));
        let notes = scene.notes().join("\n");
        assert!(!notes.contains("again now that the cluster is there"), "not loaded while kind was creating: {notes}");
        let kubeconfig = std::fs::read_to_string(&access.kubeconfig).unwrap();
        assert!(kubeconfig.contains(&format!("current-context: {}", access.context)), "{kubeconfig}");
        let tool = tools::resolve(&scene.launcher, Name::Kind).await.unwrap();
        assert_eq!(kind::clusters(&scene.launcher, &tool).await.unwrap(), [NAME]);
        cluster.export_logs(&scene.path("run/logs")).await.unwrap();
        let journal = scene.path("run/logs").join(format!("{NAME}-control-plane/kubelet.log"));
        assert_eq!(std::fs::read_to_string(journal).unwrap(), "kubelet: started\n");
        cluster.delete().await.unwrap();
        let kubeconfig = std::fs::read_to_string(&access.kubeconfig).unwrap();
        assert!(!kubeconfig.contains(NAME), "kind removes its entry: {kubeconfig}");
    });
    assert_eq!(scene.doubles.count("under-rm"), 1);
    assert_eq!(scene.doubles.refused(), [""; 0]);
}

fn kind_keeps_the_node_of_a_failed_creation_for_its_logs(tokio: &Runtime, real: &Path) {
    let scene = scene(real, &docker(vec![rule("under-image"), rule("under-kubeadm-init-fails")]));
    tokio.block_on(async {
        let cluster = scene.cluster().await;
        let message = format!("{:#}", cluster.create().await.unwrap_err());
        assert!(
            message.starts_with("the control plane did not start; see the kubelet's journal in the exported logs"),
            "{message}"
        );
        assert_eq!(scene.doubles.count("under-rm"), 0, "the node is there for its logs");
        cluster.export_logs(&scene.path("run/logs")).await.unwrap();
        cluster.delete().await.unwrap();
    });
    assert_eq!(scene.doubles.count("under-rm"), 1);
    assert_eq!(scene.doubles.refused(), [""; 0]);
}

fn kind_reports_that_the_node_image_can_not_be_pulled(tokio: &Runtime, real: &Path) {
    let scene = scene(real, &docker(vec![rule("under-image-missing"), rule("under-pull-fails")]));
    tokio.block_on(async {
        let cluster = scene.cluster().await;
        let message = format!("{:#}", cluster.create().await.unwrap_err());
        assert!(message.starts_with("the node image can't be pulled; check the network, pass one"), "{message}");
        assert!(message.contains("no such host"), "{message}");
        cluster.delete().await.unwrap();
    });
}

fn kind_loads_again_if_an_early_load_failed(tokio: &Runtime, real: &Path) {
    let imports = vec![rule("under-import-fails").times(1), rule("under-import").then("loaded")];
    let mut scene = scene(real, &docker([booting("under-import-fails"), imports].concat()));
    tokio.block_on(async {
        let (cluster, archives) = (scene.cluster().await, [scene.archive()]);
        let (created, loaded) = tokio::join!(cluster.create(), cluster.load_images(&archives));
        created.unwrap();
        assert_eq!(loaded.unwrap(), Loaded::OnNodes(scene.archive().references));
        let notes = scene.notes().join("\n");
        assert!(notes.contains("loading images early failed, trying again now that the cluster exists"), "{notes}");
        cluster.delete().await.unwrap();
    });
    assert_eq!(scene.doubles.refused(), [""; 0]);
}
