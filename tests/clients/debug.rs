//! Containers that a client talks to or adds: attach, `kubectl run -i`, `kubectl debug`.

use super::client::Clients;
use super::{Case, kubectl};

pub const CASES: &[Case] = &[
    ("debug::an_ephemeral_container_runs_beside_the_others", an_ephemeral_container_runs_beside_the_others),
    ("debug::run_passes_its_input_on", run_passes_its_input_on),
    ("debug::attach_shows_what_a_container_says", attach_shows_what_a_container_says),
];

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: busybox:1.36
      command: [sh, -c, 'trap exit TERM; while :; do echo tick; sleep 0.2; done']
";

fn an_ephemeral_container_runs_beside_the_others(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], POD);
    kubectl.run("wait --for=condition=Ready pod/app --timeout=180s");
    let script = "tr '\\0' ' ' < /proc/1/cmdline; echo; hostname; until [ -e /tmp/end ]; do sleep 0.1; done; exit 4";
    let line = "debug app --image=busybox:1.36 --target=main --container=debugger --quiet -- sh -c";
    kubectl.feed(line, &[script], "");
    let state = "get pod app -o jsonpath={.status.ephemeralContainerStatuses[0].state}";
    kubectl.until(state, |state| state.contains("running"));
    let said = kubectl.until("logs app -c debugger", |text| text.lines().count() == 2);
    assert!(said.starts_with("sh -c trap exit TERM") && said.ends_with("\napp\n"), "the target's processes: {said}");
    assert_eq!(kubectl.run("exec app -c debugger -- echo here"), "here\n");
    kubectl.run("exec app -c debugger -- touch /tmp/end");
    kubectl.until(state, |state| state.contains("\"exitCode\":4"));
    let ready = "get pod app -o jsonpath={.status.phase}/{.status.containerStatuses[0].restartCount}";
    assert_eq!(kubectl.run(ready), "Running/0");
    let events = kubectl.until("get events", |text| text.contains("pod/app") && text.matches("Started").count() == 2);
    assert!(!events.contains("BackOff"), "it is not restarted: {events}");
}

fn run_passes_its_input_on(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    let line = "run once -i --quiet --restart=Never --image=busybox:1.36 --pod-running-timeout=180s -- sh -c";
    let said = kubectl.call(line, &["sleep 2; cat; exit 3"], "from the client\n");
    assert_eq!((said.code, said.stdout.as_str()), (3, "from the client\n"), "{}", said.stderr);
    let line = "run screen -it --quiet --restart=Never --image=busybox:1.36 --pod-running-timeout=180s \
                --command -- sh -c 'sleep 2; stty size; tty -s && echo terminal'";
    let said = kubectl.on_a_terminal(line);
    assert!(said.stdout.contains("33 99") && said.stdout.contains("terminal"), "{}", said.stdout);
}

fn attach_shows_what_a_container_says(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], POD);
    kubectl.run("wait --for=condition=Ready pod/app --timeout=180s");
    let said = kubectl.follow("attach app --quiet", || drop(kubectl.run("delete pod app --wait=false")));
    assert!(said.starts_with("tick\n"), "it ends with its container: {said}");
}
