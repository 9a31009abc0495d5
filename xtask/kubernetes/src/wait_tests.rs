//! Waits end on success, on their deadline with the last state seen, and early on an unrecoverable state.

use serde_json::json;

use super::*;
use crate::watch::State;

fn waiter(timeout_ms: u64) -> Waiter {
    Waiter::new("c::r1::ready".to_owned(), Events::channel().0, Duration::from_millis(timeout_ms))
}

fn with_pod(status: &serde_json::Value) -> State {
    let pod = json!({ "metadata": { "name": "caesium-0" }, "status": status });
    State { pods: [("caesium-0".to_owned(), serde_json::from_value(pod).unwrap())].into(), ..State::default() }
}

fn never_pulled() -> State {
    with_pod(&json!({ "containerStatuses": [{ "name": "caesium", "image": "caesium:1", "imageID": "", "ready": false,
        "restartCount": 0, "state": { "waiting": { "reason": "ErrImageNeverPull" } } }] }))
}

#[tokio::test]
async fn a_later_success_is_seen() {
    let watch = Watch::still(State::default());
    let waiter = waiter(10_000);
    let seen = waiter.until(&watch, "a pod", |state| state.pods.keys().next().cloned().ok_or("none".to_owned()));
    let later = async {
        tokio::task::yield_now().await;
        watch.replace(with_pod(&json!({})));
    };
    assert_eq!(tokio::join!(seen, later).0.unwrap(), "caesium-0");
}

#[tokio::test]
async fn the_deadline_reports_the_last_state_seen_and_errors_of_the_watch() {
    let state = State { trouble: Some("watching pods: connection refused".to_owned()), ..State::default() };
    let error =
        waiter(20).until(&Watch::still(state), "3 replicas ready", |_| Err::<(), _>("2/3 ready".to_owned())).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "3 replicas ready: timed out after 0 s; last seen: 2/3 ready; watching pods: connection refused"
    );
}

#[tokio::test]
async fn an_unrecoverable_state_ends_the_wait_at_once() {
    let started = Instant::now();
    let waiter = waiter(600_000);
    let error =
        waiter.until(&Watch::still(never_pulled()), "ready", |_| Err::<(), _>("0/1".to_owned())).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(60));
    let failed_wait = error.downcast_ref::<WaitFailed>().unwrap();
    assert_eq!(failed_wait.sighting.as_ref().unwrap().object, "Pod/caesium-0");
    assert_eq!(
        error.to_string(),
        "Pod/caesium-0 can't start: ErrImageNeverPull (container caesium with image caesium:1)"
    );
}

#[tokio::test]
async fn it_also_ends_a_command_that_runs_meanwhile() {
    let error = waiter(600_000)
        .unless_hopeless(&Watch::still(never_pulled()), "installing", std::future::pending::<()>())
        .await;
    assert!(error.unwrap_err().to_string().contains("ErrImageNeverPull"));
    let done = waiter(600_000).unless_hopeless(&Watch::still(State::default()), "installing", async { 7 }).await;
    assert_eq!(done.unwrap(), 7);
}

#[tokio::test]
async fn a_wait_for_an_application_that_never_responds_ends_at_the_deadline() {
    let watch = Watch::still(State::default());
    let ask = async || std::future::pending::<Result<(), String>>().await;
    let error = waiter(30).ask_until(&watch, "caesium-0 reports that it is healthy", ask).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "caesium-0 reports that it is healthy: timed out after 0 s; last seen: no response yet"
    );
}

#[tokio::test]
async fn a_hook_that_helm_saw_fail_before_the_watch_did_is_found() {
    let watch = Watch::still(State::default());
    let waiter = waiter(10_000);
    waiter.unless_hopeless(&watch, "helm install", async {}).await.unwrap();
    let job = json!({ "metadata": { "name": "migrate", "uid": "1", "annotations": { "helm.sh/hook": "pre-install" } },
        "status": { "conditions": [{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded" }] } });
    let later = async {
        tokio::task::yield_now().await;
        let jobs = [("migrate".to_owned(), serde_json::from_value(job).unwrap())].into();
        watch.replace(State { jobs, ..State::default() });
    };
    let (found, ()) = tokio::join!(waiter.failed_hook(&watch), later);
    assert_eq!(found.unwrap().sentence, "hook Job/migrate (pre-install) failed: BackoffLimitExceeded");
}

#[tokio::test]
async fn the_watch_gets_its_moment_only_once_if_no_hook_failed() {
    let watch = Watch::still(State::default());
    let waiter = waiter(10_000);
    waiter.unless_hopeless(&watch, "helm install", async {}).await.unwrap();
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(waiter.failed_hook(&watch).await, None);
    }
    assert!(started.elapsed() < WATCH_LAGS_MOST * 10, "not once per caller");
}

#[tokio::test]
async fn a_check_may_read_the_watch_while_it_changes() {
    let watch = Watch::still(State::default());
    let check = |_: &State| {
        let (changed, done) = std::sync::mpsc::channel();
        let changing = watch.clone();
        std::thread::spawn(move || {
            changing.replace(with_pod(&json!({})));
            changed.send(()).ok();
        });
        done.recv_timeout(Duration::from_secs(10)).map_err(|_| "the state is locked".to_owned())?;
        Ok(watch.state().pods.len())
    };
    assert_eq!(waiter(100).until(&watch, "a pod", check).await.unwrap(), 1);
}
