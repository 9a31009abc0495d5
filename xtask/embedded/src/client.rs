//! Typed access for controllers and kubelet: k8s-openapi's types in and out of the registry.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::kinds;
use crate::registry::{self, DeleteOptions, Registry, Writer};
use crate::status::Status;
use crate::store::{Change, Store};

/// Typed access to a registry for one part of the cluster. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    registry: Arc<Registry>,
    /// Who writes, as `managedFields` names it.
    manager: &'static str,
}

/// A type that can be kept: every resource of k8s-openapi.
pub trait Object: Resource + Metadata<Ty = ObjectMeta> + Serialize + DeserializeOwned {}
impl<K: Resource + Metadata<Ty = ObjectMeta> + Serialize + DeserializeOwned> Object for K {}

impl Client {
    /// A client of this registry; what it writes is `manager`'s.
    pub fn new(registry: Arc<Registry>, manager: &'static str) -> Self {
        Self { registry, manager }
    }

    /// The same for another part of the cluster.
    #[must_use]
    pub fn of(&self, manager: &'static str) -> Self {
        Self { manager, ..self.clone() }
    }

    /// The object, or none where it is not there.
    pub fn get<K: Object>(&self, namespace: &str, name: &str) -> Option<K> {
        let stored = self.store().get(kinds::of::<K>(), namespace, name)?;
        decode(&stored)
    }

    /// All objects of one namespace, or of all.
    pub fn list<K: Object>(&self, namespace: Option<&str>) -> Vec<K> {
        let (objects, _) = self.store().list(kinds::of::<K>(), namespace);
        objects.iter().filter_map(|object| decode(object)).collect()
    }

    /// All objects of a kind, as they are stored.
    pub fn list_stored(&self, kind: &'static kinds::Kind) -> Vec<Arc<Value>> {
        self.store().list(kind, None).0
    }

    /// Creates an object.
    ///
    /// # Errors
    /// As the API would refuse it.
    pub fn create<K: Object>(&self, object: &K) -> Result<K, Status> {
        let created = self.create_stored(kinds::of::<K>(), encode(object)?)?;
        decode(&created).ok_or_else(|| Status::new(500, "InternalError", "a stored object does not parse"))
    }

    /// Reads, changes and writes an object, again after a conflict. `change` answers whether there
    /// is anything to write; where it answers false nothing is.
    ///
    /// # Errors
    /// 404 where the object is gone, or as the API would refuse it.
    pub fn modify<K: Object>(
        &self,
        namespace: &str,
        name: &str,
        change: impl FnMut(&mut K) -> bool,
    ) -> Result<K, Status> {
        self.modify_through("", namespace, name, change)
    }

    /// As [`Client::modify`], written down as a write of this subresource.
    ///
    /// # Errors
    /// 404 where the object is gone, or as the API would refuse it.
    pub fn modify_through<K: Object>(
        &self,
        subresource: &str,
        namespace: &str,
        name: &str,
        mut change: impl FnMut(&mut K) -> bool,
    ) -> Result<K, Status> {
        let kind = kinds::of::<K>();
        loop {
            let mut object: K = self.get(namespace, name).ok_or_else(|| Status::not_found(kind, name))?;
            if !change(&mut object) {
                return Ok(object);
            }
            match self.update(kind, encode(&object)?, subresource) {
                Err(status) if status.reason == "Conflict" => {}
                Err(status) => return Err(status),
                Ok(written) => return Ok(decode(&written).unwrap_or(object)),
            }
        }
    }

    /// As [`Client::modify`], but writes the status alone: whatever else `change` does is lost.
    ///
    /// # Errors
    /// 404 where the object is gone, or as the API would refuse it.
    pub fn modify_status<K: Object>(
        &self,
        namespace: &str,
        name: &str,
        mut change: impl FnMut(&mut K) -> bool,
    ) -> Result<(), Status> {
        let kind = kinds::of::<K>();
        loop {
            let stored = self.store().get(kind, namespace, name).ok_or_else(|| Status::not_found(kind, name))?;
            let Some(mut object) = decode::<K>(&stored).filter(|object| object.metadata().name.is_some()) else {
                return Err(Status::new(500, "InternalError", "a stored object does not parse"));
            };
            if !change(&mut object) {
                return Ok(());
            }
            let mut written = (*stored).clone();
            written["status"] = encode(&object)?["status"].take();
            match self.update(kind, written, "status") {
                Err(status) if status.reason == "Conflict" => {}
                outcome => return outcome.map(|_| ()),
            }
        }
    }

    /// Binds a pod to a node, as the `binding` subresource does: node name and condition in one
    /// write, without another generation.
    ///
    /// # Errors
    /// 404 where the pod is gone.
    pub fn bind(&self, namespace: &str, name: &str, node: &str) -> Result<(), Status> {
        let kind = kinds::of::<Pod>();
        loop {
            let stored = self.store().get(kind, namespace, name).ok_or_else(|| Status::not_found(kind, name))?;
            let mut pod = (*stored).clone();
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

    /// Deletes an object.
    ///
    /// # Errors
    /// 404 where it is gone.
    pub fn delete<K: Object>(&self, namespace: &str, name: &str, options: &DeleteOptions) -> Result<(), Status> {
        self.registry.delete(kinds::of::<K>(), namespace, name, options).map(|_| ())
    }

    /// [`Client::create`] of any kind.
    ///
    /// # Errors
    /// As the API would refuse it.
    pub fn create_stored(&self, kind: &'static kinds::Kind, object: Value) -> Result<Arc<Value>, Status> {
        self.registry.create_as(&Writer::internal(self.manager, ""), kind, object).map(|written| written.object)
    }

    /// [`Client::modify`] of any kind, as it is stored.
    ///
    /// # Errors
    /// 404 where the object is gone, or as the API would refuse it.
    pub fn modify_stored(
        &self,
        kind: &'static kinds::Kind,
        namespace: &str,
        name: &str,
        mut change: impl FnMut(&mut Value) -> bool,
    ) -> Result<(), Status> {
        loop {
            let stored = self.store().get(kind, namespace, name).ok_or_else(|| Status::not_found(kind, name))?;
            let mut object = (*stored).clone();
            if !change(&mut object) {
                return Ok(());
            }
            match self.update(kind, object, "") {
                Err(status) if status.reason == "Conflict" => {}
                outcome => return outcome.map(|_| ()),
            }
        }
    }

    /// [`Client::delete`] of any kind.
    ///
    /// # Errors
    /// 404 where it is gone.
    pub fn delete_stored(
        &self,
        kind: &'static kinds::Kind,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(), Status> {
        self.registry.delete(kind, namespace, name, options).map(|_| ())
    }

    /// A token for a service account.
    pub fn token(&self, namespace: &str, account: &str, expiration_s: i64) -> String {
        self.registry.tokens.issue(namespace, account, expiration_s)
    }

    /// The changes after `resource_version`; 410 where they are no longer kept: list again then.
    ///
    /// # Errors
    /// 410 `Expired`.
    pub fn changes_since(&self, resource_version: u64) -> Result<Vec<Change>, Status> {
        self.store().changes_since(resource_version)
    }

    /// Wakes its holder at every change.
    pub fn latest(&self) -> watch::Receiver<u64> {
        self.store().latest()
    }

    fn update(&self, kind: &'static kinds::Kind, object: Value, subresource: &str) -> Result<Arc<Value>, Status> {
        let writer = Writer::internal(self.manager, subresource);
        self.registry.update_as(&writer, kind, object).map(|written| written.object)
    }

    fn store(&self) -> &Store {
        &self.registry.store
    }
}

fn decode<K: DeserializeOwned>(object: &Value) -> Option<K> {
    K::deserialize(object).ok()
}

fn encode<K: Serialize>(object: &K) -> Result<Value, Status> {
    serde_json::to_value(object).map_err(|e| Status::new(500, "InternalError", e.to_string()))
}
