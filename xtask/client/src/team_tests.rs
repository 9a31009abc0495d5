//! Tests of clients whose connections may lead to something other than the application.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper::{Method, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::host::Host;
use crate::reach::Port;
use crate::read_back::ReadBack;

const LONG: Duration = Duration::from_secs(20);

/// The other end of a connection.
#[derive(Clone)]
enum End {
    /// The application, with its records.
    Application(Arc<Mutex<BTreeMap<String, Value>>>),
    /// The application, which has lost every record.
    Forgetful,
    /// Another server, which knows none of the requests.
    Stranger,
}

impl End {
    fn answer(&self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
        let id = path.rsplit('/').next().unwrap_or_default().to_owned();
        match (self, method) {
            (Self::Stranger, _) => (404, Value::Null),
            (Self::Forgetful, &Method::POST) => (201, json!({ "id": "7" })),
            (Self::Forgetful, _) => (404, json!({ "error": "no such job" })),
            (Self::Application(records), &Method::POST) => {
                let mut records = records.lock().unwrap();
                let id = records.len().to_string();
                records.insert(id.clone(), serde_json::from_slice(body).unwrap());
                (201, json!({ "id": id }))
            }
            (Self::Application(records), _) => match records.lock().unwrap().get(&id) {
                Some(record) => (200, record.clone()),
                None => (404, json!({ "error": "no such job" })),
            },
        }
    }
}

/// Starts a server on loopback. `end` returns the other end of each connection, by its number.
async fn serve(end: impl Fn(usize) -> End + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, end) = (listener.accept().await.unwrap().0, end(number));
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let end = end.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let (status, answer) = end.answer(&parts.method, parts.uri.path(), &body);
                    let response = Response::builder().status(status).body(Full::new(Bytes::from(answer.to_string())));
                    Ok::<_, Infallible>(response.unwrap())
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

/// Returns the operations of one client through the Service, up to one that is `found`.
async fn until(
    address: SocketAddr,
    over: Over,
    wanted: impl Fn(&CompletedOperation) -> bool,
) -> Vec<CompletedOperation> {
    let suite: toml::Table = toml::from_str(include_str!("../../../helm/caesium/e2e.toml")).unwrap();
    let records: Records = suite["records"].clone().try_into().unwrap();
    until_of(Traffic::Records(Box::new(records)), address, over, wanted).await
}

async fn until_of(
    traffic: Traffic,
    address: SocketAddr,
    over: Over,
    wanted: impl Fn(&CompletedOperation) -> bool,
) -> Vec<CompletedOperation> {
    let http = Some(Port { number: address.port(), timeout_ms: 5000 });
    let reach = Reach { http, ..Reach::default() };
    let task = Task { traffic, prefix: "p".to_owned(), pause_ms: 1, reach: reach.clone(), secrets: Secrets::default() };
    let (sender, mut done) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let team = Team::new(task, Instant::now(), stop.clone(), move |ended| drop(sender.send(ended)));
    let host = Host { name: address.ip().to_string(), reach };
    let working = tokio::spawn(team.work("c".to_owned(), None, over, host));
    let mut all = Vec::new();
    let enough = async {
        while !all.last().is_some_and(&wanted) {
            all.push(done.recv().await.unwrap());
        }
    };
    let ended = tokio::time::timeout(LONG, enough).await;
    assert!(ended.is_ok(), "no such operation: {:#?}", all.last());
    stop.cancel();
    working.await.unwrap();
    all
}

fn is(done: &CompletedOperation, kind: OperationKind, outcome: Outcome) -> bool {
    done.operation.kind == kind && done.operation.outcome == outcome
}

#[tokio::test]
async fn a_kept_connection_that_leads_elsewhere_is_dropped_and_the_outcome_of_the_write_is_unknown() {
    let application = End::Application(Arc::default());
    let address = serve(move |number| if number == 0 { End::Stranger } else { application.clone() }).await;
    let found =
        |done: &CompletedOperation| is(done, OperationKind::Read, Outcome::Ok) && done.operation.value.is_some();
    let all = until(address, Over::ServiceReused, found).await;
    assert!(is(&all[0], OperationKind::Write, Outcome::Unknown), "{:#?}", all[0]);
    assert_eq!(all[0].stranger, Some(address.to_string()));
    let error = all[0].operation.error.as_deref().unwrap();
    assert!(error.contains("status 404") && error.contains(&address.to_string()), "{error}");
    assert!(all[0].record.is_some(), "it has to be looked up");
    assert!(all[1..].iter().all(|done| done.operation.outcome == Outcome::Ok && done.stranger.is_none()), "{all:#?}");
}

#[tokio::test]
async fn a_missing_record_counts_only_if_the_application_reports_it() {
    let application = End::Application(Arc::default());
    // The first write reaches the application, the first read does not.
    let address = serve(move |number| if number == 1 { End::Stranger } else { application.clone() }).await;
    let found = |done: &CompletedOperation| is(done, OperationKind::Read, Outcome::Ok);
    let all = until(address, Over::Service, found).await;
    assert_eq!(all.last().unwrap().operation.value.as_deref(), Some("p-c-2"), "{all:#?}");
    let read = all.iter().find(|done| done.operation.kind == OperationKind::Read).unwrap();
    assert!(is(read, OperationKind::Read, Outcome::Failed), "{read:#?}");
    assert!(read.operation.error.as_deref().unwrap().contains("may not be the application"), "{read:#?}");
}

#[tokio::test]
async fn an_application_that_has_lost_a_record_is_believed() {
    for over in [Over::Service, Over::ServiceReused] {
        let address = serve(|_| End::Forgetful).await;
        let all = until(address, over, |done| is(done, OperationKind::Read, Outcome::Ok)).await;
        assert_eq!(all.last().unwrap().operation.value, None, "{over}: {all:#?}");
    }
}

#[tokio::test]
async fn a_client_that_checks_health_reconnects_until_the_application_responds() {
    let request = || Request::get(&"/health".to_owned().try_into().unwrap());
    let application = End::Application(Arc::new(Mutex::new([("health".to_owned(), json!({}))].into())));
    let address = serve(move |number| if number < 2 { End::Stranger } else { application.clone() }).await;
    let healthy = |done: &CompletedOperation| is(done, OperationKind::Health, Outcome::Ok);
    let all = until_of(Traffic::Health(Box::new(request())), address, Over::ServiceReused, healthy).await;
    let errors: Vec<_> = all.iter().map(|done| done.operation.error.as_deref().unwrap_or("none")).collect();
    assert_eq!(errors, ["status 404 instead of 200: null", "status 404 instead of 200: null", "none"]);
}

#[tokio::test]
async fn records_are_read_back_through_every_replica_that_responds() {
    let records: Vec<_> = (0..9)
        .map(|number| Record {
            id: Some(number.to_string()),
            ..Record::new(format!("k-{number}"), format!("v-{number}"))
        })
        .collect();
    let kept = records.iter().map(|record| (record.id.clone().unwrap(), json!({ "alias": record.value })));
    let application = End::Application(Arc::new(Mutex::new(kept.filter(|(id, _)| id != "4").collect())));
    let address = serve(move |_| application.clone()).await;
    let suite: toml::Table = toml::from_str(include_str!("../../../helm/caesium/e2e.toml")).unwrap();
    let of_suite: Records = suite["records"].clone().try_into().unwrap();
    let http = Some(Port { number: address.port(), timeout_ms: 5000 });
    let what = ReadBack {
        // Nothing listens at the second.
        replicas: vec![("c-0".to_owned(), "127.0.0.1".to_owned()), ("c-1".to_owned(), "127.9.9.9".to_owned())],
        records: records.clone(),
        read: of_suite.read.unwrap(),
        reach: Reach { http, ..Reach::default() },
        secrets: Secrets::default(),
    };
    let (sender, mut reads) = mpsc::unbounded_channel();
    for lane in what.lanes() {
        let sender = sender.clone();
        lane.run(Instant::now(), move |read| drop(sender.send(read))).await;
    }
    drop(sender);
    let mut all = BTreeMap::new();
    while let Some(read) = reads.recv().await {
        assert_eq!((read.stage, read.replica.as_deref()), (history::Stage::ReadBack, Some("c-0")));
        all.insert(read.key, read.value);
    }
    let expected = records.iter().map(|record| {
        let value = Some(record.value.clone()).filter(|_| record.id.as_deref() != Some("4"));
        (record.key.clone(), value)
    });
    assert_eq!(all, expected.collect());
}
