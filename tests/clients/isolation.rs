//! What a pod can't do to its node.

use super::client::Clients;
use super::{Case, kubectl};

pub const CASES: &[Case] = &[
    ("isolation::a_pod_is_confined_by_default", a_pod_is_confined_by_default),
    ("isolation::a_false_claim_is_not_mounted", a_false_claim_is_not_mounted),
    ("isolation::a_planted_link_does_not_lead_a_sub_path_out", a_planted_link_does_not_lead_a_sub_path_out),
];

const CONFINED: &str = "
apiVersion: v1
kind: Pod
metadata: {name: confined}
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, 'mknod /tmp/disk b 7 0; unshare --user true; grep Seccomp: /proc/self/status']
    - name: free
      image: busybox:1.36
      command: [sh, -c, 'unshare --user true && grep Seccomp: /proc/self/status']
      securityContext: {seccompProfile: {type: Unconfined}}
";

fn a_pod_is_confined_by_default(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], CONFINED);
    kubectl.run("wait --for=jsonpath={.status.phase}=Succeeded pod/confined --timeout=180s");
    let told = kubectl.run("logs confined -c main");
    assert_eq!(told.matches("Operation not permitted").count(), 2, "{told}");
    assert!(told.contains("Seccomp:\t2"), "{told}");
    assert_eq!(kubectl.run("logs confined -c free"), "Seccomp:\t0\n");
}

const FALSE_CLAIM: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claimed}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}, volumeName: NAME}
";

const CLAIMANT: &str = "
apiVersion: v1
kind: Pod
metadata: {name: claimant}
spec:
  nodeName: chartproof
  volumes: [{name: claimed, persistentVolumeClaim: {claimName: claimed}}]
  containers:
    - name: main
      image: busybox:1.36
      command: [sleep, '1000']
      volumeMounts: [{name: claimed, mountPath: /claimed}]
";

fn a_false_claim_is_not_mounted(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    let refused = kubectl.fail("apply -f -", &FALSE_CLAIM.replace("NAME", "/tmp/somewhere"));
    assert!(refused.contains("spec.volumeName: Invalid value"), "{refused}");
    kubectl.feed("apply -f -", &[], &FALSE_CLAIM.replace("NAME", "nobodys"));
    let bound = ["{\"status\":{\"phase\":\"Bound\"}}"];
    kubectl.feed("patch pvc claimed --subresource=status --type=merge -p", &bound, "");
    let node = kubectl.run("get nodes -o jsonpath={.items[0].metadata.name}");
    kubectl.feed("apply -f -", &[], &CLAIMANT.replace("chartproof", node.trim()));
    let why = "failed to fetch PV nobodys from API server: persistentvolumes \"nobodys\" not found";
    kubectl.until("get events -o jsonpath={.items[*].message}", |told| told.contains(why));
    kubectl.run("delete pod claimant --grace-period=0 --force");
}

const PLANTED: &str = "
apiVersion: v1
kind: Pod
metadata: {name: planted}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{name: shared, emptyDir: {}}]
  initContainers:
    - name: plant
      image: busybox:1.36
      command: [sh, -c, 'ln -s / /shared/out']
      volumeMounts: [{name: shared, mountPath: /shared}]
  containers:
    - name: main
      image: busybox:1.36
      command: [sleep, '1000']
      volumeMounts: [{name: shared, mountPath: /out, subPath: out/tmp/made-by-a-pod}]
";

fn a_planted_link_does_not_lead_a_sub_path_out(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], PLANTED);
    let why = "subpath out/tmp/made-by-a-pod leads out of the volume";
    kubectl.until("get pod planted -o jsonpath={.status.containerStatuses[0].state.waiting.message}", |told| {
        told.contains(why)
    });
    assert!(!std::path::Path::new("/tmp/made-by-a-pod").exists());
    kubectl.run("delete pod planted");
}
