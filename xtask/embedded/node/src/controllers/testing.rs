//! Runs controllers step by step, on a registry in memory, with a scripted kubelet: nothing sleeps, nothing races.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{CONTROLLERS, ControllerContext, Key, NODE, bootstrap};
use crate::client::{Client, Object};
use crate::faults::PlantedFaults;
use crate::kinds::{KINDS, Kind};
use crate::registry::{DeleteOptions, Registry};
use crate::store::{self, Change, ChangeType};

pub(crate) mod recording;

/// Returns a client of an empty registry.
pub fn client() -> Client {
    Client::new(Registry::new(), super::MANAGER)
}

/// All controllers on one registry.
pub struct Simulation {
    pub context: ControllerContext,
    seen: Vec<u64>,
    started: u64,
    addresses: u8,
    again: BTreeSet<(usize, Key)>,
    _directory: TempDir,
}

impl Simulation {
    /// Creates a cluster with one ready node and the namespace.
    pub fn new(namespace: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let client = client();
        let context = ControllerContext {
            client: client.clone(),
            faults: PlantedFaults::default(),
            volumes: directory.path().to_owned(),
            root_certificate: String::new(),
        };
        bootstrap::run(&client).unwrap();
        let node = json!({
            "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}},
            "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"}},
        });
        client.create(&serde_json::from_value::<Node>(node).unwrap()).unwrap();
        let mut simulation = Self {
            context,
            seen: vec![0; CONTROLLERS.len()],
            started: 0,
            addresses: 0,
            again: BTreeSet::new(),
            _directory: directory,
        };
        simulation.create::<k8s_openapi::api::core::v1::Namespace>(json!({"metadata": {"name": namespace}}));
        simulation.settle();
        simulation.started = *client.latest().borrow();
        simulation
    }

    /// Creates an object, as a client would.
    pub fn create<K: Object>(&self, object: Value) -> K {
        self.context.client.create(&serde_json::from_value::<K>(object).unwrap()).unwrap()
    }

    /// Changes an object, as a client would.
    pub fn modify<K: Object>(&self, namespace: &str, name: &str, change: impl FnMut(&mut K) -> bool) {
        let seen: K = self.context.client.get(namespace, name).unwrap();
        self.context.client.modify(&seen, change).unwrap();
    }

    /// Changes an object as it is stored.
    pub fn modify_stored(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        change: impl FnMut(&mut Value) -> bool,
    ) {
        let all = self.context.client.list_stored(kind);
        let key = (namespace.to_owned(), name.to_owned());
        let seen = all.iter().find(|object| store::key(object) == key).unwrap();
        self.context.client.modify_stored(kind, seen, change).unwrap();
    }

    /// Deletes an object, as a client would.
    pub fn delete<K: Object>(&self, namespace: &str, name: &str, options: &DeleteOptions) {
        let seen: K = self.context.client.get(namespace, name).unwrap();
        self.context.client.delete(&seen, options).unwrap();
    }

    /// Creates the objects that a recording's lines create, up to `count` of them.
    pub fn create_recorded(&self, recording: &[Value], namespace: &str) {
        for line in recording.iter().filter(|line| line.get("create").is_some()) {
            let mut object = line["create"].clone();
            object["metadata"]["namespace"] = namespace.into();
            let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
            let kind = KINDS.iter().find(|k| k.kind == kind && k.api_version() == version).unwrap();
            self.context.client.create_stored(kind, object).unwrap();
        }
    }

    /// Lets every controller act until none has anything to do.
    pub fn settle(&mut self) {
        for _ in 0..1000 {
            let mut busy = false;
            for index in 0..CONTROLLERS.len() {
                busy |= self.step(index);
            }
            if !busy {
                return;
            }
        }
        panic!("the controllers do not settle: {:#?}", recording::tail(&self.log()));
    }

    /// Lets controllers process the keys that they scheduled for later.
    pub fn later(&mut self) {
        for (index, key) in std::mem::take(&mut self.again) {
            self.reconcile(index, key);
        }
        self.settle();
    }

    fn step(&mut self, index: usize) -> bool {
        let changes = self.context.client.changes_since(self.seen[index]).unwrap();
        let Some(last) = changes.last() else { return false };
        self.seen[index] = last.resource_version;
        let mut keys: Vec<Key> =
            changes.iter().flat_map(|change| (CONTROLLERS[index].keys)(&self.context.client, change)).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            self.reconcile(index, key);
        }
        true
    }

    fn reconcile(&mut self, index: usize, key: Key) {
        match (CONTROLLERS[index].reconcile)(&self.context, &key) {
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => {
                self.again.insert((index, key));
            }
        }
    }

    /// Returns everything that happened since the simulation began.
    pub fn log(&self) -> Vec<Change> {
        self.context.client.changes_since(self.started).unwrap()
    }

    /// Returns the pod, which must exist.
    pub fn pod(&self, namespace: &str, name: &str) -> Pod {
        self.context.client.get(namespace, name).unwrap_or_else(|| panic!("no pod {namespace}/{name}"))
    }

    /// Returns the names of the existing pods.
    pub fn pods(&self, namespace: &str) -> Vec<String> {
        self.context.client.list::<Pod>(Some(namespace)).into_iter().filter_map(|pod| pod.metadata.name).collect()
    }

    /// Plays the kubelet: a pod's containers run, but are not ready yet.
    pub fn run(&mut self, namespace: &str, name: &str) {
        self.addresses += 1;
        let ip = format!("10.244.0.{}", self.addresses);
        self.write_status(namespace, name, "Running", Some(&ip), false);
    }

    /// Plays the kubelet: a pod is ready.
    pub fn ready(&mut self, namespace: &str, name: &str) {
        self.write_status(namespace, name, "Running", None, true);
    }

    /// Plays the kubelet: all containers of a pod have ended.
    pub fn end(&mut self, namespace: &str, name: &str, phase: &str) {
        self.write_status(namespace, name, phase, None, false);
    }

    /// Plays the kubelet: a pod that is being deleted has stopped and is removed.
    pub fn stop(&mut self, namespace: &str, name: &str) {
        self.end(namespace, name, "Succeeded");
        self.delete_now(namespace, name);
    }

    /// Deletes a pod without a grace period.
    pub fn delete_now(&mut self, namespace: &str, name: &str) {
        let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        self.delete::<Pod>(namespace, name, &options);
        self.settle();
    }

    fn write_status(&mut self, namespace: &str, name: &str, phase: &str, ip: Option<&str>, ready: bool) {
        let kind = KINDS.iter().find(|kind| kind.kind == "Pod").unwrap();
        self.modify_stored(kind, namespace, name, |pod| {
            assert!(pod["spec"]["nodeName"].is_string(), "{name} is not scheduled");
            pod["status"]["phase"] = phase.into();
            if let Some(ip) = ip {
                pod["status"]["podIP"] = ip.into();
            }
            let status = if ready { "True" } else { "False" };
            pod["status"]["conditions"] = json!([
                {"type": "Ready", "status": status, "lastTransitionTime": crate::registry::now()},
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": crate::registry::now()},
            ]);
            true
        });
        self.settle();
    }
}

/// Returns whether a change is about an object of this kind.
pub fn is_of(change: &Change, kind: &str) -> bool {
    change.kind.built_in() == kind && change.change != ChangeType::Deleted
}
