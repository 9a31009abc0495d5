//! Tests of the conversion of times between two clocks.

use client::http::Failure;
use client::records::Records;
use client::team::{Team, Traffic};
use history::{Connection as Over, Operation};
use tokio::sync::mpsc;

use super::*;

/// Returns an operation from 100 to 200 on the team's clock.
async fn done() -> CompletedOperation {
    let suite: suite::Suite = toml::from_str(include_str!("../../../helm/caesium/e2e.toml")).unwrap();
    let records: Records = suite.records().unwrap().clone();
    let task =
        Task { traffic: Traffic::Records(Box::new(records)), prefix: "p".to_owned(), pause_ms: 0, timeout_ms: 10 };
    let (sender, mut done) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let team = Team::new(task, std::time::Instant::now(), stop.clone(), move |ended| drop(sender.send(ended)));
    let refuse = || async { Err(Failure::NotSent("connection refused".to_owned())) };
    let working = tokio::spawn(team.work("c".to_owned(), None, Over::Service, refuse));
    let one: CompletedOperation = done.recv().await.unwrap();
    stop.cancel();
    working.await.unwrap();
    CompletedOperation { operation: Operation { start_ns: 100, end_ns: 200, ..one.operation }, ..one }
}

#[tokio::test]
async fn an_operation_is_recorded_as_long_as_it_may_have_taken() {
    // Their 50 was between our 1000 and 1040, and their 60 between our 1020 and 1030, so we are ahead by 960 to 970.
    let ahead = Ahead { least: i128::MIN, most: i128::MAX }.and(1000, 50, 1040).and(1020, 60, 1030);
    assert_eq!(ahead, Ahead { least: 960, most: 970 });
    let operation = ahead.place(done().await, 5000).operation;
    assert_eq!((operation.start_ns, operation.end_ns), (1060, 1170));
}

#[tokio::test]
async fn no_operation_ends_after_its_arrival() {
    let ahead = Ahead { least: 900, most: 2000 };
    let operation = ahead.place(done().await, 1500).operation;
    assert_eq!((operation.start_ns, operation.end_ns), (1000, 1500));
}

#[tokio::test]
async fn a_connection_that_nothing_accepts_is_recorded_as_refused() {
    let operation = done().await.operation;
    assert!(operation.refused);
    assert_eq!(operation.outcome, history::Outcome::Failed);
    assert_eq!(operation.error.as_deref(), Some("connection refused"));
}
