//! What the node makes of a pod's spec, seen through kubectl: sidecars, hooks, probes, volumes, environment.

use super::client::{Client, Clients};
use super::{Case, kubectl};

pub const CASES: &[Case] = &[
    (
        "pods::sidecars_start_before_and_stop_after_the_main_container",
        sidecars_start_before_and_stop_after_the_main_container,
    ),
    ("pods::a_sidecar_does_not_keep_a_job_alive", a_sidecar_does_not_keep_a_job_alive),
    ("pods::lifecycle_hooks_run_after_start_and_before_stop", lifecycle_hooks_run_after_start_and_before_stop),
    ("pods::every_probe_type_works", every_probe_type_works),
    ("pods::a_startup_probe_delays_the_other_probes", a_startup_probe_delays_the_other_probes),
    ("pods::environment", environment),
    ("pods::exec_has_a_terminal", exec_has_a_terminal),
    ("pods::unsupported_requests_are_rejected", unsupported_requests_are_rejected),
];

const SIDECAR: &str = "
apiVersion: v1
kind: Pod
metadata: {name: framed}
spec:
  terminationGracePeriodSeconds: 10
  volumes: [{name: shared, emptyDir: {}}]
  initContainers:
    - name: sidecar
      image: busybox:1.36
      restartPolicy: Always
      command: [sh, -c, 'trap \"echo sidecar ends; exit\" TERM; sleep 0.5; touch /shared/up; while :; do sleep 0.1; done']
      startupProbe: {exec: {command: [test, -e, /shared/up]}, periodSeconds: 1}
      volumeMounts: [{name: shared, mountPath: /shared}]
    - name: once
      image: busybox:1.36
      command: [sh, -c, 'test -e /shared/up && echo up > /shared/seen']
      volumeMounts: [{name: shared, mountPath: /shared}]
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, 'trap \"sleep 0.5; echo main ends; exit\" TERM; cat /shared/seen; while :; do sleep 0.1; done']
      volumeMounts: [{name: shared, mountPath: /shared}]
";

fn sidecars_start_before_and_stop_after_the_main_container(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], SIDECAR);
    kubectl.run("wait --for=condition=Ready pod/framed --timeout=180s");
    assert_eq!(
        kubectl.until("logs framed -c main", |text| !text.is_empty()),
        "up\n",
        "the next container waits for it"
    );
    assert!(kubectl.run("get pod framed --no-headers").contains(" 2/2 "), "a sidecar counts as a container");
    let follow = "logs framed --all-containers --follow --timestamps --prefix=false --since=1h";
    let said = kubectl.follow(follow, || drop(kubectl.run("delete pod framed --timeout=180s")));
    let at = |words: &str| said.lines().find(|line| line.contains(words)).map(|line| line.split(' ').next().unwrap());
    let (main, sidecar) = (at("main ends"), at("sidecar ends"));
    assert!(main.is_some() && main < sidecar, "the sidecar ends after the main container: {said}");
}

fn a_sidecar_does_not_keep_a_job_alive(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    let job = "
apiVersion: batch/v1
kind: Job
metadata: {name: framed}
spec:
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      initContainers: [{name: sidecar, image: 'busybox:1.36', restartPolicy: Always, command: [sleep, '1000']}]
      containers: [{name: main, image: 'busybox:1.36', command: [sh, -c, 'true']}]
";
    kubectl.feed("apply -f -", &[], job);
    kubectl.run("wait --for=condition=complete job/framed --timeout=180s");
}

const HOOKED: &str = "
apiVersion: v1
kind: Pod
metadata: {name: hooked}
spec:
  terminationGracePeriodSeconds: 20
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, 'trap \"echo terminated; exit\" TERM; while :; do sleep 0.1; done']
      lifecycle:
        postStart: {exec: {command: [sh, -c, 'echo started > /proc/1/fd/1; touch /tmp/started']}}
        preStop: {exec: {command: [sh, -c, 'echo stopping > /proc/1/fd/1; sleep 0.5']}}
";

fn lifecycle_hooks_run_after_start_and_before_stop(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], HOOKED);
    kubectl.run("wait --for=condition=Ready pod/hooked --timeout=180s");
    kubectl.run("exec hooked -- test -e /tmp/started");
    let said = kubectl.follow("logs hooked --follow", || drop(kubectl.run("delete pod hooked --timeout=180s")));
    assert_eq!(said, "started\nstopping\nterminated\n");
    let failing = HOOKED.replace("name: hooked", "name: refused").replace("echo started", "exit 3; echo");
    kubectl.feed("apply -f -", &[], &failing);
    kubectl.until("get events --field-selector involvedObject.name=refused", |text| {
        text.contains("FailedPostStartHook") && text.contains("Back-off restarting")
    });
}

const PROBED: &str = "
apiVersion: v1
kind: Pod
metadata: {name: probed}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: by-command
      image: busybox:1.36
      command: [sh, -c, 'sleep 1000']
      readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1, timeoutSeconds: 5}
    - name: by-port
      image: caesiumcloud/caesium:v0.1.0
      args: [web, --port, '8080']
      readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, timeoutSeconds: 5}
    - name: by-request
      image: caesiumcloud/caesium:v0.1.0
      args: [web, --port, '8081']
      ports: [{name: http, containerPort: 8081}]
      readinessProbe: {httpGet: {path: /health/ready, port: http}, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 1}
      livenessProbe: {httpGet: {path: /health/live, port: http}, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 2}
    - name: never
      image: caesiumcloud/caesium:v0.1.0
      args: [web, --port, '8082']
      readinessProbe: {tcpSocket: {port: 8083}, periodSeconds: 1}
";

fn every_probe_type_works(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], PROBED);
    let ready = "get pod probed -o jsonpath={range.status.containerStatuses[?(@.ready==true)]}{.name};{end}";
    kubectl.until(ready, |names| names == "by-port;by-request;");
    kubectl.run("exec probed -c by-command -- touch /tmp/ready");
    kubectl.until(ready, |names| names == "by-command;by-port;by-request;");
    let refused = kubectl.until("get events", |text| text.contains("Readiness probe failed: dial tcp"));
    assert!(refused.contains(":8083: connect: connection refused"), "{refused}");
    switch(&kubectl, "8081", "unready");
    kubectl.until(ready, |names| names == "by-command;by-port;");
    switch(&kubectl, "8081", "ready");
    kubectl.until(ready, |names| names == "by-command;by-port;by-request;");
    switch(&kubectl, "8081", "unhealthy");
    let restarts = r#"get pod probed -o jsonpath={.status.containerStatuses[?(@.name=="by-request")].restartCount}"#;
    kubectl.until(restarts, |count| count != "0");
    kubectl.until("get events", |text| text.contains("Container by-request failed liveness probe, will be restarted"));
    kubectl.until(ready, |names| names == "by-command;by-port;by-request;");
}

/// Toggles a switch of a stand-in that listens in the pod `probed`, from a container beside it.
fn switch(kubectl: &Client, port: &str, to: &str) {
    let script = format!("curl -sf -X POST http://127.0.0.1:{port}/switch/{to}");
    kubectl.feed("exec probed -c by-command -- sh -c", &[&script], "");
}

const SLOW: &str = "
apiVersion: v1
kind: Pod
metadata: {name: slow}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, 'until [ -e /tmp/go ]; do sleep 0.1; done; touch /tmp/up; sleep 1000']
      startupProbe: {exec: {command: [test, -e, /tmp/up]}, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 200}
      livenessProbe: {exec: {command: [test, -e, /tmp/up]}, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 1}
      readinessProbe: {exec: {command: ['true']}, periodSeconds: 1}
";

fn a_startup_probe_delays_the_other_probes(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], SLOW);
    let state = "get pod slow -o jsonpath={.status.containerStatuses[0]['started','ready','restartCount']}";
    kubectl.until("get events", |text| text.contains("Startup probe failed"));
    kubectl.run("exec slow -- touch /tmp/go");
    kubectl.run("wait --for=condition=Ready pod/slow --timeout=180s");
    assert_eq!(kubectl.run(state), "true true 0", "its liveness was not probed before it had started");
}

const TOLD: &str = "
apiVersion: v1
kind: Service
metadata: {name: my-db}
spec: {ports: [{name: sql, port: 5432}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {ONE: '1', TWO: '2'}
---
apiVersion: v1
kind: Secret
metadata: {name: hidden}
stringData: {password: secret}
---
apiVersion: v1
kind: Pod
metadata: {name: told, labels: {app: told}, annotations: {note: 'yes'}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, 'env; sleep 1000']
      resources: {requests: {cpu: 250m, memory: 32Mi}, limits: {memory: 64Mi}}
      envFrom: [{configMapRef: {name: settings}, prefix: S_}]
      env:
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: hidden, key: password}}}
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: LABEL, valueFrom: {fieldRef: {fieldPath: 'metadata.labels[''app'']'}}}
        - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
        - {name: CPU, valueFrom: {resourceFieldRef: {resource: requests.cpu, divisor: 1m}}}
        - {name: COMPOSED, value: '$(POD) at $(IP), not $$(POD)'}
";

fn environment(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], TOLD);
    kubectl.feed(
        "apply -f -",
        &[],
        &TOLD
            .replace("name: told,", "name: unlinked,")
            .replace("spec:\n  term", "spec:\n  enableServiceLinks: false\n  term"),
    );
    kubectl.run("wait --for=condition=Ready pod/told pod/unlinked --timeout=180s");
    let ip = kubectl.run("get pod told -o jsonpath={.status.podIP}");
    let db = kubectl.run("get service my-db -o jsonpath={.spec.clusterIP}");
    let env = kubectl.until("logs told", |text| text.contains("COMPOSED"));
    let own =
        ["S_ONE=1", "S_TWO=2", "PASSWORD=secret", "POD=told", "LABEL=told", "MEMORY=64", "CPU=250", "HOSTNAME=told"];
    let made = [
        format!("IP={ip}"),
        format!("COMPOSED=told at {ip}, not $(POD)"),
        "NODE=chartproof-control-plane".to_owned(),
        format!("MY_DB_SERVICE_HOST={db}"),
        "MY_DB_SERVICE_PORT_SQL=5432".to_owned(),
        format!("MY_DB_PORT_5432_TCP=tcp://{db}:5432"),
        "KUBERNETES_SERVICE_HOST=10.96.0.1".to_owned(),
    ];
    for line in own.into_iter().chain(made.iter().map(String::as_str)) {
        assert!(env.lines().any(|other| other == line), "{line} is missing in {env}");
    }
    let unlinked = kubectl.until("logs unlinked", |text| text.contains("COMPOSED"));
    assert!(!unlinked.contains("MY_DB"), "{unlinked}");
    assert!(
        unlinked.contains("KUBERNETES_SERVICE_HOST="),
        "the API server's own service is always included: {unlinked}"
    );
}

/// `script` gives kubectl a terminal, and the program in the container gets one, too.
fn exec_has_a_terminal(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.run("run tty --image=busybox:1.36 --command -- sleep 1000");
    kubectl.run("wait --for=condition=Ready pod/tty --timeout=180s");
    // The size arrives shortly after the start.
    let said = kubectl.on_a_terminal(
        "exec -it tty -- sh -c 'tty; while [ \"$(stty size)\" != \"33 99\" ]; do sleep 0.1; done; exit 4'",
    );
    assert!(said.stdout.contains("/dev/pts/"), "{}", said.stdout);
    assert_eq!(said.code, 4, "{}", said.stdout);
}

fn unsupported_requests_are_rejected(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.run("run it --image=busybox:1.36 --command -- sleep 1000");
    kubectl.run("wait --for=condition=Ready pod/it --timeout=180s");
    let proxy = format!("get --raw /api/v1/namespaces/{namespace}/pods/it/proxy/");
    assert!(kubectl.fail(&proxy, "").contains("the server could not find the requested resource"));
}
