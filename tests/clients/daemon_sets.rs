//! `DaemonSet`s: rollouts, their history, and what drain makes of them.

use super::client::Clients;
use super::{Case, kubectl};

pub const CASES: &[Case] = &[
    ("daemon_sets::a_rollout_replaces_the_pod_and_can_be_undone", a_rollout_replaces_the_pod_and_can_be_undone),
    ("daemon_sets::on_delete_waits_and_the_pods_go_with_the_set", on_delete_waits_and_the_pods_go_with_the_set),
];

/// Returns a daemon set whose pod stops quickly, with additional fields of its spec.
fn daemon_set(fields: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: agent}}
spec:
  {fields}
  selector: {{matchLabels: {{app: agent}}}}
  template:
    metadata: {{labels: {{app: agent}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: busybox:1.36
          env: [{{name: VERSION, value: one}}]
          command: [sh, -c, 'trap exit TERM; touch /tmp/up; while :; do sleep 0.1; done']
          readinessProbe: {{exec: {{command: [test, -e, /tmp/up]}}, periodSeconds: 1, timeoutSeconds: 5}}
"
    )
}

const STATUS: &str = "rollout status daemonset/agent --timeout=180s";

const VERSION: &str = "get pods -l app=agent -o jsonpath={.items[*].spec.containers[0].env[0].value}";

fn a_rollout_replaces_the_pod_and_can_be_undone(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], &daemon_set("revisionHistoryLimit: 5"));
    kubectl.run(STATUS);
    let shown = kubectl.run("get daemonset agent --no-headers");
    let cells: Vec<&str> = shown.split_whitespace().collect();
    assert_eq!(cells[..7], ["agent", "1", "1", "1", "1", "1", "<none>"], "{shown}");
    kubectl.run("set env daemonset/agent VERSION=two");
    kubectl.run(STATUS);
    assert_eq!(kubectl.run(VERSION), "two");
    let history = kubectl.run("rollout history daemonset/agent");
    assert_eq!(history.lines().filter(|line| line.starts_with(['1', '2'])).count(), 2, "{history}");
    kubectl.run("rollout undo daemonset/agent");
    kubectl.run(STATUS);
    assert_eq!(kubectl.run(VERSION), "one");
    let refused = kubectl.fail("drain chartproof-control-plane --pod-selector=app=agent --dry-run=server", "");
    assert!(refused.contains("cannot delete DaemonSet-managed Pods"), "{refused}");
}

fn on_delete_waits_and_the_pods_go_with_the_set(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], &daemon_set("updateStrategy: {type: OnDelete}"));
    kubectl.run("wait --for=jsonpath={.status.numberReady}=1 daemonset/agent --timeout=180s");
    kubectl.run("set env daemonset/agent VERSION=two");
    kubectl.run("wait --for=jsonpath={.status.observedGeneration}=2 daemonset/agent --timeout=180s");
    assert_eq!(kubectl.run(VERSION), "one");
    kubectl.run("delete pods -l app=agent");
    kubectl.until(VERSION, |version| version == "two");
    kubectl.run("delete daemonset agent");
    kubectl.run("wait --for=delete pod -l app=agent --timeout=180s");
    assert_eq!(kubectl.run("get controllerrevisions -o name"), "");
}
