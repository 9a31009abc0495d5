//! Deployments: rollouts, stuck ones, rolling back, pausing, and the kept history.

use super::client::{Client, Clients};
use super::{Case, kubectl};

pub const CASES: &[Case] = &[
    ("deployments::a_rollout_respects_its_limits", a_rollout_respects_its_limits),
    ("deployments::a_stuck_rollout_is_reported_and_can_be_undone", a_stuck_rollout_is_reported_and_can_be_undone),
    ("deployments::recreate_stops_old_pods_before_new_ones_start", recreate_stops_old_pods_before_new_ones_start),
    ("deployments::a_paused_rollout_waits", a_paused_rollout_waits),
];

/// Returns a deployment of two pods that stop quickly, with additional fields of its spec.
fn deployment(fields: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  {fields}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: busybox:1.36
          command: [sh, -c, 'trap exit TERM; sleep 0.5; touch /tmp/up; while :; do sleep 0.1; done']
          readinessProbe: {{exec: {{command: [test, -e, /tmp/up]}}, periodSeconds: 1, timeoutSeconds: 5}}
"
    )
}

const STATUS: &str = "rollout status deployment/web --timeout=180s";

/// Returns each state that is seen while something is done: `replicas/available`.
fn seen(kubectl: &Client, during: impl FnOnce()) -> Vec<(u32, u32)> {
    let each = "get deployment web --watch -o jsonpath={.status.replicas}/{.status.availableReplicas};";
    let watch = kubectl.command(each, &[]).stdout_capture().unchecked().start().unwrap();
    during();
    watch.kill().unwrap();
    let said = String::from_utf8_lossy(&watch.wait().unwrap().stdout).into_owned();
    let number = |text: &str| text.parse().unwrap_or(0);
    let states = said.split(';').filter_map(|state| state.split_once('/'));
    states.map(|(replicas, available)| (number(replicas), number(available))).collect()
}

fn a_rollout_respects_its_limits(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    let bounds = |unavailable: &str, surge: &str| {
        let rolling = format!("strategy: {{rollingUpdate: {{maxUnavailable: {unavailable}, maxSurge: {surge}}}}}");
        kubectl.feed("apply -f -", &[], &deployment(&format!("replicas: 4\n  {rolling}")));
        kubectl.run(STATUS);
    };
    let roll = || {
        kubectl.run("rollout restart deployment/web");
        kubectl.run(STATUS);
    };
    bounds("0", "25%");
    let states = seen(&kubectl, roll);
    assert!(states.iter().all(|(replicas, available)| *replicas <= 5 && *available >= 4), "{states:?}");
    assert!(states.contains(&(5, 4)), "one more than requested, and never fewer: {states:?}");
    bounds("50%", "0");
    let states = seen(&kubectl, roll);
    assert!(states.iter().all(|(replicas, available)| *replicas <= 4 && *available >= 2), "{states:?}");
    assert!(states.iter().any(|(_, available)| *available == 2), "half of them at once: {states:?}");
}

fn a_stuck_rollout_is_reported_and_can_be_undone(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], &deployment("replicas: 2\n  revisionHistoryLimit: 2"));
    kubectl.run("annotate deployment/web kubernetes.io/change-cause=first");
    kubectl.run(STATUS);
    let deadline = |seconds: u32| {
        let patch = format!(r#"{{"spec": {{"progressDeadlineSeconds": {seconds}}}}}"#);
        kubectl.feed("patch deployment web --patch", &[&patch], "");
    };
    deadline(5);
    kubectl.run("set image deployment/web main=registry.invalid/none:1");
    let told = kubectl.fail("rollout status deployment/web --timeout=180s", "");
    assert!(told.contains("deployment \"web\" exceeded its progress deadline"), "{told}");
    let condition = r#"{.status.conditions[?(@.type=="Progressing")].reason}/{.status.availableReplicas}"#;
    assert_eq!(kubectl.run(&format!("get deployment web -o jsonpath={condition}")), "ProgressDeadlineExceeded/2");
    assert!(kubectl.run("rollout history deployment/web").contains("first"), "the change's cause is kept");
    assert!(kubectl.run("rollout history deployment/web --revision=2").contains("registry.invalid/none:1"));
    deadline(600);
    kubectl.run("rollout undo deployment/web");
    assert!(kubectl.run(STATUS).contains("successfully rolled out"));
    for image in ["busybox:2", "busybox:3", "busybox:4"] {
        kubectl.run(&format!("set image deployment/web main={image}"));
        kubectl.run(STATUS);
    }
    kubectl.until("get replicasets -o name", |names| names.lines().count() == 3);
    let refused = kubectl.fail("rollout undo deployment/web --to-revision=1", "");
    assert!(refused.contains("unable to find specified revision 1 in history"), "{refused}");
    kubectl.run("rollout undo deployment/web --to-revision=5");
    kubectl.run(STATUS);
    let image = "get deployment web -o jsonpath={.spec.template.spec.containers[0].image}";
    assert_eq!(kubectl.run(image), "busybox:3");
}

fn recreate_stops_old_pods_before_new_ones_start(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], &deployment("replicas: 2\n  strategy: {type: Recreate}"));
    kubectl.run(STATUS);
    let states = seen(&kubectl, || {
        kubectl.run("set env deployment/web A=b");
        kubectl.run(STATUS);
    });
    assert!(states.iter().all(|(replicas, _)| *replicas <= 2) && states.contains(&(0, 0)), "{states:?}");
}

fn a_paused_rollout_waits(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], &deployment("replicas: 1"));
    kubectl.run(STATUS);
    kubectl.run("rollout pause deployment/web");
    kubectl.run("set env deployment/web A=b");
    kubectl.run("scale deployment/web --replicas=2");
    kubectl.run("wait --for=jsonpath={.status.availableReplicas}=2 deployment/web --timeout=180s");
    assert_eq!(kubectl.run("get replicasets -o name").lines().count(), 1, "scaled, but nothing rolled out");
    kubectl.run("rollout resume deployment/web");
    kubectl.run(STATUS);
    assert_eq!(kubectl.run("get deployment web -o jsonpath={.status.updatedReplicas}"), "2");
}
