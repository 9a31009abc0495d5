//! A kind cluster from its plan to its end, without the binary (long because the cases share the fakes and the scene).

use std::collections::BTreeSet;

use cluster::lease::{self, Change, LeaseRecord, Owner};
use cluster::{self, Choice, Health, Loaded, Problems, sweep};
use process::Launcher;
use tokio_util::sync::CancellationToken;
use tools::Docker;

use crate::doubles::{common, healthy, rule};
use crate::scene::{NAME, Scene};

/// The query that a responsive Docker gets.
const DOCKER_INFO: &str =
    "docker info --format {{json .ServerVersion}} {{json .CgroupVersion}} {{json .NCPU}} {{json .MemTotal}}";

#[tokio::test]
async fn a_cluster_is_created_loaded_early_and_deleted() {
    let scene = Scene::new(&healthy());
    let cluster = scene.cluster().await;
    let archives = [scene.archive()];
    let (created, loaded) = tokio::join!(cluster.create(), cluster.load_images(&archives));
    let access = created.unwrap();
    assert_eq!(access.context, format!("kind-{NAME}"));
    assert_eq!(access.kubeconfig, scene.path("run/kubeconfig"));
    assert_eq!(mode(&access.kubeconfig), 0o600);
    assert_eq!(loaded.unwrap(), Loaded::OnNodes(scene.archive().references));
    assert!(scene.leased());
    cluster.delete().await.unwrap();
    assert!(!scene.leased());
    let image = tools::pins::node_image();
    // While the cluster is being created, the queries run in parallel, in any order.
    let lines: BTreeSet<String> = scene.doubles.lines().into_iter().collect();
    let expected = [
        "docker --version".to_owned(),
        "docker version --format json".to_owned(),
        DOCKER_INFO.to_owned(),
        "kind version".to_owned(),
        format!("docker image inspect {image} --format {{{{.Id}}}} {{{{.Os}}}}/{{{{.Architecture}}}} {{{{.Size}}}}"),
        format!("kind create cluster --name {NAME} --image {image} --retain --kubeconfig SCENE/run/kubeconfig"),
        format!("kind get nodes --name {NAME}"),
        format!("docker exec {NAME}-control-plane ctr -n k8s.io images ls -q"),
        format!("kind load image-archive SCENE/images.tar --name {NAME}"),
        format!("kind delete cluster --name {NAME} --kubeconfig SCENE/run/kubeconfig"),
        "kind get clusters".to_owned(),
    ];
    assert_eq!(lines, expected.into());
    let last = ["node-images", "kind-delete", "kind-get-clusters-none"];
    assert_eq!(scene.doubles.played().last_chunk().unwrap(), &last, "loaded while it was being created");
}

#[tokio::test]
async fn a_stopped_node_is_restarted_by_the_run_or_by_the_next_sweep() {
    let stop = rule("docker-kill-node").step("stopping", "never");
    let scene = Scene::new(&[healthy(), vec![stop, rule("docker-start-node")]].concat());
    let cluster = scene.cluster().await;
    let stopped = Change::NodeStopped(format!("{NAME}-worker"));
    // As after an interrupt: the command has started, and nobody waits for it any more.
    let begun = async {
        while scene.doubles.count("docker-kill-node") == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        made = cluster.make(&stopped) => panic!("{made:?}"),
        () = begun => {}
    }
    let leased = || lease::all(&scene.path("leases")).unwrap();
    assert_eq!(leased()[0].1.changes, std::slice::from_ref(&stopped));
    // Even after the run was interrupted.
    let record = LeaseRecord { owner: Owner { pid: i32::MAX, ..Owner::this_process() }, ..leased()[0].1.clone() };
    scene.cancel.cancel();
    cluster.undo(&stopped).await.unwrap();
    assert_eq!((scene.doubles.count("docker-start-node"), leased().len()), (1, 0));
    // A run that was killed at that moment.
    lease::write(&scene.path("leases/dead.json"), &record).unwrap();
    let launcher = scene.launcher.stopped_by(CancellationToken::new());
    let swept = sweep::sweep(&launcher, &scene.path("leases"), false).await.unwrap();
    assert!(swept[0].starts_with(&format!("swept stopped Node/{NAME}-worker ")), "{swept:?}");
    assert_eq!((scene.doubles.count("docker-start-node"), leased().len()), (2, 0));
}

#[tokio::test]
async fn every_command_is_an_event_with_its_output_in_a_file() {
    let scene = Scene::new(&healthy());
    let cluster = scene.up().await;
    cluster.delete().await.unwrap();
    let files = std::fs::read_dir(scene.path("run/commands")).unwrap().map(|entry| entry.unwrap().path());
    let texts: Vec<String> = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert_eq!(texts.len(), scene.doubles.lines().len());
    let create = texts.iter().find(|text| text.contains("kind create cluster")).unwrap();
    assert!(create.contains("--- stderr\n") && create.contains("✓ Starting control-plane"), "{create}");
}

#[tokio::test]
async fn a_failed_early_load_is_retried_once_the_cluster_is_ready() {
    let mut rules = common();
    let create = rule("kind-create").when(&["absent"]).writes("$DIR/kubeconfig").then("created");
    rules.push(create.step("runtime", "kind-load-archive-fails"));
    rules.push(rule("kind-load-archive-fails").times(1));
    rules.push(rule("kind-load-archive").when(&["created"]));
    let mut scene = Scene::new(&rules);
    let cluster = scene.cluster().await;
    let archives = [scene.archive()];
    let (created, loaded) = tokio::join!(cluster.create(), cluster.load_images(&archives));
    created.unwrap();
    assert_eq!(loaded.unwrap(), Loaded::OnNodes(scene.archive().references));
    let notes = scene.notes().join("\n");
    assert!(notes.contains("loading images early failed, trying again now that the cluster exists"), "{notes}");
    assert!(notes.contains("containerd.sock: timeout"), "{notes}");
    assert_eq!((scene.doubles.count("kind-load-archive-fails"), scene.doubles.count("kind-load-archive")), (1, 1));
    cluster.delete().await.unwrap();
}

#[tokio::test]
async fn a_late_node_gets_its_images_once_the_cluster_is_ready() {
    let mut rules = common();
    rules.retain(|rule| !rule.plays("kind-get-nodes") && !rule.plays("node-images"));
    // The worker does not exist yet when the control plane's runtime responds.
    rules.push(rule("kind-get-nodes").when(&["booting", "runtime"]));
    rules.push(rule("kind-get-nodes-two"));
    rules.push(rule("node-images"));
    rules.push(rule("worker-images-bare").times(1));
    rules.push(rule("worker-images"));
    let create = rule("kind-create").when(&["absent"]).writes("$DIR/kubeconfig").then("created");
    // Not complete before the control plane was checked: until then its images are not loaded.
    rules.push(create.step("runtime", "node-images"));
    rules.push(rule("kind-load-archive").then("loaded"));
    let mut scene = Scene::new(&rules);
    let cluster = scene.cluster().await;
    let archives = [scene.archive()];
    let (created, loaded) = tokio::join!(cluster.create(), cluster.load_images(&archives));
    created.unwrap();
    assert_eq!(loaded.unwrap(), Loaded::OnNodes(scene.archive().references));
    let notes = scene.notes().join("\n");
    let told = "again now that the cluster exists: busybox:1.36.1 was loaded without an error, but is missing on chartproof-ab12-worker";
    assert!(notes.contains(told), "{notes}");
    assert_eq!(scene.doubles.count("kind-load-archive"), 2);
    cluster.delete().await.unwrap();
}

#[tokio::test]
async fn a_load_that_keeps_failing_is_reported_and_the_cluster_is_deleted() {
    let mut rules = common();
    let create = rule("kind-create").when(&["absent"]).writes("$DIR/kubeconfig").then("created");
    rules.push(create.step("runtime", "kind-load-archive-fails"));
    rules.push(rule("kind-load-archive-fails"));
    let scene = Scene::new(&rules);
    let cluster = scene.cluster().await;
    let archives = [scene.archive()];
    let (created, loaded) = tokio::join!(cluster.create(), cluster.load_images(&archives));
    created.unwrap();
    let message = format!("{:#}", loaded.unwrap_err());
    assert!(message.contains("images.tar can't be loaded"), "{message}");
    assert!(message.contains("kind load image-archive") && message.contains("exit code 1 after"), "{message}");
    assert_eq!(scene.doubles.count("kind-load-archive-fails"), 2);
    cluster.delete().await.unwrap();
    assert_eq!(scene.doubles.count("kind-delete"), 1);
}

#[tokio::test]
async fn missing_images_on_a_node_are_noticed() {
    let mut rules = common();
    rules.retain(|rule| !rule.plays("node-images"));
    rules.push(rule("node-images-bare").when(&["created"]));
    rules.push(rule("kind-create").when(&["absent"]).writes("$DIR/kubeconfig").then("created"));
    rules.push(rule("kind-load-archive"));
    let scene = Scene::new(&rules);
    let cluster = scene.cluster().await;
    cluster.create().await.unwrap();
    let message = cluster.load_images(&[scene.archive()]).await.unwrap_err().to_string();
    let expected = "busybox:1.36.1 was loaded without an error, but is missing on chartproof-ab12-control-plane";
    assert_eq!(message, expected);
    cluster.delete().await.unwrap();
}

#[tokio::test]
async fn a_failed_creation_leaves_its_logs_but_no_cluster() {
    let mut rules = common();
    rules.push(rule("kind-create-half-way").when(&["absent"]).step("booting", "node-images-not-up").then("broken"));
    let scene = Scene::new(&rules);
    let cluster = scene.cluster().await;
    let archives = [scene.archive()];
    let (created, loaded) = tokio::join!(cluster.create(), cluster.load_images(&archives));
    let message = format!("{:#}", created.unwrap_err());
    assert!(
        message.starts_with("the control plane did not start; see the kubelet's journal in the exported logs"),
        "{message}"
    );
    assert!(
        message.contains("exit code 1 after") && message.contains("timed out waiting for the condition"),
        "{message}"
    );
    let message = loaded.unwrap_err().to_string();
    assert!(message.starts_with("the cluster was not created: the control plane did not start"), "{message}");
    cluster.export_logs(&scene.path("run/logs")).await.unwrap();
    cluster.delete().await.unwrap();
    let last = ["kind-export-logs", "kind-delete", "kind-get-clusters-none"];
    assert_eq!(scene.doubles.played().last_chunk().unwrap(), &last);
    assert!(!scene.leased());
}

/// Returns the rules of a Docker that lacks the node image.
fn without_node_image(pull: crate::doubles::Rule) -> Vec<crate::doubles::Rule> {
    let mut rules = common();
    rules.retain(|rule| !rule.plays("node-image"));
    rules.extend([rule("node-image-missing"), pull]);
    rules
}

#[tokio::test]
async fn if_the_node_image_can_not_be_pulled_kind_fails_and_auto_uses_the_embedded_cluster() {
    let scene = Scene::new(&without_node_image(rule("node-image-pull-offline")));
    let image = tools::pins::node_image();
    let lacking = format!("docker does not have the node image {image} and can't pull it: Get ");
    let mut problems = Problems::default();
    drop(cluster::prepare(&scene.launcher, &scene.request(), &mut problems).await.unwrap());
    let message = problems.into_result().unwrap_err().to_string();
    assert!(message.contains(&lacking) && message.contains("no such host"), "{message}");
    assert!(message.contains("`--node-image`, or use `--cluster embedded`"), "{message}");
    assert_eq!(scene.doubles.count("node-image-pull-offline"), 4, "a retry may succeed");

    let auto = cluster::Request { choice: Choice::Auto, ..scene.request() };
    let mut problems = Problems::default();
    let cluster = cluster::prepare(&scene.launcher, &auto, &mut problems).await.unwrap().unwrap();
    problems.into_result().unwrap();
    let said = cluster.describe();
    assert!(said.starts_with("the embedded cluster, because kind can't be used: docker does not have the node image"));
    assert!(said.contains("no such host"), "{said}");
    assert_eq!(scene.doubles.count("node-image-pull-offline"), 6, "there is another cluster to use");

    for request in [
        cluster::Request { ci: true, ..auto.clone() },
        cluster::Request { kind_config: Some(scene.path("bin/rules.json")), ..auto.clone() },
    ] {
        let mut problems = Problems::default();
        drop(cluster::prepare(&scene.launcher, &request, &mut problems).await.unwrap());
        let message = problems.into_result().unwrap_err().to_string();
        assert!(message.starts_with("1 problem found before the run") && message.contains(&lacking), "{message}");
    }
    let unused = cluster::Request { unused: true, ..scene.request() };
    let mut problems = Problems::default();
    drop(cluster::prepare(&scene.launcher, &unused, &mut problems).await.unwrap());
    problems.into_result().unwrap();
    assert_eq!(scene.doubles.count("kind-create"), 0);
}

#[tokio::test]
async fn a_node_image_from_a_flag_is_checked_too() {
    let rules = [rule("node-image-other-missing"), rule("node-image-other-pull-offline")];
    let scene = Scene::new(&[common(), rules.into()].concat());
    let node_image = Some("kindest/node:v0.0.0".to_owned());
    let request = cluster::Request { choice: Choice::Auto, node_image, ..scene.request() };
    let mut problems = Problems::default();
    drop(cluster::prepare(&scene.launcher, &request, &mut problems).await.unwrap());
    let message = problems.into_result().unwrap_err().to_string();
    assert!(message.contains("the node image kindest/node:v0.0.0 and can't pull it"), "{message}");
}

#[tokio::test]
async fn a_missing_node_image_is_pulled_before_anything_is_created() {
    let mut scene = Scene::new(&without_node_image(rule("node-image-pull")));
    drop(scene.cluster().await);
    assert_eq!(scene.doubles.count("node-image-pull"), 1);
    let notes = scene.notes().join("\n");
    assert!(notes.contains("not in docker yet, pulling"), "{notes}");
}

#[tokio::test]
async fn auto_uses_the_embedded_cluster_if_kind_is_too_old_or_docker_lacks_an_image_of_the_chart() {
    let scene =
        Scene::new(&[rule("docker--version"), rule("docker-version"), rule("docker-info"), rule("kind-version-old")]);
    let auto = cluster::Request { choice: Choice::Auto, ..scene.request() };
    let lacking = |image: &str| [(image.parse().unwrap(), "no such host".to_owned())];
    let mut problems = Problems::default();
    let instead = cluster::without_images(&Launcher::light(false), &auto, &lacking("busybox:1.36.1"), &mut problems)
        .unwrap()
        .unwrap();
    let because = "the embedded cluster, because docker does not have busybox:1.36.1 and can't pull it: no such host";
    assert_eq!(instead.describe(), because);
    problems.into_result().unwrap();
    for (request, image, fix) in [
        (cluster::Request { ci: true, ..auto.clone() }, "busybox:1.36.1", "or use `--cluster embedded`, which has it"),
        (scene.request(), "busybox:1.36.1", "or use `--cluster embedded`, which has it"),
        (auto, "registry.test/app:1", "`--cluster embedded` needs it, too"),
    ] {
        let mut problems = Problems::default();
        assert!(
            cluster::without_images(&Launcher::light(false), &request, &lacking(image), &mut problems)
                .unwrap()
                .is_none()
        );
        let message = problems.into_result().unwrap_err().to_string();
        assert!(message.contains(&format!("docker does not have {image}")) && message.contains(fix), "{message}");
    }
}

#[tokio::test]
async fn docker_reports_whether_the_cluster_still_exists() {
    let states = ["node-state", "node-state-exited", "node-state-removed", "node-state-docker-gone"];
    let states = states.map(|state| rule(state).times(1));
    let scene = Scene::new(&[healthy(), states.into()].concat());
    let cluster = scene.up().await;
    assert_eq!(cluster.health().await, Health::Runs);
    for words in [
        "the kind cluster chartproof-ab12 has stopped: its node chartproof-ab12-control-plane is exited",
        "the kind cluster chartproof-ab12 is gone: docker no longer has the container chartproof-ab12-control-plane",
        "the kind cluster chartproof-ab12 is gone, because docker has stopped: Cannot connect to the Docker daemon",
    ] {
        let Health::Gone(how) = cluster.health().await else { panic!("it is {words}") };
        assert!(how.starts_with(words), "{how}");
    }
    cluster.delete().await.unwrap();
}

#[tokio::test]
async fn docker_stops_and_starts_a_node_and_a_missing_one_is_reported() {
    let nodes = [rule("docker-kill-worker").times(1), rule("docker-kill-gone"), rule("docker-start-worker")];
    let scene = Scene::new(&[healthy(), nodes.into()].concat());
    let cluster = scene.up().await;
    let worker = format!("{NAME}-worker");
    let stopped = Change::NodeStopped(worker.clone());
    assert_eq!(cluster.make(&stopped).await.unwrap(), Ok(()));
    cluster.undo(&stopped).await.unwrap();
    let message = cluster.make(&stopped).await.unwrap_err().to_string();
    assert!(message.contains(&format!("docker kill {worker}`: exit code 1 after")), "{message}");
    assert!(message.contains("No such container"), "{message}");
    let played = ["docker-kill-worker", "docker-start-worker", "docker-kill-gone"];
    assert_eq!(scene.doubles.played().last_chunk().unwrap(), &played);
    cluster.delete().await.unwrap();
}

#[tokio::test]
async fn an_interrupted_creation_is_cleaned_up() {
    let mut rules = common();
    rules.push(rule("kind-create-interrupted").when(&["absent"]).step("booting", "never"));
    let scene = Scene::new(&rules);
    let cluster = scene.cluster().await;
    let archives = [scene.archive()];
    let started = tokio::time::Instant::now();
    let interrupt = async {
        while scene.doubles.count("node-images-not-up") == 0 && started.elapsed().as_secs() < 15 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        scene.cancel.cancel();
    };
    let (created, loaded, ()) = tokio::join!(cluster.create(), cluster.load_images(&archives), interrupt);
    let message = created.unwrap_err().to_string();
    assert!(message.contains("stopped because the run was interrupted"), "{message}");
    loaded.unwrap_err();
    cluster.delete().await.unwrap();
    assert_eq!(scene.doubles.played().last_chunk().unwrap(), &["kind-delete", "kind-get-clusters-none"]);
    assert!(!scene.leased());
}

#[tokio::test]
async fn a_failed_deletion_names_what_is_left_and_keeps_the_lease() {
    let mut rules = healthy();
    rules.retain(|rule| !rule.plays("kind-delete"));
    rules.push(rule("kind-delete-fails"));
    let scene = Scene::new(&rules);
    let cluster = scene.up().await;
    let message = cluster.delete().await.unwrap_err().to_string();
    let first =
        "the kind cluster chartproof-ab12 is left behind; delete it with `kind delete cluster --name chartproof-ab12`";
    assert_eq!(message.lines().next(), Some(first));
    assert!(message.contains("could not kill container: permission denied"), "{message}");
    assert_eq!(scene.doubles.count("kind-delete-fails"), 3);
    assert!(scene.leased());
    drop(cluster);
    assert!(scene.leased(), "it is reported once");
}

#[tokio::test]
async fn an_unreachable_docker_is_named_when_deleting() {
    let mut rules = healthy();
    rules.retain(|rule| !rule.plays("kind-delete") && !rule.plays("kind-get-clusters"));
    rules.extend([rule("kind-delete-docker-gone"), rule("kind-get-clusters-docker-gone")]);
    let scene = Scene::new(&rules);
    let cluster = scene.up().await;
    let message = cluster.delete().await.unwrap_err().to_string();
    assert!(message.contains("is left behind") && message.contains("Cannot connect to the Docker daemon"), "{message}");
    drop(cluster);
    assert!(scene.leased(), "it is reported once");
}

#[tokio::test]
async fn a_cluster_is_deleted_when_its_handle_is_dropped() {
    let scene = Scene::new(&healthy());
    let cluster = scene.up().await;
    drop(cluster);
    assert_eq!(scene.doubles.played().last_chunk().unwrap(), &["kind-delete", "kind-get-clusters-none"]);
    assert!(!scene.leased());
}

#[tokio::test]
async fn a_kept_cluster_is_not_deleted_and_its_usage_is_printed() {
    let scene = Scene::new(&healthy());
    let cluster = scene.up().await;
    let how = cluster.keep().await.unwrap();
    assert!(how.contains(&format!("--context kind-{NAME}")) && how.contains("kind delete cluster --name"), "{how}");
    drop(cluster);
    assert_eq!(scene.doubles.count("kind-delete"), 0);
    assert!(scene.leased());
}

#[tokio::test]
async fn a_command_line_without_a_recording_is_rejected() {
    let scene = Scene::new(&common());
    let error = scene.launcher.cmd(scene.path("bin/kind")).arg("build").run().await.unwrap_err().to_string();
    assert!(error.contains("exit code 97") && error.contains("no recording of [\"kind\", \"build\"]"), "{error}");
}

#[tokio::test]
async fn without_docker_kind_is_an_error_and_auto_uses_the_embedded_cluster() {
    let scene = Scene::new(&[rule("docker--version"), rule("docker-version-gone"), rule("kind-version")]);
    let mut problems = Problems::default();
    assert!(cluster::prepare(&scene.launcher, &scene.request(), &mut problems).await.unwrap().is_none());
    let message = problems.into_result().unwrap_err().to_string();
    assert!(message.contains("docker is unavailable: Cannot connect to the Docker daemon"), "{message}");
    assert!(message.contains("fix: start its daemon, or use `--cluster embedded`"), "{message}");

    let auto = cluster::Request { choice: Choice::Auto, ..scene.request() };
    let mut problems = Problems::default();
    let cluster = cluster::prepare(&scene.launcher, &auto, &mut problems).await.unwrap().unwrap();
    assert_eq!(cluster.name(), "embedded");
    let said = cluster.describe();
    assert!(said.starts_with("the embedded cluster, because docker is unavailable: Cannot connect"), "{said}");

    let ci = cluster::Request { ci: true, ..auto };
    let mut problems = Problems::default();
    assert!(cluster::prepare(&scene.launcher, &ci, &mut problems).await.unwrap().is_none());
    assert!(problems.into_result().is_err(), "a CI machine without Docker is broken, not a reason to fall back");
}

#[tokio::test]
async fn missing_images_are_pulled_and_all_images_are_saved_once() {
    let scene = Scene::new(&[
        rule("docker--version"),
        rule("docker-version"),
        rule("docker-image-inspect-missing"),
        rule("docker-pull-offline").times(1),
        rule("docker-pull"),
        rule("docker-save-pulled").writes("$ARCHIVE"),
    ]);
    let docker = Docker::find(&scene.launcher).await.unwrap();
    assert_eq!((docker.server.as_str(), docker.api, docker.arch.as_str()), ("20.10.24+dfsg1", (1, 41), "amd64"));
    let references = ["busybox:0.0.0".parse().unwrap()];
    let archive = images::save(&scene.launcher, &docker, &references, &scene.path("images.tar")).await.unwrap();
    assert!(archive.path.is_file());
    let pulls = ["docker-image-inspect-missing", "docker-pull-offline", "docker-pull", "docker-save-pulled"];
    assert_eq!(scene.doubles.played()[2..], pulls);
}

fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
