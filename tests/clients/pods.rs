//! kubectl's commands on a pod: get, describe, logs, exec, cp, port-forward.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::client::Clients;
use super::{Case, kubectl};

pub const CASES: &[Case] = &[
    ("kubectl::get_and_describe_work", get_and_describe_work),
    ("kubectl::logs", logs),
    ("kubectl::exec_and_cp_work", exec_and_cp_work),
    ("kubectl::port_forward", port_forward),
    ("kubectl::run_and_delete_work", run_and_delete_work),
];

/// Prints numbers, and restarts when asked to; ends on SIGTERM.
const TALKER: &str = "
apiVersion: v1
kind: Pod
metadata: {name: talker, labels: {app: talker}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, 'echo one; echo two; echo three; until [ -e /tmp/end ]; do sleep 0.1; done; echo last words; exit 3']
";

fn get_and_describe_work(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], TALKER);
    kubectl.run("wait --for=condition=Ready pod/talker --timeout=180s");
    let shown = kubectl.run("get pods -o wide");
    let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..7], ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]);
    assert_eq!(rows[1][..4], ["talker", "1/1", "Running", "0"]);
    assert!(rows[1][5].starts_with("10.244."), "{shown}");
    assert_eq!(rows[1][6], "chartproof-control-plane");
    assert!(kubectl.run("get nodes").contains("chartproof-control-plane   Ready"));
    assert!(kubectl.run("get pods -l app=talker --no-headers").starts_with("talker "));
    // Events appear shortly after what they report.
    let described = kubectl.until("describe pod talker", |text| text.contains("Container started"));
    for line in ["Status:           Running", "QoS Class:                   BestEffort", "Successfully assigned"] {
        assert!(described.contains(line), "{line:?} is missing in {described}");
    }
    assert!(kubectl.run("describe node chartproof-control-plane").contains("talker"));
}

fn logs(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], TALKER);
    kubectl.run("wait --for=condition=Ready pod/talker --timeout=180s");
    assert_eq!(kubectl.until("logs talker", |text| text.lines().count() == 3), "one\ntwo\nthree\n");
    assert_eq!(kubectl.run("logs talker --tail=1"), "three\n");
    assert!(kubectl.run("logs talker --timestamps --tail=1").contains("Z three"));
    assert!(kubectl.fail("logs talker --previous", "").contains("previous terminated container \"main\""));
    let said = kubectl.follow("logs talker --follow", || drop(kubectl.run("exec talker -- touch /tmp/end")));
    assert_eq!(said, "one\ntwo\nthree\nlast words\n", "it ends with its container");
    kubectl.until("get pod talker -o jsonpath={.status.containerStatuses[0].restartCount}", |count| count == "1");
    assert_eq!(kubectl.run("logs talker --previous --tail=1"), "last words\n");
    let ended = "{.status.containerStatuses[0].lastState.terminated.exitCode}";
    assert_eq!(kubectl.run(&format!("get pod talker -o jsonpath={ended}")), "3");
}

fn exec_and_cp_work(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], TALKER);
    kubectl.run("wait --for=condition=Ready pod/talker --timeout=180s");
    let said = kubectl.call("exec talker -- sh -c", &["echo out; echo err >&2; exit 7"], "");
    assert_eq!((said.code, said.stdout.as_str()), (7, "out\n"));
    assert!(said.stderr.starts_with("err\n"), "{}", said.stderr);
    let megabyte = "0123456789abcdef".repeat(1 << 16);
    assert_eq!(kubectl.feed("exec -i talker -- cat", &[], &megabyte), megabyte, "stdin, to its end, and back");
    let folder = tempfile::tempdir().unwrap();
    let (there, back) = (folder.path().join("there"), folder.path().join("back"));
    std::fs::write(&there, &megabyte).unwrap();
    kubectl.run(&format!("cp {} talker:/tmp/copied", there.display()));
    assert_eq!(kubectl.run("exec talker -- wc -c /tmp/copied").split_whitespace().next(), Some("1048576"));
    kubectl.run(&format!("cp talker:/tmp/copied {}", back.display()));
    assert_eq!(std::fs::read_to_string(back).unwrap(), megabyte);
}

/// Starts a program for each connection; the other listener is the stand-in.
const LISTENER: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: caesiumcloud/caesium:v0.1.0
      env: [{name: CAESIUM_NODE_ADDRESS, value: '127.0.0.1:9001'}]
      readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 1}
      volumeMounts: [{name: data, mountPath: /var/lib/caesium}]
  volumes: [{name: data, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
";

fn port_forward(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], LISTENER);
    kubectl.run("wait --for=condition=Ready pod/web --timeout=180s");
    for target in ["pod/web :8080", "service/web :http"] {
        let forwarder = kubectl.command(&format!("port-forward {target}"), &[]).stderr_to_stdout().reader().unwrap();
        let mut line = String::new();
        BufReader::new(&forwarder).read_line(&mut line).unwrap();
        let port: u16 = line.split([':', ' ']).find_map(|word| word.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        for _ in 0..3 {
            assert!(health(port).contains(r#""status":"healthy""#), "{target}, one connection after the other");
        }
        forwarder.kill().unwrap();
    }
}

fn health(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn run_and_delete_work(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.run("run once --image=busybox:1.36 --restart=Never -- sh -c true");
    kubectl.run("wait --for=jsonpath={.status.phase}=Succeeded pod/once --timeout=180s");
    kubectl.run("delete pod once --timeout=180s");
    assert!(kubectl.fail("get pod once", "").contains("pods \"once\" not found"));
    clients.kubectl.run(&format!("delete namespace {namespace} --timeout=180s"));
    assert!(clients.kubectl.fail(&format!("get namespace {namespace}"), "").contains("not found"));
}
