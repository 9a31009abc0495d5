#![expect(clippy::needless_pass_by_value, reason = "a JSON literal reads best where it is used")]

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

use crate::controllers::testing::{Simulation, recording};
use crate::registry::DeleteOptions;

fn replay(namespace: &str, text: &str) -> (Simulation, Vec<Value>) {
    let recorded = recording::lines(text);
    let mut simulation = Simulation::new(namespace);
    simulation.create_recorded(&recorded, namespace);
    simulation.settle();
    (simulation, recorded)
}

/// Runs a job's only active pod, makes it ready, and ends it.
fn end_active(simulation: &mut Simulation, namespace: &str, phase: &str) {
    let active =
        simulation.pods(namespace).into_iter().find(|name| !super::pods::is_finished(&simulation.pod(namespace, name)));
    let name = active.expect("no active pod");
    simulation.run(namespace, &name);
    simulation.ready(namespace, &name);
    simulation.run(namespace, &name);
    simulation.end(namespace, &name, phase);
}

fn assert_recorded(simulation: &Simulation, recorded: &[Value]) {
    assert_eq!(recording::events(&simulation.log()), recording::recorded_events(recorded));
    let own = recording::own_states(&simulation.log(), "Job", "j");
    recording::assert_same(&own, &recording::recorded_states(recorded, "jobs", "j"), "j");
}

#[test]
fn a_job_completes_in_the_recorded_steps() {
    let (mut simulation, recorded) = replay("s-job-ok", include_str!("../../../tests/fixtures/lifecycle/job-ok.jsonl"));
    end_active(&mut simulation, "s-job-ok", "Succeeded");
    assert_recorded(&simulation, &recorded);
}

#[test]
fn a_job_fails_in_the_recorded_steps() {
    let namespace = "s-job-fails";
    let (mut simulation, recorded) =
        replay(namespace, include_str!("../../../tests/fixtures/lifecycle/job-fails.jsonl"));
    end_active(&mut simulation, namespace, "Failed");
    simulation.later();
    assert_eq!(simulation.pods(namespace).len(), 1, "the next attempt waits");
    let failed = simulation.pods(namespace).remove(0);
    let kind = crate::kinds::of::<k8s_openapi::api::core::v1::Pod>();
    let long_ago = |pod: &mut Value| {
        pod["status"]["conditions"][0]["lastTransitionTime"] = "2026-01-01T00:00:00Z".into();
        true
    };
    simulation.modify_stored(kind, namespace, &failed, long_ago);
    simulation.settle();
    end_active(&mut simulation, namespace, "Failed");
    assert_recorded(&simulation, &recorded);
}

fn job(spec: Value) -> Simulation {
    let mut simulation = Simulation::new("a");
    let mut job = json!({"metadata": {"name": "j", "namespace": "a"}, "spec": spec});
    job["spec"]["template"] =
        json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "one"}]}});
    simulation.create::<Job>(job);
    simulation.settle();
    simulation
}

fn status(simulation: &Simulation) -> Value {
    let job: Job = simulation.context.client.get("a", "j").unwrap();
    serde_json::to_value(job.status.unwrap()).unwrap()
}

fn condition(simulation: &Simulation) -> String {
    let status = status(simulation);
    let last = status["conditions"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
    format!("{} {}", last["type"].as_str().unwrap_or_default(), last["reason"].as_str().unwrap_or_default())
}

#[test]
fn at_most_parallelism_pods_run_at_a_time() {
    let mut simulation = job(json!({"completions": 3, "parallelism": 2}));
    for (active, succeeded) in [(2, 0), (2, 1), (1, 2)] {
        let status = status(&simulation);
        assert_eq!((status["active"].as_i64(), status["succeeded"].as_i64().unwrap_or(0)), (Some(active), succeeded));
        end_active(&mut simulation, "a", "Succeeded");
    }
    assert_eq!(condition(&simulation), "Complete CompletionsReached");
}

#[test]
fn a_deadline_ends_the_pods_before_the_job() {
    let mut simulation = job(json!({"activeDeadlineSeconds": 600}));
    let name = simulation.pods("a").remove(0);
    simulation.run("a", &name);
    let late = |job: &mut Value| {
        job["status"]["startTime"] = "2026-01-01T00:00:00Z".into();
        true
    };
    simulation.modify_stored(crate::kinds::of::<Job>(), "a", "j", late);
    simulation.settle();
    assert_eq!(condition(&simulation), "FailureTarget DeadlineExceeded");
    simulation.end("a", &name, "Failed");
    assert_eq!(condition(&simulation), "Failed DeadlineExceeded");
}

#[test]
fn a_suspended_job_has_no_pods_and_continues_when_resumed() {
    let mut simulation = job(json!({"suspend": true}));
    assert_eq!((simulation.pods("a").len(), condition(&simulation)), (0, "Suspended JobSuspended".to_owned()));
    let resume = |job: &mut Value| {
        job["spec"]["suspend"] = false.into();
        true
    };
    simulation.modify_stored(crate::kinds::of::<Job>(), "a", "j", resume);
    simulation.settle();
    assert_eq!((simulation.pods("a").len(), condition(&simulation)), (1, "Suspended JobResumed".to_owned()));
}

#[test]
fn a_finished_job_and_its_pods_are_deleted_after_the_ttl() {
    let mut simulation = job(json!({"ttlSecondsAfterFinished": 0}));
    end_active(&mut simulation, "a", "Succeeded");
    simulation.settle();
    assert!(simulation.context.client.get::<Job>("a", "j").is_none());
    assert_eq!(simulation.pods("a"), Vec::<String>::new());
}

#[test]
fn a_deleted_job_does_not_keep_its_pods() {
    let mut simulation = job(json!({}));
    let name = simulation.pods("a").remove(0);
    simulation.run("a", &name);
    simulation.delete::<Job>("a", "j", &DeleteOptions::default());
    simulation.settle();
    assert!(simulation.pod("a", &name).metadata.deletion_timestamp.is_some(), "it has a grace period");
    simulation.stop("a", &name);
    assert_eq!(simulation.pods("a"), Vec::<String>::new());
}
