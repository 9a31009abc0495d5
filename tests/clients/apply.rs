//! kubectl apply, from the client and from the server, on objects that a controller changes meanwhile.

use super::client::Clients;
use super::{Case, kubectl};

pub const CASES: &[Case] = &[("kubectl::apply", apply)];

fn stateful_set(replicas: u32) -> String {
    format!(
        "
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: set}}
spec:
  replicas: {replicas}
  serviceName: set
  selector: {{matchLabels: {{app: set}}}}
  template:
    metadata: {{labels: {{app: set}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{{name: main, image: 'busybox:1.36', command: [sleep, '1000']}}]
"
    )
}

fn apply(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    let replicas = || kubectl.run("get statefulset set -o jsonpath={.spec.replicas}");
    let dry = kubectl.feed("apply --dry-run=server -f -", &[], &stateful_set(1));
    assert_eq!(dry, "statefulset.apps/set created (server dry run)\n");
    assert!(kubectl.fail("get statefulset set", "").contains("not found"), "a dry run leaves nothing");
    assert_eq!(kubectl.feed("apply -f -", &[], &stateful_set(1)), "statefulset.apps/set created\n");
    kubectl.run("rollout status statefulset/set --timeout=180s");
    assert_eq!(kubectl.feed("apply -f -", &[], &stateful_set(1)), "statefulset.apps/set unchanged\n");
    let ssa = "apply --server-side -f -";
    assert_eq!(kubectl.feed(ssa, &[], &stateful_set(1)), "statefulset.apps/set serverside-applied\n");
    kubectl.feed(&format!("{ssa} --dry-run=server"), &[], &stateful_set(3));
    assert_eq!(replicas(), "1");
    // What was applied from the client once is never a conflict to kubectl: what follows begins anew.
    kubectl.run("delete statefulset set --timeout=180s");
    kubectl.feed(ssa, &[], &stateful_set(1));
    kubectl.run("scale statefulset/set --replicas=2");
    kubectl.run("rollout status statefulset/set --timeout=180s");
    let refused = kubectl.fail(ssa, &stateful_set(1));
    assert!(refused.contains("conflict with \"kubectl\" with subresource \"scale\""), "{refused}");
    assert!(refused.contains(".spec.replicas"), "{refused}");
    kubectl.feed(&format!("{ssa} --force-conflicts"), &[], &stateful_set(1));
    assert_eq!(replicas(), "1");
    kubectl.run("wait --for=delete pod/set-1 --timeout=180s");
    assert_eq!(kubectl.feed("delete -f -", &[], &stateful_set(1)).trim(), "statefulset.apps \"set\" deleted");
}
