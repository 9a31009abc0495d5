//! A planted fault: the node is not ready, for some seconds or forever, and a pod of `kube-system` shows why.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use serde_json::json;

use crate::client::Client;
use crate::controllers::NODE;
use crate::faults::PlantedFaults;
use crate::kubelet;
use crate::status::Status;

/// The taint of a node that is not ready.
const TAINT: &str = "node.kubernetes.io/not-ready";
/// One strike of the fault.
const STRIKE: Duration = Duration::from_secs(1);

/// The node's state, if the fault is planted.
pub struct Unready {
    client: Client,
    faults: PlantedFaults,
}

impl Unready {
    /// Makes the newly registered node unready before anybody can see it, if the fault is planted.
    ///
    /// # Errors
    /// If the API rejects the change.
    pub fn plant(client: &Client, faults: &PlantedFaults) -> Result<Self, Status> {
        let unready = Self { client: client.of(kubelet::MANAGER), faults: faults.clone() };
        if let Some(message) = faults.unready_reason(NODE) {
            unready.set(Some(&message))?;
        }
        Ok(unready)
    }

    /// Creates the failing pod, and makes the node ready after the fault's last strike.
    pub async fn recover(self) {
        if self.client.get::<Node>("", NODE).is_none_or(|node| !is_tainted(&node)) {
            return;
        }
        let mut made = false;
        loop {
            // Its namespace may not have the service account yet.
            made = made || plugin().and_then(|pod| self.client.create(&pod)).is_ok();
            tokio::time::sleep(STRIKE).await;
            if self.faults.unready_reason(NODE).is_none() {
                break;
            }
        }
        if let Err(error) = self.set(None) {
            tracing::error!(%error, "the node can't be made ready");
        }
    }

    /// Sets condition and taint: not ready, with a reason, or ready.
    fn set(&self, reason: Option<&str>) -> Result<(), Status> {
        let Some(node) = self.client.get::<Node>("", NODE) else { return Ok(()) };
        let taint = Taint { key: TAINT.to_owned(), effect: "NoSchedule".to_owned(), ..Taint::default() };
        let node = self.client.modify(&node, |node: &mut Node| {
            node.spec.get_or_insert_default().taints = reason.map(|_| vec![taint.clone()]);
            true
        })?;
        self.client.modify_status(&node, |node: &mut Node| {
            let conditions = node.status.get_or_insert_default().conditions.get_or_insert_default();
            let Some(ready) = conditions.iter_mut().find(|condition| condition.type_ == "Ready") else { return false };
            let (status, why, message) = match reason {
                Some(message) => ("False", "KubeletNotReady", message),
                None => ("True", "KubeletReady", "kubelet is posting ready status"),
            };
            status.clone_into(&mut ready.status);
            (ready.reason, ready.message) = (Some(why.to_owned()), Some(message.to_owned()));
            true
        })
    }
}

fn is_tainted(node: &Node) -> bool {
    node.spec.iter().filter_map(|spec| spec.taints.as_ref()).flatten().any(|taint| taint.key == TAINT)
}

/// Returns the pod that would provide the network, like kind's `kindnet`: it runs on a node that is not ready, too.
fn plugin() -> Result<Pod, Status> {
    let pod = json!({
        "metadata": { "name": "network-plugin", "namespace": "kube-system" },
        "spec": { "nodeName": NODE, "containers": [{ "name": "plugin", "image": "network.test/plugin:1" }] },
    });
    crate::client::parsed(&pod)
}
