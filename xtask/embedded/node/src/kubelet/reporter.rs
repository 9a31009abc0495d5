//! Records kubelet's events about a pod and its containers.

use k8s_openapi::api::core::v1::{ObjectReference, Pod};

use super::record::ContainerRole;
use crate::client::Client;
use crate::controllers::events;

/// Records events about one pod, or one of its containers.
#[derive(Clone)]
pub(super) struct Reporter {
    client: Client,
    about: ObjectReference,
}

impl Reporter {
    pub fn new(client: &Client, pod: &Pod) -> Self {
        let mut about = events::reference(pod);
        // Repeated events of a pod are counted as one, regardless of the pod's version at the time.
        about.resource_version = None;
        Self { client: client.clone(), about }
    }

    /// Returns a reporter about one of its containers.
    pub fn of(&self, container: &str, role: ContainerRole) -> Self {
        let list = role.list();
        let about = ObjectReference { field_path: Some(format!("spec.{list}{{{container}}}")), ..self.about.clone() };
        Self { client: self.client.clone(), about }
    }

    pub fn normal(&self, reason: &str, message: &str) {
        self.client.event(&self.about, "Normal", reason, message, "kubelet");
    }

    pub fn warning(&self, reason: &str, message: &str) {
        self.client.event(&self.about, "Warning", reason, message, "kubelet");
    }
}
