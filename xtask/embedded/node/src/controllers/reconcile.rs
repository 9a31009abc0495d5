//! The loop of every controller: changes become keys, and keys are reconciled until done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::ControllerContext;
use crate::changes::Changes;
use crate::client::Client;
use crate::status::Status;
use crate::store::Change;

/// Namespace and name of the object that a controller reconciles; the namespace is empty for cluster-wide kinds.
pub type Key = (String, String);

/// What is left to do after one reconciliation: nothing, or to check again after a time.
pub type ReconcileResult = Result<Option<Duration>, Status>;

/// A failed key is retried after this time, which doubles with each failure …
const RETRY_MIN: Duration = Duration::from_millis(50);
/// … up to this maximum.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Returns whether a change touched the value at one of these JSON pointers; a created or deleted object did.
pub fn touches(change: &Change, pointers: &[&str]) -> bool {
    let Some(previous) = &change.previous else { return true };
    pointers.iter().any(|pointer| previous.pointer(pointer) != change.object.pointer(pointer))
}

/// Returns whether a change touched more than the status, which is mostly written by the controller itself.
pub fn touches_more_than_status(change: &Change) -> bool {
    const REST: [&str; 6] = [
        "/spec",
        "/metadata/labels",
        "/metadata/annotations",
        "/metadata/finalizers",
        "/metadata/ownerReferences",
        "/metadata/deletionTimestamp",
    ];
    touches(change, &REST)
}

/// Returns whether something was rejected because its namespace is being deleted, so that a retry is useless.
pub fn is_namespace_ending(refused: &Status) -> bool {
    refused.code == 403 && refused.message.ends_with("because it is being terminated")
}

/// Returns the outcome, but ignores a rejection for this reason: `NotFound`, `AlreadyExists`.
pub fn unless<T>(reason: &str, outcome: Result<T, Status>) -> Result<(), Status> {
    match outcome {
        Err(refused) if refused.reason != reason => Err(refused),
        _ => Ok(()),
    }
}

/// One controller: which keys a change affects, and how one key is reconciled.
pub struct Controller {
    /// Its name in log lines.
    pub name: &'static str,
    /// Returns the keys that a change affects.
    pub keys: fn(&Client, &Change) -> Vec<Key>,
    /// Reconciles one key with what is stored now.
    pub reconcile: fn(&ControllerContext, &Key) -> ReconcileResult,
}

/// Runs one controller until the store is dropped.
pub async fn run(context: Arc<ControllerContext>, controller: &'static Controller) {
    let mut changes = Changes::new(context.client.clone());
    let mut queue = Queue::default();
    loop {
        tokio::select! {
            news = changes.next() => {
                let Some(news) = news else { return };
                news.iter().flat_map(|change| (controller.keys)(&context.client, change)).for_each(|key| queue.add(key));
            }
            () = queue.due() => {}
        }
        while let Some(key) = queue.take() {
            let outcome = (controller.reconcile)(&context, &key);
            if let Err(refused) = &outcome {
                tracing::debug!(controller = controller.name, ?key, %refused, "will be retried");
            }
            queue.done(key, &outcome);
        }
    }
}

/// Keys with the time at which they are due, and the number of consecutive failures of each.
#[derive(Default)]
struct Queue {
    due: BTreeMap<Key, Instant>,
    failures: BTreeMap<Key, u32>,
}

impl Queue {
    fn add(&mut self, key: Key) {
        self.due.insert(key, Instant::now());
    }

    fn take(&mut self) -> Option<Key> {
        let now = Instant::now();
        let key = self.due.iter().find(|(_, due)| **due <= now)?.0.clone();
        self.due.remove(&key);
        Some(key)
    }

    fn done(&mut self, key: Key, outcome: &ReconcileResult) {
        let again = match outcome {
            Ok(again) => {
                self.failures.remove(&key);
                *again
            }
            Err(_) => Some(self.backoff(&key)),
        };
        if let Some(after) = again {
            let due = Instant::now() + after;
            self.due.entry(key).and_modify(|set| *set = due.min(*set)).or_insert(due);
        }
    }

    fn backoff(&mut self, key: &Key) -> Duration {
        let failures = self.failures.entry(key.clone()).or_default();
        *failures = (*failures + 1).min(16);
        (RETRY_MIN * 2_u32.pow(*failures - 1)).min(RETRY_MAX)
    }

    async fn due(&self) {
        match self.due.values().min() {
            Some(due) => tokio::time::sleep_until(*due).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;
    use crate::controllers::testing::Simulation;

    const LONG: Duration = Duration::from_secs(20);

    /// Counts in each object how often it was reconciled, up to three: the first call fails, the second asks to be
    /// called again.
    const COUNTING: Controller = Controller {
        name: "counting",
        keys: |_, change| match change.kind.built_in() {
            "ConfigMap" if touches(change, &["/data"]) => vec![crate::store::key(&change.object)],
            _ => Vec::new(),
        },
        reconcile: |context, (namespace, name)| {
            let mut looked = 0;
            let Some(seen) = context.client.get::<ConfigMap>(namespace, name) else { return Ok(None) };
            context.client.modify(&seen, |object: &mut ConfigMap| {
                let labels = object.metadata.labels.get_or_insert_default();
                looked = labels.get("looked").and_then(|text| text.parse().ok()).unwrap_or(0) + 1;
                labels.insert("looked".to_owned(), looked.to_string());
                true
            })?;
            match looked {
                1 => Err(Status::new(500, "InternalError", "not yet")),
                2 => Ok(Some(Duration::from_millis(1))),
                _ => Ok(None),
            }
        },
    };

    async fn looked(client: &Client, name: &str, wanted: &str) {
        let mut latest = client.latest();
        let reached = async {
            loop {
                let object: Option<ConfigMap> = client.get("a", name);
                let labels = object.and_then(|object| object.metadata.labels).unwrap_or_default();
                if labels.get("looked").is_some_and(|looked| looked == wanted) {
                    return;
                }
                latest.changed().await.unwrap();
            }
        };
        tokio::time::timeout(LONG, reached).await.unwrap();
    }

    #[tokio::test]
    async fn existing_and_new_objects_are_reconciled_until_done() {
        let simulation = Simulation::new("a");
        let client = simulation.context.client.clone();
        simulation.create::<ConfigMap>(json!({"metadata": {"name": "early", "namespace": "a"}}));
        let task = tokio::spawn(run(Arc::new(simulation.context), &COUNTING));
        looked(&client, "early", "3").await;
        let late = json!({"metadata": {"name": "late", "namespace": "a"}});
        client.create(&serde_json::from_value::<ConfigMap>(late).unwrap()).unwrap();
        looked(&client, "late", "3").await;
        task.abort();
    }
}
