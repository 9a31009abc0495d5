//! Changes on the nodes of kind: their commands, and that making or undoing one twice is harmless.

use cluster::RunningContainer;
use cluster::lease;

use crate::doubles::{healthy, rule};
use crate::scene::{NAME, Scene};

#[tokio::test]
async fn a_container_is_paused_and_continued_by_containerd() {
    let tasks = vec![
        rule("tasks-paused").when(&["paused"]),
        rule("tasks-running"),
        rule("task-pause").then("paused"),
        rule("task-resume").then("created"),
    ];
    let (scene, node) = (Scene::new(&[healthy(), tasks].concat()), format!("{NAME}-worker"));
    let cluster = scene.cluster().await;
    let container = RunningContainer {
        node: node.clone(),
        pod_uid: "77".to_owned(),
        container: "caesium".to_owned(),
        id: "containerd://1b".to_owned(),
    };
    let pause = container.pause();
    for _ in 0..2 {
        cluster.make(&pause).await.unwrap().unwrap();
    }
    assert_eq!(lease::all(&scene.path("leases")).unwrap()[0].1.changes, std::slice::from_ref(&pause));
    for _ in 0..2 {
        cluster.undo(&pause).await.unwrap();
    }
    assert_eq!(lease::all(&scene.path("leases")).unwrap(), []);
    let lines = scene.doubles.lines();
    let tasks: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix(&format!("docker exec {node} "))).collect();
    let ctr = |verb: &str| format!("ctr --namespace k8s.io tasks {verb}");
    let expected = ["list", "pause 1b", "list", "list", "resume 1b", "list"].map(ctr);
    assert_eq!(tasks, expected);
}
