//! kubectl's commands on workloads: rollouts, scaling, draining the node.

use super::client::{Client, Clients};
use super::{Case, kubectl};

pub const CASES: &[Case] = &[
    ("kubectl::rollout_and_scale_work", rollout_and_scale_work),
    ("kubectl::drain_and_uncordon_work", drain_and_uncordon_work),
];

/// Two pods that end as soon as they are asked to.
const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: rolled}}
  template:
    metadata: {labels: {app: rolled}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: busybox:1.36
          command: [sh, -c, 'trap exit TERM; while :; do sleep 0.1; done']
";

fn rollout_and_scale_work(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], DEPLOYMENT);
    let told = kubectl.run("rollout status deployment/web --timeout=180s");
    assert!(told.contains("deployment \"web\" successfully rolled out"), "{told}");
    let first = names(&kubectl, "rolled");
    kubectl.run("rollout restart deployment/web");
    kubectl.run("rollout status deployment/web --timeout=180s");
    assert!(names(&kubectl, "rolled").iter().all(|name| !first.contains(name)), "every pod is a new one");
    assert_eq!(kubectl.run("rollout history deployment/web").matches("<none>").count(), 2);
    kubectl.run("set env deployment/web BROKEN=no");
    kubectl.run("rollout undo deployment/web");
    kubectl.run("rollout status deployment/web --timeout=180s");
    assert_eq!(kubectl.run("get deployment web -o jsonpath={.spec.template.spec.containers[0].env}"), "");
    kubectl.run("scale deployment/web --replicas=3 --timeout=180s");
    kubectl.run("rollout status deployment/web --timeout=180s");
    assert_eq!(names(&kubectl, "rolled").len(), 3);
    let refused = kubectl.fail("scale deployment/web --replicas=1 --current-replicas=2", "");
    assert!(refused.contains("xpected replicas to be 2, was 3"), "{refused}");
    kubectl.run("scale deployment/web --replicas=0");
    kubectl.run("wait --for=delete pod -l app=rolled --timeout=180s");
    kubectl.run("delete deployment web --timeout=180s");
}

/// Returns the names of the pods that are not being deleted.
fn names(kubectl: &Client, app: &str) -> Vec<String> {
    let each = "{range.items[*]}{.metadata.name}/{.metadata.deletionTimestamp};{end}";
    let shown = kubectl.run(&format!("get pods -l app={app} -o jsonpath={each}"));
    shown.split(';').filter_map(|pod| pod.strip_suffix('/').map(str::to_owned)).collect()
}

/// Uncordons the node, even if a test fails.
struct Cordoned<'a>(&'a Client);

impl Drop for Cordoned<'_> {
    fn drop(&mut self) {
        self.0.call("uncordon chartproof-control-plane", &[], "");
    }
}

/// Evicts only this test's pods; other tests' pods wait for the node meanwhile.
fn drain_and_uncordon_work(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], &DEPLOYMENT.replace("rolled", "drained"));
    kubectl.run("rollout status deployment/web --timeout=180s");
    let before = names(&kubectl, "drained");
    kubectl.run("create poddisruptionbudget web --selector=app=drained --min-available=2");
    kubectl.until("get poddisruptionbudget web -o jsonpath={.status.currentHealthy}", |healthy| healthy == "2");
    let drain = "drain chartproof-control-plane --pod-selector=app=drained --ignore-daemonsets --delete-emptydir-data";
    let cordoned = Cordoned(&kubectl);
    let refused = kubectl.fail(&format!("{drain} --timeout=2s"), "");
    assert!(refused.contains("violate the pod's disruption budget"), "{refused}");
    let shown = kubectl.run("get node chartproof-control-plane");
    assert!(shown.contains("SchedulingDisabled"), "{shown}");
    kubectl.run("delete poddisruptionbudget web");
    kubectl.run(&format!("{drain} --timeout=180s"));
    drop(cordoned);
    kubectl.run("rollout status deployment/web --timeout=180s");
    assert!(!kubectl.run("get node chartproof-control-plane").contains("SchedulingDisabled"));
    assert!(names(&kubectl, "drained").iter().all(|name| !before.contains(name)), "both were evicted");
}
