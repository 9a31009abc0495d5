//! Helm's hooks of every type, in their order; failing hooks; deletion policies; and a claim that is kept.

use std::path::Path;

use super::client::{Client, Clients};
use super::{Case, kubectl};

pub const CASES: &[Case] = &[
    ("hooks::every_kind_runs_in_order_with_helm_3", |clients, namespace| {
        every_kind_of_hook(clients, &clients.helm_3, namespace);
    }),
    ("hooks::every_kind_runs_in_order_with_helm_4", |clients, namespace| {
        every_kind_of_hook(clients, &clients.helm_4, namespace);
    }),
    ("hooks::a_failing_hook_fails_the_release_with_helm_3", |clients, namespace| {
        a_failing_hook(clients, &clients.helm_3, namespace);
    }),
    ("hooks::a_failing_hook_fails_the_release_with_helm_4", |clients, namespace| {
        a_failing_hook(clients, &clients.helm_4, namespace);
    }),
    ("hooks::hooks_are_deleted_according_to_their_policy", hooks_are_deleted_according_to_their_policy),
    ("hooks::a_kept_claim_can_be_used_by_another_pod", a_kept_claim_can_be_used_by_another_pod),
];

/// Creates a chart of these templates in a folder.
fn chart(folder: &Path, templates: &[(&str, &str)]) -> String {
    std::fs::create_dir_all(folder.join("templates")).unwrap();
    std::fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: hooked\nversion: 0.1.0\n").unwrap();
    for (name, text) in templates {
        std::fs::write(folder.join("templates").join(format!("{name}.yaml")), text).unwrap();
    }
    folder.display().to_string()
}

/// Returns a job that is a hook and writes its name to the claim `log`.
fn hook(name: &str, kind: &str, more: &str, script: &str) -> String {
    format!(
        "
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}, annotations: {{helm.sh/hook: {kind}{more}}}}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      volumes: [{{name: log, persistentVolumeClaim: {{claimName: log}}}}]
      containers:
        - name: main
          image: busybox:1.36
          command: [sh, -c, 'echo {name} >> /log/hooks; {script}']
          volumeMounts: [{{name: log, mountPath: /log}}]
"
    )
}

/// The claim that hooks write to, and a pod that reads it.
const LOG: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: log}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{name: log, persistentVolumeClaim: {claimName: log}}]
  containers:
    - {name: main, image: 'busybox:1.36', command: [sleep, '1000'], volumeMounts: [{name: log, mountPath: /log}]}
";

/// Returns a kubectl in a namespace where hooks can write.
fn logged(clients: &Clients, namespace: &str) -> Client {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], LOG);
    kubectl.run("wait --for=condition=Ready pod/reader --timeout=180s");
    kubectl
}

/// Returns what the hooks have written since the last call.
fn ran(kubectl: &Client) -> String {
    kubectl.feed("exec reader -- sh -c", &["tr '\\n' ' ' < /log/hooks; rm /log/hooks"], "")
}

fn every_kind_of_hook(clients: &Clients, helm: &Client, namespace: &str) {
    let (kubectl, helm) = (logged(clients, namespace), helm.within(namespace));
    let kinds =
        ["install", "upgrade", "rollback", "delete"].map(|kind| [format!("pre-{kind}"), format!("post-{kind}")]);
    let mut hooks: Vec<(String, String)> =
        kinds.iter().flatten().map(|kind| (kind.clone(), hook(kind, kind, "", "true"))).collect();
    let weight = |weight: &str| format!(", helm.sh/hook-weight: '{weight}'");
    hooks.push(("heavy".into(), hook("heavy", "pre-install", &weight("5"), "true")));
    hooks.push(("light".into(), hook("light", "pre-install", &weight("-5"), "true")));
    hooks.push(("test".into(), hook("tested", "test", "", "true")));
    let config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: own}, data: {v: '{{ .Values.v }}'}}";
    hooks.push(("own".into(), config.into()));
    let folder = tempfile::tempdir().unwrap();
    let templates: Vec<_> = hooks.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let chart = chart(folder.path(), &templates);
    helm.run(&format!("install it {chart} --set v=1 --timeout 240s"));
    assert_eq!(ran(&kubectl), "light pre-install heavy post-install ");
    helm.run(&format!("upgrade it {chart} --set v=2 --timeout 240s"));
    assert_eq!(ran(&kubectl), "pre-upgrade post-upgrade ");
    helm.run("rollback it 1 --timeout 240s");
    assert_eq!(ran(&kubectl), "pre-rollback post-rollback ");
    assert_eq!(kubectl.run("get configmap own -o jsonpath={.data.v}"), "1");
    helm.run("test it --timeout 240s");
    assert_eq!(ran(&kubectl), "tested ");
    assert_eq!(kubectl.run("get jobs -o name").lines().count(), 9, "without a policy they stay until they run again");
    helm.run("uninstall it --timeout 240s");
    assert_eq!(ran(&kubectl), "pre-delete post-delete ");
}

fn a_failing_hook(clients: &Clients, helm: &Client, namespace: &str) {
    let (kubectl, helm) = (logged(clients, namespace), helm.within(namespace));
    let folder = tempfile::tempdir().unwrap();
    let own = "{apiVersion: v1, kind: ConfigMap, metadata: {name: own}}";
    let chart = chart(folder.path(), &[("first", &hook("first", "pre-install", "", "exit 3")), ("own", own)]);
    let refused = helm.fail(&format!("install it {chart} --timeout 240s"), "");
    assert!(refused.contains("failed pre-install"), "{refused}");
    assert_eq!(ran(&kubectl), "first ");
    assert!(kubectl.fail("get configmap own", "").contains("not found"), "nothing is installed after it");
    assert!(helm.run("status it").contains("STATUS: failed"));
    let why = r#"get job first -o jsonpath={.status.conditions[?(@.type=="Failed")].reason}"#;
    assert_eq!(kubectl.run(why), "BackoffLimitExceeded", "it is kept for inspection");
    helm.run("uninstall it");
}

fn hooks_are_deleted_according_to_their_policy(clients: &Clients, namespace: &str) {
    let (kubectl, helm) = (logged(clients, namespace), clients.helm_3.within(namespace));
    let folder = tempfile::tempdir().unwrap();
    let policy = |policy: &str| format!(", helm.sh/hook-delete-policy: {policy}");
    let hooks = [
        ("gone", hook("gone", "post-install", &policy("hook-succeeded"), "true")),
        ("again", hook("again", "'post-install,post-upgrade'", &policy("before-hook-creation"), "true")),
        ("failed", hook("failed", "post-upgrade", &policy("hook-failed"), "exit 1")),
    ];
    let chart = chart(folder.path(), &hooks.each_ref().map(|(name, text)| (*name, text.as_str())));
    helm.run(&format!("install it {chart} --timeout 240s"));
    assert_eq!(kubectl.run("get jobs -o name"), "job.batch/again\n");
    let uid = "get job again -o jsonpath={.metadata.uid}";
    let before = kubectl.run(uid);
    let refused = helm.fail(&format!("upgrade it {chart} --timeout 240s"), "");
    assert!(refused.contains("post-upgrade hooks failed"), "{refused}");
    assert_ne!(kubectl.run(uid), before, "it was deleted and recreated");
    assert_eq!(kubectl.run("get jobs -o name"), "job.batch/again\n");
}

const KEPT: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kept, annotations: {helm.sh/resource-policy: keep}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
";

/// Returns a pod that mounts the claim and runs this script.
fn mounting(name: &str, script: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{{name: data, persistentVolumeClaim: {{claimName: kept}}}}]
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, '{script}; sleep 1000']
      volumeMounts: [{{name: data, mountPath: /data}}]
"
    )
}

fn a_kept_claim_can_be_used_by_another_pod(clients: &Clients, namespace: &str) {
    let (kubectl, helm) = (kubectl(clients, namespace), clients.helm_4.within(namespace));
    let folder = tempfile::tempdir().unwrap();
    let writer = mounting("writer", "echo precious > /data/file");
    let chart = chart(folder.path(), &[("kept", KEPT), ("writer", &writer)]);
    helm.run(&format!("install it {chart} --wait --timeout 240s"));
    let volume = "get persistentvolumeclaim kept -o jsonpath={.spec.volumeName}/{.status.phase}";
    let before = kubectl.run(volume);
    assert!(before.ends_with("/Bound"), "{before}");
    let told = helm.run("uninstall it --wait --timeout 240s");
    assert!(told.contains("[PersistentVolumeClaim] kept"), "{told}");
    assert_eq!(kubectl.run("get pods -o name"), "");
    assert_eq!(kubectl.run(volume), before);
    kubectl.feed("apply -f -", &[], &mounting("reader", "true"));
    kubectl.run("wait --for=condition=Ready pod/reader --timeout=180s");
    assert_eq!(kubectl.run("exec reader -- cat /data/file"), "precious\n");
    kubectl.run("delete persistentvolumeclaim kept --wait=false");
    let state = "get persistentvolumeclaim kept --no-headers";
    assert!(kubectl.run(state).contains("Terminating"), "a claim in use is protected");
    kubectl.run("delete pod reader --timeout=180s");
    kubectl.run("wait --for=delete persistentvolumeclaim/kept --timeout=180s");
    let (name, _) = before.split_once('/').unwrap();
    kubectl.run(&format!("wait --for=delete persistentvolume/{name} --timeout=180s"));
}
