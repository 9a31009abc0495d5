//! Objects by kind, namespace and name under one resource version, and their changes.
//!
//! It takes the place of etcd, and knows nothing about the meaning of objects.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::kinds::Kind;
use crate::status::Status;

/// How many changes are kept for watches that start in the past; for older ones a watch gets 410.
const CHANGES_KEPT: usize = 4096;

/// The type of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeType {
    /// It was created.
    Added,
    /// It was replaced.
    Modified,
    /// It was removed.
    Deleted,
}

/// One change, in the order of its resource version.
#[expect(clippy::struct_field_names, reason = "`kind` is that of the object, `change` that of the change")]
#[derive(Debug, Clone)]
pub struct Change {
    /// The resource version after the change.
    pub resource_version: u64,
    /// The kind of the object.
    pub kind: &'static Kind,
    /// The type of the change.
    pub change: ChangeType,
    /// The object as it is now; for a deletion, its last state with the deletion's version.
    pub object: Arc<Value>,
    /// The object before a modification: selectors are matched on both.
    pub previous: Option<Arc<Value>>,
}

/// Group and plural of a kind.
type Resource = (&'static str, &'static str);

#[derive(Default)]
struct Inner {
    resource_version: u64,
    objects: BTreeMap<Resource, BTreeMap<(String, String), Arc<Value>>>,
    /// The resource version of the last change of each resource.
    written: BTreeMap<Resource, u64>,
    changes: VecDeque<Change>,
}

/// The objects of one cluster.
pub struct Store {
    inner: Mutex<Inner>,
    latest: watch::Sender<u64>,
}

impl Default for Store {
    fn default() -> Self {
        Self { inner: Mutex::default(), latest: watch::Sender::new(0) }
    }
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the object, if it exists. `namespace` is empty for cluster-wide kinds.
    pub fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let inner = self.lock();
        inner.objects.get(&kind.resource())?.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// Returns all objects of a kind, of one namespace or of all, by namespace and name, with the current
    /// resource version.
    pub fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        let inner = self.lock();
        let objects = inner.objects.get(&kind.resource()).into_iter().flatten();
        let listed = objects.filter(|((ns, _), _)| namespace.is_none_or(|wanted| wanted == ns));
        (listed.map(|(_, object)| Arc::clone(object)).collect(), inner.resource_version)
    }

    /// Returns the resource version of the last change of a kind; 0 if there was none.
    pub fn last_written(&self, kind: &'static Kind) -> u64 {
        self.lock().written.get(&kind.resource()).copied().unwrap_or(0)
    }

    /// Stores a new object under the names in its metadata.
    ///
    /// # Errors
    /// 409 `AlreadyExists`.
    pub fn insert(&self, kind: &'static Kind, object: Value) -> Result<Arc<Value>, Status> {
        let mut inner = self.lock();
        let key = key(&object);
        if inner.objects.get(&kind.resource()).is_some_and(|objects| objects.contains_key(&key)) {
            return Err(Status::already_exists(kind, &key.1));
        }
        Ok(self.put(&mut inner, kind, key, object, ChangeType::Added))
    }

    /// Replaces an object, which must exist at the resource version in `object`.
    ///
    /// # Errors
    /// 404, or 409 `Conflict` if somebody else was faster.
    pub fn replace(&self, kind: &'static Kind, object: Value) -> Result<Arc<Value>, Status> {
        let mut inner = self.lock();
        let key = key(&object);
        let stored = inner.objects.get(&kind.resource()).and_then(|objects| objects.get(&key));
        let stored = stored.ok_or_else(|| Status::not_found(kind, &key.1))?;
        check_version(kind, stored, &object)?;
        Ok(self.put(&mut inner, kind, key, object, ChangeType::Modified))
    }

    /// Removes an object as it was read, and returns it with the deletion's resource version.
    ///
    /// # Errors
    /// 404, even if another object has its name by now; 409 `Conflict` if it was written since.
    pub fn remove(&self, kind: &'static Kind, object: &Value) -> Result<Arc<Value>, Status> {
        let mut inner = self.lock();
        let (namespace, name) = key(object);
        let removed = match inner.objects.entry(kind.resource()).or_default().entry((namespace, name.clone())) {
            Entry::Occupied(stored) if stored.get()["metadata"]["uid"] == object["metadata"]["uid"] => {
                check_version(kind, stored.get(), object)?;
                stored.remove()
            }
            _ => return Err(Status::not_found(kind, &name)),
        };
        Ok(self.record(&mut inner, kind, (*removed).clone(), ChangeType::Deleted, None))
    }

    /// Returns the changes after `resource_version`, oldest first.
    ///
    /// # Errors
    /// 410 `Expired` if some of them are no longer kept.
    pub fn changes_since(&self, resource_version: u64) -> Result<Vec<Change>, Status> {
        let inner = self.lock();
        let oldest = inner.changes.front().map_or(inner.resource_version + 1, |c| c.resource_version);
        if resource_version + 1 < oldest {
            let message = format!("too old resource version: {resource_version} ({})", oldest - 1);
            return Err(Status::new(410, "Expired", message));
        }
        let from = inner.changes.partition_point(|c| c.resource_version <= resource_version);
        Ok(inner.changes.range(from..).cloned().collect())
    }

    /// Returns a receiver of the latest resource version, which can also wait for the next.
    pub fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    fn put(
        &self,
        inner: &mut Inner,
        kind: &'static Kind,
        key: (String, String),
        object: Value,
        change: ChangeType,
    ) -> Arc<Value> {
        let previous = inner.objects.get(&kind.resource()).and_then(|objects| objects.get(&key)).cloned();
        let object = self.record(inner, kind, object, change, previous);
        inner.objects.entry(kind.resource()).or_default().insert(key, Arc::clone(&object));
        object
    }

    fn record(
        &self,
        inner: &mut Inner,
        kind: &'static Kind,
        mut object: Value,
        change: ChangeType,
        previous: Option<Arc<Value>>,
    ) -> Arc<Value> {
        inner.resource_version += 1;
        let version = inner.resource_version;
        inner.written.insert(kind.resource(), version);
        object["metadata"]["resourceVersion"] = inner.resource_version.to_string().into();
        let object = Arc::new(object);
        inner.changes.push_back(Change {
            resource_version: inner.resource_version,
            kind,
            change,
            object: Arc::clone(&object),
            previous,
        });
        while inner.changes.len() > CHANGES_KEPT {
            inner.changes.pop_front();
        }
        self.latest.send_replace(inner.resource_version);
        object
    }
}

/// Returns `(namespace, name)` of an object.
pub fn key(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

/// Returns the resource version of an object, empty if it has none.
pub fn resource_version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}

/// Rejects an object that was read before the stored one was written.
///
/// # Errors
/// 409 `Conflict`.
pub fn check_version(kind: &Kind, stored: &Value, object: &Value) -> Result<(), Status> {
    if resource_version(stored) == resource_version(object) {
        return Ok(());
    }
    let why = "the object has been modified; please apply your changes to the latest version and try again";
    Err(Status::conflict(kind, &key(object).1, why))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds;

    fn config_map(name: &str) -> Value {
        json!({"metadata": {"namespace": "a", "name": name}})
    }

    #[test]
    fn another_object_with_the_same_name_stays() {
        let store = Store::default();
        let kind = kinds::find("", "v1", "configmaps").unwrap();
        let of = |uid: &str| json!({"metadata": {"namespace": "a", "name": "one", "uid": uid}});
        let old = store.insert(kind, of("1")).unwrap();
        store.remove(kind, &old).unwrap();
        store.insert(kind, of("2")).unwrap();
        assert_eq!(store.remove(kind, &old).unwrap_err().code, 404);
        assert_eq!(store.get(kind, "a", "one").unwrap()["metadata"]["uid"], "2");
    }

    #[test]
    fn an_object_written_since_it_was_read_is_not_removed() {
        let store = Store::default();
        let kind = kinds::find("", "v1", "configmaps").unwrap();
        let read = store.insert(kind, config_map("one")).unwrap();
        let written = store.replace(kind, (*read).clone()).unwrap();
        assert_eq!(store.remove(kind, &read).unwrap_err().reason, "Conflict");
        store.remove(kind, &written).unwrap();
    }

    #[test]
    fn a_change_is_seen_once_and_in_order() {
        let store = Store::default();
        let kind = kinds::find("", "v1", "configmaps").unwrap();
        store.insert(kind, config_map("one")).unwrap();
        let before = *store.latest().borrow();
        let two = store.insert(kind, config_map("two")).unwrap();
        let written = store.replace(kind, (*two).clone()).unwrap();
        store.remove(kind, &written).unwrap();
        let seen: Vec<_> = store.changes_since(before).unwrap().iter().map(|c| c.change).collect();
        assert_eq!(seen, [ChangeType::Added, ChangeType::Modified, ChangeType::Deleted]);
    }

    #[test]
    fn a_stale_writer_gets_a_conflict() {
        let store = Store::default();
        let kind = kinds::find("", "v1", "configmaps").unwrap();
        let first = store.insert(kind, config_map("one")).unwrap();
        store.replace(kind, (*first).clone()).unwrap();
        assert_eq!(store.replace(kind, (*first).clone()).unwrap_err().reason, "Conflict");
    }

    #[test]
    fn a_watch_from_before_the_kept_changes_is_expired() {
        let store = Store::default();
        let kind = kinds::find("", "v1", "configmaps").unwrap();
        let mut object = store.insert(kind, config_map("one")).unwrap();
        for _ in 0..=CHANGES_KEPT {
            object = store.replace(kind, (*object).clone()).unwrap();
        }
        assert_eq!(store.changes_since(1).unwrap_err().code, 410);
    }
}
