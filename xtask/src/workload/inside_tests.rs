//! Tests of the conversion of times between two clocks.

use client::host::Host;
use client::reach::{Port, Reach};
use client::records::Records;
use client::team::{Team, Traffic};
use client::template::Secrets;
use history::{Connection as Over, Operation};
use tokio::sync::mpsc;

use super::*;

/// Returns an operation from 100 to 200 on the team's clock.
async fn done() -> CompletedOperation {
    let suite: toml::Table = toml::from_str(include_str!("../../../helm/caesium/e2e.toml")).unwrap();
    let records: Records = suite["records"].clone().try_into().unwrap();
    // Nothing listens there.
    let reach = Reach { http: Some(Port { number: 1, timeout_ms: 10_000 }), ..Reach::default() };
    let host = Host { name: "127.0.0.1".to_owned(), reach: reach.clone() };
    let traffic = Traffic::Records(Box::new(records));
    let task = Task { traffic, prefix: "p".to_owned(), pause_ms: 0, reach, secrets: Secrets::default() };
    let (sender, mut done) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let team = Team::new(task, std::time::Instant::now(), stop.clone(), move |ended| drop(sender.send(ended)));
    let working = tokio::spawn(team.work("c".to_owned(), None, Over::Service, host));
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
    let error = operation.error.unwrap();
    assert_eq!(error, "connecting to 127.0.0.1:1: Connection refused (os error 111)");
}
