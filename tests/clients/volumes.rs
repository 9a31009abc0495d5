//! Volumes as containers see them: every type, who may read and write them, and how they follow their source.

use super::client::Clients;
use super::{Case, kubectl};

pub const CASES: &[Case] = &[
    ("volumes::every_volume_type_works", every_volume_type_works),
    ("volumes::files_follow_config_maps_secrets_and_labels", files_follow_config_maps_secrets_and_labels),
    ("volumes::fs_group_owns_what_a_user_writes", fs_group_owns_what_a_user_writes),
];

const SORTS: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a.conf: first, b.conf: second}
---
apiVersion: v1
kind: Secret
metadata: {name: hidden}
stringData: {password: secret}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claimed}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: sorts, labels: {app: sorts}}
spec:
  terminationGracePeriodSeconds: 1
  volumes:
    - {name: scratch, emptyDir: {}}
    - {name: memory, emptyDir: {medium: Memory, sizeLimit: 8Mi}}
    - {name: claimed, persistentVolumeClaim: {claimName: claimed}}
    - {name: looked-at, persistentVolumeClaim: {claimName: claimed, readOnly: true}}
    - {name: settings, configMap: {name: settings, items: [{key: a.conf, path: sub/renamed.conf}]}}
    - {name: hidden, secret: {secretName: hidden, defaultMode: 256}}
    - {name: own, downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}, {path: cpu, resourceFieldRef: {containerName: main, resource: limits.cpu}}]}}
    - name: all
      projected:
        sources:
          - {configMap: {name: settings}}
          - {secret: {name: hidden}}
          - {downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  containers:
    - name: main
      image: busybox:1.36
      command: [sleep, '1000']
      env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
      resources: {limits: {cpu: '2'}, requests: {cpu: 1m}}
      volumeMounts:
        - {name: scratch, mountPath: /scratch}
        - {name: scratch, mountPath: /part, subPath: parts/one}
        - {name: scratch, mountPath: /mine, subPathExpr: of-$(POD)}
        - {name: memory, mountPath: /memory}
        - {name: claimed, mountPath: /claimed}
        - {name: looked-at, mountPath: /looked-at}
        - {name: settings, mountPath: /settings}
        - {name: settings, mountPath: /etc/one.conf, subPath: sub/renamed.conf}
        - {name: hidden, mountPath: /hidden}
        - {name: own, mountPath: /own}
        - {name: all, mountPath: /all}
";

fn every_volume_type_works(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], SORTS);
    kubectl.run("wait --for=condition=Ready pod/sorts --timeout=180s");
    let sh = |script: &str| kubectl.call("exec sorts -- sh -c", &[script], "");
    let says = |script: &str, wanted: &str| {
        let said = sh(script);
        assert_eq!(said.stdout.trim_end(), wanted, "{script}: {}", said.stderr);
    };
    says(
        "echo 1 > /part/file; echo 2 > /mine/file; cd /scratch; find . -type f | sort",
        "./of-sorts/file\n./parts/one/file",
    );
    says("stat -f -c %T /memory; df -B1 --output=size /memory | tail -1 | tr -d ' '", "tmpfs\n8388608");
    assert_ne!(sh("dd if=/dev/zero of=/memory/big bs=1M count=9").code, 0, "the size limit is enforced");
    says(
        "echo 1 > /claimed/file; cat /looked-at/file; touch /looked-at/new 2> /dev/null || echo refused",
        "1\nrefused",
    );
    says("cat /settings/sub/renamed.conf; echo; ls /settings; cat /etc/one.conf", "first\nsub\nfirst");
    assert_ne!(sh("touch /settings/new").code, 0, "a volume of an object is read-only");
    says("stat -L -c %a /hidden/password; cat /hidden/password", "400\nsecret");
    says("cat /own/name; echo; cat /own/cpu", "sorts\n2");
    says("cd /all; ls; cat labels", "a.conf\nb.conf\nlabels\npassword\napp=\"sorts\"");
}

fn files_follow_config_maps_secrets_and_labels(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], SORTS);
    kubectl.run("wait --for=condition=Ready pod/sorts --timeout=180s");
    kubectl.feed("patch configmap settings --patch", &[r#"{"data": {"a.conf": "changed", "b.conf": null}}"#], "");
    kubectl.feed("patch secret hidden --patch", &[r#"{"stringData": {"password": "other"}}"#], "");
    kubectl.run("label pod sorts more=yes");
    kubectl.until("exec sorts -- cat /settings/sub/renamed.conf /all/a.conf", |text| text == "changedchanged");
    kubectl.until("exec sorts -- cat /hidden/password /all/password", |text| text == "otherother");
    kubectl.until("exec sorts -- cat /all/labels", |text| text.contains("more=\"yes\""));
    assert_eq!(kubectl.run("exec sorts -- ls /all"), "a.conf\nlabels\npassword\n", "a removed key removes its file");
    assert_eq!(kubectl.run("exec sorts -- cat /etc/one.conf"), "first", "a subPath keeps its original file");
    assert_eq!(kubectl.run("exec sorts -- stat -L -c %a /hidden/password"), "400\n");
}

const SHARED: &str = "
apiVersion: v1
kind: Pod
metadata: {name: shared}
spec:
  terminationGracePeriodSeconds: 1
  securityContext: {runAsUser: 1234, runAsGroup: 2345, fsGroup: 3456, runAsNonRoot: true, supplementalGroups: [4567]}
  volumes: [{name: data, emptyDir: {}}]
  containers:
    - name: main
      image: busybox:1.36
      command: [sleep, '1000']
      volumeMounts: [{name: data, mountPath: /data}]
      securityContext:
        readOnlyRootFilesystem: true
        allowPrivilegeEscalation: false
        capabilities: {drop: [ALL]}
";

/// As root: an ordinary user's node has only one id, as the run's report mentions.
fn fs_group_owns_what_a_user_writes(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], SHARED);
    kubectl.run("wait --for=condition=Ready pod/shared --timeout=180s");
    let sh = |script: &str| kubectl.call("exec shared -- sh -c", &[script], "");
    let report = kubectl.run("get --raw /chartproof/report");
    assert_eq!(report.contains("fsGroup have no effect without root"), !clients.is_root, "{report}");
    assert_eq!(sh("id -u; id -g").stdout, "1234\n2345\n");
    if clients.is_root {
        assert_eq!(sh("id -u; id -g; id -G").stdout, "1234\n2345\n2345 3456 4567\n");
        assert_eq!(
            sh("touch /data/new; stat -c '%u %g' /data/new; stat -c '%g %a' /data").stdout,
            "1234 3456\n3456 2777\n"
        );
    }
    assert_ne!(sh("touch /new").code, 0, "the root is read-only");
    assert_eq!(
        sh("grep -E 'CapEff|NoNewPrivs' /proc/self/status | tr -s '\\t' ' '").stdout,
        "CapEff: 0000000000000000\nNoNewPrivs: 1\n"
    );
}
