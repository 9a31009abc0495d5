//! A run that stops a node and is interrupted: the node is restarted.

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};

use super::*;

/// Creates a suite of the repository's chart that stops the chart's node.
fn stopping_suite(scene: &Scene) -> PathBuf {
    let chart = suite().parent().unwrap().to_owned();
    let mut text: toml::Table = std::fs::read_to_string(suite()).unwrap().parse().unwrap();
    text["chart"] = shown(&chart).into();
    text.retain(|key, _| !["topology", "verify"].contains(&key));
    let cases = "cases = [\"install\", \"ready\", \"node_stop\", \"uninstall\"]";
    let topology = format!("\n[[topology]]\nname = \"r1\"\nreplicas = 1\nvalues = [\"ci/r1-values.yaml\"]\n{cases}\n");
    let path = scene.folder.path().join("e2e.toml");
    std::fs::write(&path, text.to_string() + &topology).unwrap();
    path
}

/// Makes the embedded cluster look as if it had a worker, on which everything runs, and a control plane.
async fn two_nodes(scene: &Scene) {
    let kubeconfig = scene.folder.path().join("embedded/kubeconfig");
    let client = kubernetes::client(&kubeconfig, "chartproof").await.unwrap();
    let nodes: Api<Node> = Api::all(client);
    let label = "node-role.kubernetes.io/control-plane";
    let worker = json!({ "metadata": { "labels": { label: null } } });
    nodes.patch("chartproof-control-plane", &PatchParams::default(), &Patch::Merge(worker)).await.unwrap();
    let ready = json!([{ "type": "Ready", "status": "True" }]);
    // It sorts after the worker in every list: nothing should run on it.
    let other = json!({
        "metadata": { "name": "other-control-plane", "labels": { label: "" } },
        "spec": { "unschedulable": true }, "status": { "conditions": ready },
    });
    nodes.create(&PostParams::default(), &serde_json::from_value(other).unwrap()).await.unwrap();
}

/// Starts a run that stops a node, and interrupts it between `docker kill` and `docker start`.
async fn interrupted_while_a_node_is_stopped(starts: Vec<Rule>) -> (User, Cluster, duct::Handle) {
    let stop = vec![rule("docker-kill-node").step("stopping", "never")];
    let user = User::new(&all([vec![creation_until("node-images-run")], loads(), stop, starts].concat()));
    stand_in(&user.scene);
    let cluster = embedded(&user.scene).await;
    two_nodes(&user.scene).await;
    let handle = user.command_of(&stopping_suite(&user.scene), &["r1::node_stop"]).start().unwrap();
    until_played(&user, &handle, "docker-kill-node");
    interrupt(&handle);
    (user, cluster, handle)
}

fn interrupt(handle: &duct::Handle) {
    kill_process(Pid::from_raw(handle.pids()[0].cast_signed()).unwrap(), Signal::INT).unwrap();
}

fn until_played(user: &User, handle: &duct::Handle, recording: &str) {
    let begun = Instant::now();
    while user.doubles.count(recording) == 0 {
        assert!(begun.elapsed() < PATIENCE && handle.try_wait().unwrap().is_none(), "{:?}", user.doubles.lines());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_stopped_by_an_interrupted_run_is_restarted() {
    let (user, cluster, handle) = interrupted_while_a_node_is_stopped(vec![rule("docker-start-node")]).await;
    let output = handle.wait().unwrap();
    cluster.stop().await.unwrap();
    let ended = user.scene.ended(output.status.code());
    assert_eq!(ended.code, 130, "{}", ended.told());
    let lines = user.doubles.lines();
    let at = |command: &str| lines.iter().position(|line| line.starts_with(command));
    assert!(at("docker start chartproof-control-plane") > at("docker kill chartproof-control-plane"), "{lines:#?}");
    assert_eq!(user.clusters(), "earlier runs left nothing behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_restarted_even_if_a_second_interrupt_ends_the_run_at_once() {
    let hangs = rule("docker-start-node-slowly").times(1).step("starting", "never");
    let starts = vec![hangs, rule("docker-start-node")];
    let (user, cluster, handle) = interrupted_while_a_node_is_stopped(starts).await;
    until_played(&user, &handle, "docker-start-node-slowly");
    interrupt(&handle);
    let output = handle.wait().unwrap();
    cluster.stop().await.unwrap();
    let ended = user.scene.ended(output.status.code());
    assert_eq!(ended.code, 130, "{}", ended.told());
    assert_eq!(user.doubles.count("docker-start-node"), 1, "{}", ended.told());
    let left = "exiting at once; left behind: kind cluster chartproof-";
    assert!(ended.stderr.contains(left), "no node is left stopped: {}", ended.told());
}
