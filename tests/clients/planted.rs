//! Faults planted in the cluster, seen from outside: each hits its target, as many times as requested.

use super::client::Clients;
use super::{Case, kubectl};

pub const CASES: &[Case] = &[
    ("faults::each_fault_hits_its_target", each_fault_hits_its_target),
    ("kinds::pod_security_is_enforced_by_namespace_label", pod_security_is_enforced_by_namespace_label),
];

/// No other case uses the resources for which the API fails.
const FAULTS: &str = r#"[
    {"fault": "apiFails", "code": 403, "message": "exceeded quota: none", "of": "POST leases"},
    {"fault": "apiFails", "code": 429, "message": "too many requests", "of": "GET ingressclasses", "times": 1},
    {"fault": "apiFails", "code": 500, "message": "it broke", "of": "GET limitranges"},
    {"fault": "apiFails", "code": 503, "message": "not now", "of": "GET clusterroles"},
    {"fault": "apiHangs", "of": "GET clusterrolebindings"},
    {"fault": "imageMissing", "of": "busybox:0-missing"},
    {"fault": "pullFails", "message": "lookup registry: no such host", "of": "busybox:0-unreachable", "times": 1},
    {"fault": "mountFails", "message": "device is busy", "of": "struck", "times": 1},
    {"fault": "claimNeverBinds", "of": "struck"},
    {"fault": "nodeFull", "of": "full"},
    {"fault": "outOfMemory", "of": "hungry/main", "times": 1},
    {"fault": "dnsFails", "of": "struck.example*"},
    {"fault": "portForwardDrops", "of": "dropped"}
]"#;

/// Returns a pod with additional fields of its spec and of its container.
fn pod(name: &str, image: &str, spec: &str, container: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 1
  {spec}
  containers: [{{name: main, image: 'busybox:{image}', command: [sleep, '1000'], {container}}}]
"
    )
}

const LEASE: &str = "
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: a}
";

const CLAIM: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: struck}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
";

fn each_fault_hits_its_target(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("create --raw /chartproof/faults -f -", &[], FAULTS);
    let refused = kubectl.fail("create -f -", LEASE);
    assert!(refused.contains("(Forbidden)") && refused.contains("exceeded quota: none"), "{refused}");
    assert!(kubectl.fail("get limitranges", "").contains("it broke"));
    assert!(kubectl.fail("get clusterroles", "").contains("not now"));
    kubectl.run("get ingressclasses");
    let hung = kubectl.fail("get clusterrolebindings --request-timeout=1s", "");
    assert!(hung.contains("Timeout") || hung.contains("deadline exceeded"), "{hung}");
    let mounted = "volumeMounts: [{name: struck, mountPath: /v}]";
    let pods = [
        pod("missing", "0-missing", "", ""),
        pod("unreachable", "0-unreachable", "", ""),
        pod("mounting", "1.36", "volumes: [{name: struck, emptyDir: {}}]", mounted),
        pod("claiming", "1.36", "volumes: [{name: v, persistentVolumeClaim: {claimName: struck}}]", ""),
        pod("full", "1.36", "", ""),
        pod("hungry", "1.36", "", ""),
        pod("dropped", "1.36", "", ""),
    ];
    kubectl.feed("apply -f -", &[], &format!("{CLAIM}{}", pods.concat()));
    // Faults that strike once are recovered from.
    kubectl.run("wait --for=condition=Ready pod/unreachable pod/mounting pod/hungry pod/dropped --timeout=180s");
    let events = kubectl.until("get events", |text| text.contains("Insufficient cpu"));
    for words in ["lookup registry: no such host", "\"struck\" : device is busy", "Back-off pulling image"] {
        assert!(events.contains(words), "{words}: {events}");
    }
    let killed = "get pod hungry -o jsonpath={.status.containerStatuses[0].lastState.terminated.reason}";
    assert_eq!(kubectl.run(killed), "OOMKilled");
    let waits = |name: &str, phase: &str| {
        assert_eq!(kubectl.run(&format!("get {name} -o jsonpath={{.status.phase}}")), phase, "{name}");
    };
    for name in ["pod/missing", "pod/claiming", "pod/full", "persistentvolumeclaim/struck"] {
        waits(name, "Pending");
    }
    let unresolved = kubectl.call("exec dropped -- getent hosts struck.example.com", &[], "");
    assert_eq!(unresolved.code, 2, "{}", unresolved.stderr);
    let forwarder = kubectl.command("port-forward pod/dropped :80", &[]).stderr_to_stdout().stdout_capture();
    let dropped = forwarder.unchecked().start().unwrap();
    assert!(!dropped.wait().unwrap().status.success(), "its connection is gone");
    kubectl.feed("create --raw /chartproof/faults -f -", &[], "[]");
    kubectl.run("wait --for=condition=Ready pod/full pod/claiming --timeout=180s");
}

fn pod_security_is_enforced_by_namespace_label(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    let label = |level: &str| {
        clients
            .kubectl
            .run(&format!("label --overwrite namespace {namespace} pod-security.kubernetes.io/enforce={level}"));
    };
    label("baseline");
    let adds = pod("adds", "1.36", "", "securityContext: {capabilities: {add: [SYS_ADMIN]}}");
    let refused = kubectl.fail("create -f -", &adds);
    assert!(refused.contains("violates PodSecurity \"baseline:latest\": non-default capabilities"), "{refused}");
    kubectl.feed("create -f -", &[], &pod("plain", "1.36", "", ""));
    label("restricted");
    let refused = kubectl.fail("create -f -", &pod("other", "1.36", "", ""));
    assert!(refused.contains("runAsNonRoot != true") && refused.contains("seccompProfile"), "{refused}");
    let restricted = "securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}";
    let container = "securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}";
    kubectl.feed("create -f -", &[], &pod("careful", "1.36", restricted, container));
    kubectl.run("wait --for=condition=Ready pod/careful --timeout=180s");
}
