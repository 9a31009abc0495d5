//! The store's changes, followed from the beginning.

use tokio::sync::watch;

use crate::client::Client;
use crate::store::{Change, ChangeType};

/// Follows the store's changes; begins with all stored objects as if they had just been added.
pub struct Changes {
    client: Client,
    latest: watch::Receiver<u64>,
    seen: Option<u64>,
}

impl Changes {
    /// Returns all changes from the beginning.
    pub fn new(client: Client) -> Self {
        Self { latest: client.latest(), client, seen: None }
    }

    /// Waits for changes that have not been returned yet, and returns them; `None` once the store is dropped.
    pub async fn next(&mut self) -> Option<Vec<Change>> {
        loop {
            let changes = self.take();
            if !changes.is_empty() {
                return Some(changes);
            }
            self.latest.changed().await.ok()?;
        }
    }

    fn take(&mut self) -> Vec<Change> {
        let now = *self.latest.borrow_and_update();
        let since = self.seen.replace(now);
        match since.map(|seen| self.client.changes_since(seen)) {
            Some(Ok(changes)) => {
                self.seen = changes.last().map_or(since, |last| Some(last.resource_version));
                changes
            }
            // The first call, or too far behind: return everything that is stored.
            Some(Err(_)) | None => self.everything(now),
        }
    }

    fn everything(&self, resource_version: u64) -> Vec<Change> {
        let kinds = self.client.kinds().into_iter();
        let listed = kinds.flat_map(|kind| self.client.list_stored(kind).into_iter().map(move |o| (kind, o)));
        let added =
            |(kind, object)| Change { resource_version, kind, change: ChangeType::Added, object, previous: None };
        listed.map(added).collect()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;
    use crate::controllers::testing::Simulation;

    #[tokio::test]
    async fn a_follower_that_falls_too_far_behind_starts_again() {
        let simulation = Simulation::new("a");
        let client = simulation.context.client.clone();
        let mut changes = Changes::new(client.clone());
        changes.next().await.unwrap();
        let one: ConfigMap = simulation.create(json!({"metadata": {"name": "one", "namespace": "a"}}));
        for n in 0..5000 {
            let write = |object: &mut ConfigMap| {
                object.data.get_or_insert_default().insert("n".to_owned(), n.to_string());
                true
            };
            client.modify(&one, write).unwrap();
        }
        let all = changes.next().await.unwrap();
        assert!(all.iter().all(|change| change.change == ChangeType::Added), "everything, as if it were new");
        assert!(all.iter().any(|change| change.object["metadata"]["name"] == "one"));
        assert!(changes.take().is_empty(), "once");
    }
}
