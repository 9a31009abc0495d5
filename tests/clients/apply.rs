//! kubectl apply, client-side and server-side, on objects that a controller changes meanwhile; and the recorded owners
//! of fields.

use serde_json::{Value, json};

use super::client::{Client, Clients};
use super::{Case, kubectl};

pub const CASES: &[Case] =
    &[("kubectl::apply", apply), ("kubectl::controllers_own_what_they_write", controllers_own_what_they_write)];

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
    // kubectl never reports a conflict with its own client-side apply, so what follows starts from scratch.
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
    let deleted = "statefulset.apps \"set\" deleted from kubectl-apply namespace";
    assert_eq!(kubectl.feed("delete -f -", &[], &stateful_set(1)).trim(), deleted);
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: 'busybox:1.36', command: [sleep, '1000']}]
";

const CLAIM: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: claiming}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
  containers: [{name: main, image: 'busybox:1.36', command: [sleep, '1000']}]
";

/// Returns the recorded owners of an object: manager, operation and subresource, sorted; and the object's entries.
fn owners(kubectl: &Client, object: &str) -> (Vec<String>, Vec<Value>) {
    let shown: Value =
        serde_json::from_str(&kubectl.run(&format!("get {object} -o json --show-managed-fields"))).unwrap();
    let shown = if shown["items"].is_array() { &shown["items"][0] } else { &shown };
    let mut entries = shown["metadata"]["managedFields"].as_array().unwrap().clone();
    let name = |entry: &Value| {
        let parts = ["manager", "operation", "subresource"].map(|part| entry[part].as_str().unwrap_or_default());
        parts.join(" ").trim_end().to_owned()
    };
    entries.sort_by_key(name);
    (entries.iter().map(name).collect(), entries)
}

/// As on a real cluster: an applier owns what it sent; a controller, the rest except the server's own fields.
fn controllers_own_what_they_write(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    let ssa = "apply --server-side -f -";
    kubectl.feed(ssa, &[], DEPLOYMENT);
    kubectl.run("rollout status deployment/web --timeout=180s");
    let (names, entries) = owners(&kubectl, "pods -l app=web");
    assert_eq!(names, ["kube-controller-manager Update", "kubelet Update status"], "{entries:?}");
    let made = &entries[0]["fieldsV1"];
    assert_eq!(made["f:metadata"]["f:labels"]["f:app"], json!({}), "{made}");
    assert_eq!(made["f:spec"]["f:containers"]["k:{\"name\":\"main\"}"]["f:image"], json!({}), "{made}");
    for nobodys in ["f:nodeName", "f:serviceAccountName", "f:tolerations", "f:volumes"] {
        assert!(made["f:spec"].get(nobodys).is_none(), "{nobodys} is the server's: {made}");
    }
    let seen = &entries[1]["fieldsV1"]["f:status"];
    for owned in ["f:containerStatuses", "f:phase", "f:podIP", "f:startTime"] {
        assert_eq!(seen[owned], json!({}), "{owned}: {seen}");
    }
    assert_eq!(seen["f:conditions"]["k:{\"type\":\"Ready\"}"]["f:status"], json!({}), "{seen}");
    let (names, entries) = owners(&kubectl, "deployment web");
    assert_eq!(names, ["kube-controller-manager Update status", "kubectl Apply"], "{entries:?}");
    is_refused_to_others(&kubectl);
    kubectl.feed(ssa, &[], CLAIM);
    kubectl.run("wait --for=condition=Ready pod/claiming --timeout=180s");
    let (names, entries) = owners(&kubectl, "persistentvolumeclaim data");
    let binders = ["kube-controller-manager Update", "kube-controller-manager Update status", "kube-scheduler Update"];
    assert_eq!(names, [&binders[..], &["kubectl Apply"]].concat(), "{entries:?}");
}

/// A deployment's revision belongs to its controller: applying another is a conflict, worded as on a real cluster.
fn is_refused_to_others(kubectl: &Client) {
    let ssa = "apply --server-side -f -";
    let revision = "{name: web, annotations: {deployment.kubernetes.io/revision: '7'}}";
    let refused = kubectl.fail(ssa, &DEPLOYMENT.replace("{name: web}", revision));
    let conflict = "error: Apply failed with 1 conflict: conflict with \"kube-controller-manager\" with subresource \
                    \"status\" using apps/v1 at ";
    assert!(refused.contains(conflict), "{refused}");
    assert!(refused.contains(": .metadata.annotations.deployment.kubernetes.io/revision"), "{refused}");
    let same = "{name: web, annotations: {deployment.kubernetes.io/revision: '1'}}";
    kubectl.feed(ssa, &[], &DEPLOYMENT.replace("{name: web}", same));
    let entries = owners(kubectl, "deployment web").1;
    let revision = &entries[1]["fieldsV1"]["f:metadata"]["f:annotations"]["f:deployment.kubernetes.io/revision"];
    assert_eq!(*revision, json!({}), "the same value is shared: {entries:?}");
    kubectl.feed(ssa, &[], DEPLOYMENT);
    assert_eq!(
        kubectl.run(r"get deployment web -o jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}"),
        "1",
        "a field no longer applied stays while its controller owns it"
    );
}
