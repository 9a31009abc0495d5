//! The other programs that the stand-in replaces.

use std::time::Duration;

use crate::support::{Fleet, Node, until};

async fn send(node: &Node, method: &str, path: &str, body: &str) -> (u16, String) {
    let answer = until("an answer", async || node.request(method, path, body, Duration::from_secs(5)).await).await;
    (answer.status, answer.body)
}

async fn status(node: &Node, path: &str) -> u16 {
    send(node, "GET", path, "").await.0
}

async fn becomes(node: &Node, path: &str, status: u16) {
    until(&format!("{path} with {status}"), async || node.get(path).await?.expect(status)).await;
}

/// Starts a db; also returns its URL.
async fn db(fleet: &Fleet, variables: &[(&str, &str)]) -> (Node, String) {
    let node = fleet.run(&["db", "--port", "0"], variables);
    let port = until("http", async || node.http_port()).await;
    (node, format!("http://127.0.0.1:{port}"))
}

#[tokio::test]
async fn a_db_keeps_its_records_across_a_restart() {
    let fleet = Fleet::new();
    let dir = fleet.data(0);
    std::fs::create_dir_all(&dir).unwrap();
    let path = [("STANDIN_PATH", dir.to_str().unwrap())];
    let (mut before, _) = db(&fleet, &path).await;
    assert_eq!(send(&before, "PUT", "/v1/records/a", "one").await.0, 201);
    assert_eq!(send(&before, "PUT", "/v1/records/a", "two").await.0, 200);
    assert_eq!(send(&before, "PUT", "/v1/records/b", "x").await.0, 201);
    assert_eq!(send(&before, "DELETE", "/v1/records/b", "").await.0, 204);
    before.kill();
    let (after, _) = db(&fleet, &path).await;
    assert_eq!(send(&after, "GET", "/v1/records/a", "").await, (200, "two".to_owned()));
    assert_eq!(send(&after, "GET", "/v1/records", "").await.1, r#"{"a":"two"}"#);
    assert_eq!(status(&after, "/v1/records/b").await, 404);
    assert_eq!(status(&after, "/health/ready").await, 200);
}

#[tokio::test]
async fn a_late_write_is_acknowledged_before_it_is_stored() {
    let fleet = Fleet::new();
    let (never, _) = db(&fleet, &[("STANDIN_FAULT", "late-write=3600")]).await;
    assert_eq!(send(&never, "PUT", "/v1/records/a", "one").await.0, 201);
    assert_eq!(status(&never, "/v1/records/a").await, 404);
    let (late, _) = db(&fleet, &[("STANDIN_FAULT", "late-write=0.2")]).await;
    for value in ["one", "two", "three"] {
        assert_eq!(send(&late, "PUT", "/v1/records/a", value).await.0, 201);
    }
    let last = async || match late.get("/v1/records/a").await?.body {
        body if body == "three" => Ok(()),
        body => Err(body),
    };
    until("the last value", last).await;
}

#[tokio::test]
async fn a_migration_runs_once() {
    let fleet = Fleet::new();
    let (db, url) = db(&fleet, &[("STANDIN_DB_PASSWORD", "secret")]).await;
    assert_eq!(status(&db, "/v1/migrations").await, 401);
    let variables = [("STANDIN_MIGRATE_DB", url.as_str()), ("STANDIN_DB_PASSWORD", "secret")];
    for words in ["migration 0001 applied", "migration 0001 was applied before"] {
        let mut migrate = fleet.run(&["migrate"], &variables);
        assert!(migrate.ended().await.success(), "{}", migrate.log());
        assert!(migrate.log().contains(words), "{}", migrate.log());
    }
}

#[tokio::test]
async fn a_migration_that_cannot_run_reports_why() {
    let fleet = Fleet::new();
    let (_db, url) = db(&fleet, &[("STANDIN_DB_PASSWORD", "secret")]).await;
    let wrong = [("STANDIN_MIGRATE_DB", url.as_str()), ("STANDIN_DB_PASSWORD", "guess")];
    let absent = [("STANDIN_MIGRATE_DB", "http://127.0.0.1:1"), ("STANDIN_MIGRATE_WAIT_S", "0.2")];
    let switched = [("STANDIN_MIGRATE_DB", url.as_str()), ("STANDIN_MIGRATE_FAILS", "true")];
    for (variables, words) in [
        (&wrong[..], "returned 401"),
        (&absent[..], "migration 0001 failed: no db after 200ms"),
        (&switched[..], "migration 0001 failed, as requested by --migrate-fails"),
        (&[("STANDIN_MIGRATE_DB", "")][..], "STANDIN_MIGRATE_DB is missing"),
    ] {
        let mut migrate = fleet.run(&["migrate"], variables);
        assert_eq!(migrate.ended().await.code(), Some(1));
        assert!(migrate.log().contains(words), "{words:?} is not in {}", migrate.log());
    }
}

#[tokio::test]
async fn a_job_writes_content_from_its_environment() {
    let fleet = Fleet::new();
    let output = fleet.data(0).with_extension("ics");
    let arguments = ["job", "--content", "DTSTART:{START_DATE}\n", "--output", output.to_str().unwrap()];
    let mut lacking = fleet.run(&arguments, &[]);
    assert_eq!(lacking.ended().await.code(), Some(1));
    assert!(lacking.log().contains("environment lacks START_DATE"), "{}", lacking.log());
    let mut job = fleet.run(&arguments, &[("START_DATE", "20260101")]);
    assert!(job.ended().await.success(), "{}", job.log());
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "DTSTART:20260101\n");
}

#[tokio::test]
async fn a_job_fails_the_given_number_of_times_and_ends_with_the_given_code() {
    let fleet = Fleet::new();
    let output = fleet.data(0);
    let arguments = ["job", "--fail-times", "2", "--exit", "7", "--output", output.to_str().unwrap()];
    for code in [1, 1, 7] {
        assert_eq!(fleet.run(&arguments, &[]).ended().await.code(), Some(code));
    }
    let mut lacking = fleet.run(&["job", "--require-env", "A,HOME_OF_B"], &[("A", "")]);
    assert_eq!(lacking.ended().await.code(), Some(1));
    assert!(lacking.log().contains("environment lacks A, HOME_OF_B"), "{}", lacking.log());
}

#[tokio::test]
async fn a_job_ends_on_sigterm() {
    let mut job = Fleet::new().run(&["job", "--takes", "600"], &[("STANDIN_JOB_OUTPUT", "/dev/null")]);
    until("the handler of SIGTERM", async || {
        job.terminate();
        if job.runs() { Err("runs".to_owned()) } else { Ok(()) }
    })
    .await;
}

#[tokio::test]
async fn liveness_and_readiness_are_switched_separately() {
    let fleet = Fleet::new();
    let web =
        fleet.run(&["web", "--port", "0", "--name", "gateway"], &[("STANDIN_VERSION", "2"), ("HOSTNAME", "gw-x")]);
    let version = r#"{"name":"gateway","version":"2","pod":"gw-x"}"#;
    assert_eq!(send(&web, "GET", "/version", "").await, (200, version.to_owned()));
    for (to, [live, ready, both]) in [
        ("unready", [200, 503, 503]),
        ("ready", [200, 200, 200]),
        ("unhealthy", [503, 200, 503]),
        ("healthy", [200; 3]),
    ] {
        assert_eq!(send(&web, "POST", &format!("/switch/{to}"), "").await.0, 204);
        let statuses = [status(&web, "/health/live").await, status(&web, "/health/ready").await];
        assert_eq!((statuses, status(&web, "/health").await), ([live, ready], both), "switched to {to}");
    }
    assert_eq!(send(&web, "POST", "/switch/off", "").await.0, 404);
}

#[tokio::test]
async fn a_missing_dependency_is_named_until_it_responds() {
    let fleet = Fleet::new();
    let (mut db, url) = db(&fleet, &[]).await;
    let tcp = url.replace("http", "tcp");
    db.kill();
    let web = fleet.run(&["web", "--port", "0"], &[("STANDIN_NEEDS", &format!("{url}/health/ready,{tcp}"))]);
    until("http", async || web.http_port()).await;
    let (status, body) = send(&web, "GET", "/health/ready", "").await;
    assert!(status == 503 && body.contains(&url), "{status} {body}");
    web.says(&format!("dependency {tcp} is missing: {tcp}: refused")).await;
    let port = url.rsplit_once(':').unwrap().1;
    let _db = fleet.run(&["db", "--port", port], &[]);
    becomes(&web, "/health/ready", 200).await;
    assert_eq!(send(&web, "GET", "/dependencies", "").await.1.matches("answers").count(), 2);
}

#[tokio::test]
async fn a_web_server_stores_records_in_its_db() {
    let fleet = Fleet::new();
    let (db, url) = db(&fleet, &[("STANDIN_DB_PASSWORD", "secret")]).await;
    let variables = [("STANDIN_STORE", url.as_str()), ("STANDIN_DB_PASSWORD", "secret")];
    let web = fleet.run(&["web", "--port", "0"], &variables);
    until("http", async || web.http_port()).await;
    assert_eq!(send(&web, "PUT", "/v1/records/a", "one").await.0, 201);
    assert_eq!(send(&web, "GET", "/v1/records/a", "").await, (200, "one".to_owned()));
    drop(db);
    assert_eq!(status(&web, "/v1/records/a").await, 502);
}

#[tokio::test]
async fn a_server_whose_migration_fails_never_opens() {
    let fleet = Fleet::new();
    let mut web = fleet
        .run(&["web", "--port", "0"], &[("STANDIN_MIGRATE_DB", "http://127.0.0.1:1"), ("STANDIN_MIGRATE_WAIT_S", "0")]);
    assert_eq!(web.ended().await.code(), Some(1));
    assert!(web.http_port().is_err() && web.log().contains("migration 0001 failed"), "{}", web.log());
    let mut lacking = fleet.run(&["web", "--port", "0", "--require-env", "DB_NAME"], &[]);
    assert_eq!(lacking.ended().await.code(), Some(1));
    assert!(lacking.log().contains("environment lacks DB_NAME"), "{}", lacking.log());
}

#[tokio::test]
async fn a_worker_counts_its_work_in_the_store() {
    let fleet = Fleet::new();
    let (mut db, url) = db(&fleet, &[]).await;
    let variables = [("STANDIN_STORE", url.as_str()), ("HOSTNAME", "w-1")];
    let worker = fleet.run(&["worker", "--port", "0", "--every", "0.05"], &variables);
    let count =
        async || db.get("/v1/records/worker-w-1").await?.expect(200)?.body.parse().map_err(|_| "none".to_owned());
    until("three pieces", async || count().await.and_then(|n: u32| if n > 2 { Ok(()) } else { Err(n.to_string()) }))
        .await;
    assert_eq!(status(&worker, "/health").await, 200);
    db.kill();
    worker.says("work has stopped").await;
}

#[tokio::test]
async fn faults_are_planted_in_servers_too() {
    let fleet = Fleet::new();
    let planted = async |fault: &str| {
        let web = fleet.run(&["web", "--port", "0"], &[("STANDIN_FAULT", fault), ("STANDIN_PATH", "/nowhere")]);
        until("http", async || web.http_port()).await;
        web
    };
    let web = planted("health-503").await;
    assert_eq!([status(&web, "/health/live").await, status(&web, "/version").await], [503, 200]);
    let web = planted("health-hangs").await;
    let hangs = web.request("GET", "/health/ready", "", Duration::from_millis(500)).await;
    assert!(hangs.unwrap_err().contains("no response within"));
}
