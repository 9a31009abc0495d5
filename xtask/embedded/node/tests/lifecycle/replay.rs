//! One scenario: its objects created, its requests made, its states collected.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::client::{Client, follow};
use crate::compare::{Tracks, differences};
use crate::normal::state;
use crate::recording::{Line, lines};

/// The collections that the recordings watch.
const WATCHED: [(&str, &str); 8] = [
    ("/api/v1", "pods"),
    ("/api/v1", "events"),
    ("/api/v1", "persistentvolumeclaims"),
    ("/apis/apps/v1", "statefulsets"),
    ("/apis/apps/v1", "deployments"),
    ("/apis/batch/v1", "jobs"),
    ("/apis/policy/v1", "poddisruptionbudgets"),
    ("/apis/discovery.k8s.io/v1", "endpointslices"),
];
/// How long a request waits for everything that was seen before it in the recording …
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// … and the end waits for everything. The longest recording takes 50 s of back-off.
const END_TIMEOUT: Duration = Duration::from_secs(90);

/// Replays a scenario; returns the differences from the recording.
pub async fn replay(client: Arc<Client>, scenario: &'static str) -> Result<(), String> {
    let namespace = format!("s-{scenario}");
    let body = json!({"metadata": {"name": namespace}});
    let (code, answer) = client.send("POST", "/api/v1/namespaces", &body).await;
    assert_eq!(code, 201, "{answer}");
    until_account(&client, &namespace).await?;
    let mut watching = Watching::start(&client, scenario, &namespace).await;
    let mut recorded = Tracks::default();
    for line in lines(scenario) {
        match line {
            Line::Seen(seen) => {
                if let Some((track, state)) = state(&seen) {
                    recorded.push(track, state);
                }
            }
            Line::Create(object) => create(&client, &namespace, object).await?,
            Line::Request(method, path, body, wanted) => {
                watching.until(&recorded, STEP_TIMEOUT).await;
                let (code, answer) = client.send(&method, &path.replace("NS", &namespace), &body).await;
                if u64::from(code) != wanted {
                    return Err(format!("{method} {path} returned {code} instead of {wanted}: {answer}"));
                }
            }
        }
    }
    watching.until(&recorded, END_TIMEOUT).await;
    match differences(scenario, &recorded, &watching.tracks) {
        none if none.is_empty() => Ok(()),
        some => Err(some),
    }
}

/// Waits for the service account, without which pods are rejected. When the recordings were made, it had long existed.
async fn until_account(client: &Client, namespace: &str) -> Result<(), String> {
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/default");
    let there = async {
        while client.send("GET", &path, &Value::Null).await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(STEP_TIMEOUT, there).await.map_err(|_| format!("{path} does not appear"))
}

async fn create(client: &Client, namespace: &str, object: Value) -> Result<(), String> {
    let object: Value = serde_json::from_str(&for_this_host(&object.to_string())).unwrap();
    let group = object["apiVersion"].as_str().unwrap();
    let prefix = if group == "v1" { "/api/v1".to_owned() } else { format!("/apis/{group}") };
    let plural = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
    let path = format!("{prefix}/namespaces/{namespace}/{plural}");
    let (code, answer) = client.send("POST", &path, &object).await;
    if code == 201 { Ok(()) } else { Err(format!("{plural} were rejected with {code}: {answer}")) }
}

/// Adapts the recorded commands to the image that this host serves, whose busybox has no applet links, and bounds them
/// if memory limits can't be enforced.
fn for_this_host(object: &str) -> String {
    object.replace("httpd -f", "busybox httpd -f").replace("tail /dev/zero", "ulimit -v 500000; exec tail /dev/zero")
}

/// The watches of one namespace, and their events so far.
struct Watching {
    scenario: &'static str,
    tracks: Tracks,
    events: mpsc::UnboundedReceiver<Value>,
    tasks: tokio::task::JoinSet<()>,
}

impl Watching {
    async fn start(client: &Client, scenario: &'static str, namespace: &str) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let mut tasks = tokio::task::JoinSet::new();
        for (group, plural) in WATCHED {
            let (raw, mut seen) = mpsc::unbounded_channel();
            let watch = client.watch(&format!("{group}/namespaces/{namespace}/{plural}")).await;
            tasks.spawn(follow(watch, raw));
            let sender = sender.clone();
            tasks.spawn(async move {
                while let Some(event) = seen.recv().await {
                    let _ = sender.send(as_recorded(plural, &event));
                }
            });
        }
        Self { scenario, tracks: Tracks::default(), events, tasks }
    }

    /// Waits until everything recorded has been seen, or the time is over.
    async fn until(&mut self, recorded: &Tracks, limit: Duration) {
        let deadline = Instant::now() + limit;
        while !self.tracks.reaches(self.scenario, recorded) {
            let Ok(Some(event)) = timeout_at(deadline, self.events.recv()).await else { return };
            if let Some((track, state)) = state(&event) {
                self.tracks.push(track, state);
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.tasks.abort_all();
    }
}

/// Returns a watch event in the recording's form.
fn as_recorded(plural: &str, event: &Value) -> Value {
    let object = &event["object"];
    let mut seen = json!({"kind": plural, "event": event["type"]});
    if plural == "events" {
        let involved = &object["involvedObject"];
        let named = [&involved["kind"], &involved["name"]].map(|part| part.as_str().unwrap_or_default());
        seen["involved"] = named.join("/").into();
        seen["source"] = object["source"]["component"].clone();
        for field in ["type", "reason", "message", "count"] {
            seen[field] = object[field].clone();
        }
        return seen;
    }
    seen["metadata"] = object["metadata"].clone();
    seen["status"] = object["status"].clone();
    seen["nodeName"] = object["spec"]["nodeName"].clone();
    seen["volumeName"] = object["spec"]["volumeName"].clone();
    seen["endpoints"] = object["endpoints"].clone();
    seen
}
