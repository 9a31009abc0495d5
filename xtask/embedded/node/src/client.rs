//! Typed access for controllers and kubelet: converts between the registry and k8s-openapi's types.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::kinds::{self, Kind};
use crate::registry::tokens::{Account, TokenSpec};
use crate::registry::{self, DeleteOptions, Registry, Writer};
use crate::status::Status;
use crate::store::{Change, Store};

/// Typed access to a registry for one part of the cluster. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    registry: Arc<Registry>,
    /// The writer, as in `managedFields`.
    manager: &'static str,
}

/// Identifies the object that was seen: another one may have its name by now.
#[derive(Clone, Copy)]
struct ObjectIdentity<'a> {
    kind: &'static Kind,
    namespace: &'a str,
    name: &'a str,
    uid: Option<&'a str>,
}

impl<'a> ObjectIdentity<'a> {
    fn of<K: Object>(seen: &'a K) -> Self {
        let metadata = seen.metadata();
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let name = metadata.name.as_deref().unwrap_or_default();
        Self { kind: kinds::of::<K>(), namespace, name, uid: metadata.uid.as_deref() }
    }

    fn of_stored(kind: &'static Kind, seen: &'a Value) -> Self {
        let text = |field: &str| seen["metadata"][field].as_str();
        let (namespace, name) = (text("namespace").unwrap_or_default(), text("name").unwrap_or_default());
        Self { kind, namespace, name, uid: text("uid") }
    }
}

/// A type that can be stored: every resource of k8s-openapi.
pub trait Object: Resource + Metadata<Ty = ObjectMeta> + Serialize + DeserializeOwned {}
impl<K: Resource + Metadata<Ty = ObjectMeta> + Serialize + DeserializeOwned> Object for K {}

impl Client {
    /// Returns a client of this registry; `manager` owns the fields that it writes.
    pub fn new(registry: Arc<Registry>, manager: &'static str) -> Self {
        Self { registry, manager }
    }

    /// Returns the same client for another part of the cluster.
    #[must_use]
    pub(crate) fn of(&self, manager: &'static str) -> Self {
        Self { manager, ..self.clone() }
    }

    /// Returns the object, if it exists.
    pub(crate) fn get<K: Object>(&self, namespace: &str, name: &str) -> Option<K> {
        let stored = self.store().get(kinds::of::<K>(), namespace, name)?;
        decode(&stored)
    }

    /// Returns all objects of one namespace, or of all.
    pub(crate) fn list<K: Object>(&self, namespace: Option<&str>) -> Vec<K> {
        let (objects, _) = self.store().list(kinds::of::<K>(), namespace);
        objects.iter().filter_map(|object| decode(object)).collect()
    }

    /// Returns every stored kind, the custom ones included.
    pub(crate) fn kinds(&self) -> Vec<&'static Kind> {
        self.registry.kinds()
    }

    /// Returns the groups and versions of custom resources that are served.
    pub(crate) fn custom_group_versions(&self) -> BTreeSet<(&'static str, &'static str)> {
        self.registry.custom().served().map(|version| (version.kind.group, version.kind.version)).collect()
    }

    /// Returns all objects of a kind, as they are stored.
    pub(crate) fn list_stored(&self, kind: &'static Kind) -> Vec<Arc<Value>> {
        self.store().list(kind, None).0
    }

    /// Creates an object.
    ///
    /// # Errors
    /// If the API would reject it.
    pub fn create<K: Object>(&self, object: &K) -> Result<K, Status> {
        let created = self.create_stored(kinds::of::<K>(), encode(object)?)?;
        parsed(&created)
    }

    /// Reads, changes and writes the object that was seen, and again after a conflict. `change` returns whether there
    /// is anything to write.
    ///
    /// # Errors
    /// 404 if the object is gone, even if another has its name by now; or if the API would reject the change.
    pub(crate) fn modify<K: Object>(&self, seen: &K, change: impl FnMut(&mut K) -> bool) -> Result<K, Status> {
        self.modify_through("", seen, change)
    }

    /// As [`Client::modify`], recorded as a write of this subresource.
    ///
    /// # Errors
    /// As [`Client::modify`].
    pub(crate) fn modify_through<K: Object>(
        &self,
        subresource: &str,
        seen: &K,
        mut change: impl FnMut(&mut K) -> bool,
    ) -> Result<K, Status> {
        loop {
            let stored = self.stored(ObjectIdentity::of(seen))?;
            let mut object = parsed(&stored)?;
            if !change(&mut object) {
                return Ok(object);
            }
            match self.update(kinds::of::<K>(), encode(&object)?, subresource) {
                Err(status) if status.reason == "Conflict" => {}
                Err(status) => return Err(status),
                Ok(written) => return Ok(decode(&written).unwrap_or(object)),
            }
        }
    }

    /// As [`Client::modify`], but writes only the status: other changes are lost.
    ///
    /// # Errors
    /// As [`Client::modify`].
    pub(crate) fn modify_status<K: Object>(
        &self,
        seen: &K,
        mut change: impl FnMut(&mut K) -> bool,
    ) -> Result<(), Status> {
        loop {
            let stored = self.stored(ObjectIdentity::of(seen))?;
            let mut object = parsed(&stored)?;
            if !change(&mut object) {
                return Ok(());
            }
            let mut written = (*stored).clone();
            written["status"] = encode(&object)?["status"].take();
            match self.update(kinds::of::<K>(), written, "status") {
                Err(status) if status.reason == "Conflict" => {}
                outcome => return outcome.map(|_| ()),
            }
        }
    }

    /// Binds a pod to a node, as the `binding` subresource does: node name and condition in one write, without a new
    /// generation.
    ///
    /// # Errors
    /// 404 if the pod is gone, even if another has its name by now; 409 if it is being deleted.
    pub(crate) fn bind(&self, seen: &Pod, node: &str) -> Result<(), Status> {
        let kind = kinds::of::<Pod>();
        loop {
            let mut pod = (*self.stored(ObjectIdentity::of(seen))?).clone();
            if pod["metadata"].get("deletionTimestamp").is_some() {
                let name = seen.metadata.name.as_deref().unwrap_or_default();
                let why = format!("pod {name} is being deleted, cannot be assigned to a host");
                return Err(Status::conflict(kind, name, &why));
            }
            pod["spec"]["nodeName"] = node.into();
            let scheduled = json!({
                "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": registry::now(),
            });
            pod["status"]["conditions"] = json!([scheduled]);
            if let Some(status) = pod["status"].as_object_mut() {
                status.shift_remove("nominatedNodeName");
            }
            match self.store().replace(kind, pod) {
                Err(status) if status.reason == "Conflict" => {}
                outcome => return outcome.map(|_| ()),
            }
        }
    }

    /// Deletes the object that was seen.
    ///
    /// # Errors
    /// 404 if it is gone, even if another has its name by now.
    pub(crate) fn delete<K: Object>(&self, seen: &K, options: &DeleteOptions) -> Result<(), Status> {
        self.delete_same(ObjectIdentity::of(seen), options)
    }

    /// [`Client::create`] for any kind.
    ///
    /// # Errors
    /// If the API would reject it.
    pub(crate) fn create_stored(&self, kind: &'static Kind, object: Value) -> Result<Arc<Value>, Status> {
        self.registry.create_as(&Writer::internal(self.manager, ""), kind, object).map(|written| written.object)
    }

    /// [`Client::modify`] for any kind, as it is stored.
    ///
    /// # Errors
    /// As [`Client::modify`].
    pub(crate) fn modify_stored(
        &self,
        kind: &'static Kind,
        seen: &Value,
        change: impl FnMut(&mut Value) -> bool,
    ) -> Result<(), Status> {
        self.modify_stored_through("", kind, seen, change)
    }

    /// [`Client::modify_through`] for any kind, as it is stored.
    ///
    /// # Errors
    /// As [`Client::modify`].
    pub(crate) fn modify_stored_through(
        &self,
        subresource: &str,
        kind: &'static Kind,
        seen: &Value,
        mut change: impl FnMut(&mut Value) -> bool,
    ) -> Result<(), Status> {
        loop {
            let mut object = (*self.stored(ObjectIdentity::of_stored(kind, seen))?).clone();
            if !change(&mut object) {
                return Ok(());
            }
            match self.update(kind, object, subresource) {
                Err(status) if status.reason == "Conflict" => {}
                outcome => return outcome.map(|_| ()),
            }
        }
    }

    /// [`Client::delete`] for any kind.
    ///
    /// # Errors
    /// As [`Client::delete`].
    pub(crate) fn delete_stored(
        &self,
        kind: &'static Kind,
        seen: &Value,
        options: &DeleteOptions,
    ) -> Result<(), Status> {
        self.delete_same(ObjectIdentity::of_stored(kind, seen), options)
    }

    /// Returns a token for a service account.
    pub(crate) fn token(&self, account: Account, spec: TokenSpec) -> String {
        self.registry.issue_token(account, spec)
    }

    /// Returns the changes after `resource_version`; 410 if they are no longer kept, and the caller has to list again.
    ///
    /// # Errors
    /// 410 `Expired`.
    pub(crate) fn changes_since(&self, resource_version: u64) -> Result<Vec<Change>, Status> {
        self.store().changes_since(resource_version)
    }

    /// Returns a receiver that wakes at every change.
    pub(crate) fn latest(&self) -> watch::Receiver<u64> {
        self.store().latest()
    }

    /// Returns what is stored of an object, but not of another object of its name.
    fn stored(&self, of: ObjectIdentity) -> Result<Arc<Value>, Status> {
        let stored = self.store().get(of.kind, of.namespace, of.name);
        let same = stored.filter(|stored| stored["metadata"]["uid"].as_str() == of.uid);
        same.ok_or_else(|| Status::not_found(of.kind, of.name))
    }

    fn delete_same(&self, of: ObjectIdentity, options: &DeleteOptions) -> Result<(), Status> {
        let options = DeleteOptions { precondition_uid: of.uid.map(str::to_owned), ..options.clone() };
        let deleted = self.registry.delete(of.kind, of.namespace, of.name, &options);
        // A failed precondition means that the object is gone.
        deleted.map(|_| ()).map_err(|refused| self.stored(of).err().unwrap_or(refused))
    }

    fn update(&self, kind: &'static Kind, object: Value, subresource: &str) -> Result<Arc<Value>, Status> {
        let writer = Writer::internal(self.manager, subresource);
        self.registry.update_as(&writer, kind, object).map(|written| written.object)
    }

    fn store(&self) -> &Store {
        &self.registry.store
    }
}

/// Parses a stored object as its type.
///
/// # Errors
/// 500 if it can't be parsed.
pub(crate) fn parsed<K: DeserializeOwned>(object: &Value) -> Result<K, Status> {
    decode(object).ok_or_else(|| Status::new(500, "InternalError", "a stored object can't be parsed"))
}

fn decode<K: DeserializeOwned>(object: &Value) -> Option<K> {
    K::deserialize(object).ok()
}

fn encode<K: Serialize>(object: &K) -> Result<Value, Status> {
    serde_json::to_value(object).map_err(|e| Status::new(500, "InternalError", e.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::{PodStatus, ServiceAccount};

    use super::*;
    use crate::controllers::testing;

    /// Returns a pod as it was seen, and its successor of the same name.
    fn replaced(client: &Client) -> (Pod, Pod) {
        let account = json!({ "metadata": { "name": "default", "namespace": "a" } });
        client.create(&serde_json::from_value::<ServiceAccount>(account).unwrap()).unwrap();
        let pod = json!({
            "metadata": {"name": "p", "namespace": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]},
        });
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let seen = client.create(&pod).unwrap();
        client.delete(&seen, &DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() }).unwrap();
        (seen, client.create(&pod).unwrap())
    }

    #[test]
    fn a_successor_of_the_same_name_is_left_alone() {
        let client = testing::client();
        let (seen, successor) = replaced(&client);
        let written = [
            client.modify(&seen, |pod| pod.metadata.labels.insert(BTreeMap::new()).is_empty()).map(|_| ()),
            client.modify_status(&seen, |pod| pod.status.replace(PodStatus::default()).is_some()),
            client.bind(&seen, "node"),
            client.delete(&seen, &DeleteOptions::default()),
        ];
        for refused in written.map(Result::unwrap_err) {
            assert_eq!((refused.code, refused.message.as_str()), (404, "pods \"p\" not found"));
        }
        assert_eq!(client.get::<Pod>("a", "p"), Some(successor.clone()));
        client.bind(&successor, "node").unwrap();
        client.delete(&successor, &DeleteOptions::default()).unwrap();
    }
}
