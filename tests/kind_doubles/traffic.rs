//! Lost and late traffic of a pod on a node of kind: the commands, and that making or undoing it twice is harmless.

use cluster::lease::Change;
use cluster::traffic::{self, Direction, DisturbedTraffic, Effect, Others};

use crate::doubles::{Rule, healthy, rule};
use crate::scene::{NAME, Scene};

fn pod() -> Vec<Rule> {
    vec![rule("pod-of-uid-gone").when(&["gone"]), rule("pod-of-uid"), rule("pod-pid")]
}

fn change(effect: Effect) -> Change {
    let others = Others::Only(["10.244.1.2".parse().unwrap()].into());
    let traffic = DisturbedTraffic { pod_uid: "77".to_owned(), direction: Direction::Sends, others, effect };
    traffic::disturb(&format!("{NAME}-worker"), traffic)
}

/// Returns the commands in the pod's network.
fn in_pod(scene: &Scene) -> Vec<String> {
    let enter = format!("docker exec {NAME}-worker nsenter --target 412 --net -- ");
    scene.doubles.lines().iter().filter_map(|line| Some(line.strip_prefix(&enter)?.to_owned())).collect()
}

#[tokio::test]
async fn packets_to_another_pod_are_dropped_and_counted() {
    let rules = vec![
        rule("packet-rule-there").when(&["cut"]),
        rule("packet-rule-missing"),
        rule("packet-rule-insert").then("cut"),
        rule("packet-rule-delete").then("created"),
        rule("packet-rules"),
    ];
    let scene = Scene::new(&[healthy(), pod(), rules].concat());
    let (cluster, cut) = (scene.cluster().await, change(Effect::CUT));
    for _ in 0..2 {
        cluster.make(&cut).await.unwrap().unwrap();
    }
    // Both programs list the same rule here.
    assert_eq!(cluster.packets_hit(&cut).await.unwrap(), 18);
    for _ in 0..2 {
        cluster.undo(&cut).await.unwrap();
    }
    assert!(!scene.leased(), "nothing is left to undo");
    let rule = |verb: &str| {
        format!("iptables --wait 10 {verb} OUTPUT --destination 10.244.1.2 --jump DROP -m comment --comment chartproof")
    };
    let list = |program: &str| format!("{program} --wait 10 --list OUTPUT --verbose --numeric --exact");
    let made = ["--check", "--insert", "--check"].map(rule);
    let undone = ["--check", "--delete", "--check"].map(rule);
    assert_eq!(in_pod(&scene), [&made[..], &[list("iptables"), list("ip6tables")], &undone].concat());
}

#[tokio::test]
async fn packets_are_delayed_by_netem() {
    let rules = ["qdisc-delete-none", "qdisc-bands", "qdisc-netem", "qdisc-filter"].map(rule).to_vec();
    let scene = Scene::new(&[healthy(), pod(), rules].concat());
    let late = change(Effect::Late { delay_ms: 50, jitter_ms: 20 });
    scene.cluster().await.make(&late).await.unwrap().unwrap();
    assert_eq!(scene.doubles.refused(), Vec::<String>::new());
    assert_eq!(in_pod(&scene).len(), 4);
}

#[tokio::test]
async fn a_kernel_without_netem_is_named() {
    let rules = ["qdisc-delete-none", "qdisc-bands", "qdisc-netem-unknown"].map(rule).to_vec();
    let scene = Scene::new(&[healthy(), pod(), rules].concat());
    let late = change(Effect::Late { delay_ms: 50, jitter_ms: 20 });
    let why = scene.cluster().await.make(&late).await.unwrap().unwrap_err().0;
    assert_eq!(why, format!("the kernel of Node/{NAME}-worker has no netem (sch_netem)"));
}

#[tokio::test]
async fn a_pod_that_is_gone_has_taken_its_rules_along() {
    let rules = vec![rule("packet-rule-missing"), rule("packet-rule-insert").then("gone")];
    let scene = Scene::new(&[healthy(), pod(), rules].concat());
    let (cluster, cut) = (scene.cluster().await, change(Effect::CUT));
    cluster.make(&cut).await.unwrap().unwrap();
    cluster.undo(&cut).await.unwrap();
    assert!(!scene.leased());
}
