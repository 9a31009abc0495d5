//! Jobs: counting, failing, deadlines, deletion; and kinds that are stored but that nothing acts on.

use super::client::Clients;
use super::{Case, kubectl};

pub const CASES: &[Case] = &[
    ("jobs::a_job_respects_completions_and_parallelism", a_job_respects_completions_and_parallelism),
    ("jobs::a_failing_job_is_retried_and_then_fails", a_failing_job_is_retried_and_then_fails),
    ("jobs::a_job_that_takes_too_long_is_ended", a_job_that_takes_too_long_is_ended),
    ("jobs::a_finished_job_is_deleted_after_its_ttl", a_finished_job_is_deleted_after_its_ttl),
    ("jobs::a_suspended_job_waits", a_suspended_job_waits),
    ("jobs::a_pod_failure_policy_is_rejected", a_pod_failure_policy_is_rejected),
    ("kinds::inert_kinds_are_stored_and_reported", inert_kinds_are_stored_and_reported),
];

/// Returns a job with these fields of its spec, whose pod runs this script.
fn job(name: &str, fields: &str, script: &str) -> String {
    format!(
        "
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec:
  {fields}
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers: [{{name: main, image: 'busybox:1.36', command: [sh, -c, '{script}']}}]
"
    )
}

fn a_job_respects_completions_and_parallelism(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], &job("many", "completions: 5\n  parallelism: 2", "sleep 0.5"));
    let each = "get job many --watch -o jsonpath={.status.active}/{.status.succeeded};";
    let watch = kubectl.command(each, &[]).stdout_capture().unchecked().start().unwrap();
    kubectl.run("wait --for=condition=complete job/many --timeout=180s");
    watch.kill().unwrap();
    let said = String::from_utf8_lossy(&watch.wait().unwrap().stdout).into_owned();
    let active: Vec<u32> = said.split(';').filter_map(|state| state.split_once('/')?.0.parse().ok()).collect();
    assert!(active.contains(&2) && active.iter().all(|count| *count <= 2), "{said}");
    assert_eq!(kubectl.run("get pods --no-headers").matches("Completed").count(), 5);
    assert!(kubectl.run("get job many --no-headers").contains("5/5"));
}

fn a_failing_job_is_retried_and_then_fails(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], &job("fails", "backoffLimit: 1", "echo tried; exit 3"));
    kubectl.run("wait --for=condition=failed job/fails --timeout=180s");
    let why = r#"get job fails -o jsonpath={.status.conditions[?(@.type=="Failed")].reason}/{.status.failed}"#;
    assert_eq!(kubectl.run(why), "BackoffLimitExceeded/2");
    assert_eq!(kubectl.run("logs -l batch.kubernetes.io/job-name=fails"), "tried\ntried\n", "its pods are kept");
    let late = kubectl.fail("wait --for=condition=complete job/fails --timeout=1s", "");
    assert!(late.contains("timed out"), "{late}");
}

fn a_job_that_takes_too_long_is_ended(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], &job("slow", "activeDeadlineSeconds: 2", "sleep 1000"));
    kubectl.run("wait --for=condition=failed job/slow --timeout=180s");
    let why = r#"get job slow -o jsonpath={.status.conditions[?(@.type=="Failed")].reason}"#;
    assert_eq!(kubectl.run(why), "DeadlineExceeded");
    kubectl.until("get pods -o name", str::is_empty);
}

fn a_finished_job_is_deleted_after_its_ttl(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], &job("short", "ttlSecondsAfterFinished: 2", "true"));
    kubectl.run("wait --for=condition=complete job/short --timeout=180s");
    kubectl.run("wait --for=delete job/short --timeout=180s");
    kubectl.until("get pods -o name", str::is_empty);
}

fn a_suspended_job_waits(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], &job("later", "suspend: true", "true"));
    kubectl.run("wait --for=condition=suspended job/later --timeout=180s");
    assert_eq!(kubectl.run("get pods -o name"), "");
    kubectl.feed("patch job later --patch", &[r#"{"spec": {"suspend": false}}"#], "");
    kubectl.run("wait --for=condition=complete job/later --timeout=180s");
}

fn a_pod_failure_policy_is_rejected(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    let policy = "podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [3]}}]}";
    let refused = kubectl.fail("apply -f -", &job("choosy", policy, "true"));
    assert!(refused.contains("spec.podFailurePolicy: Forbidden: not supported by the embedded cluster"), "{refused}");
}

const INERT: &str = "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 5
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: often}
spec:
  schedule: '* * * * *'
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: main, image: 'busybox:1.36'}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
";

fn inert_kinds_are_stored_and_reported(clients: &Clients, namespace: &str) {
    let kubectl = kubectl(clients, namespace);
    kubectl.feed("apply -f -", &[], INERT);
    assert_eq!(kubectl.feed("apply -f -", &[], INERT).matches("unchanged").count(), 4);
    assert!(kubectl.run("get horizontalpodautoscaler web --no-headers").contains("Deployment/web"));
    assert!(kubectl.run("get cronjob often --no-headers").contains("* * * * *"));
    assert!(kubectl.run("describe networkpolicy closed").contains("Not affecting egress traffic"));
    let report = kubectl.run("get --raw /chartproof/report");
    let named = ["HorizontalPodAutoscaler", "CronJob", "NetworkPolicy", "Ingress"];
    for (kind, name) in named.iter().zip(["web", "often", "closed", "front"]) {
        assert!(report.contains(&format!("\"{kind} {namespace}/{name}\"")), "{kind} {name}: {report}");
    }
    assert_eq!(kubectl.run("get jobs,pods -o name"), "", "nothing acts on them");
    kubectl.feed("delete -f -", &[], INERT);
}
