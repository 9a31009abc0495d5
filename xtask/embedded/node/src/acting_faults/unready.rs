//! A planted fault: the node is not ready, for some seconds or for ever, and a pod of `kube-system` shows why.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use serde_json::json;

use crate::client::Client;
use crate::controllers::NODE;
use crate::faults::Planted;
use crate::kubelet;
use crate::status::Status;

/// What a node that is not ready is tainted with.
const TAINT: &str = "node.kubernetes.io/not-ready";
/// One strike of the fault.
const STRIKE: Duration = Duration::from_secs(1);

/// The node's state, where a fault is planted.
pub struct Unready {
    client: Client,
    faults: Planted,
}

impl Unready {
    /// Makes the node that was just registered unready, before anybody can see it, where the fault is planted.
    ///
    /// # Errors
    /// As the API refuses it.
    pub fn plant(client: &Client, faults: &Planted) -> Result<Self, Status> {
        let unready = Self { client: client.of(kubelet::MANAGER), faults: faults.clone() };
        if let Some(message) = faults.unready_reason(NODE) {
            unready.set(Some(&message))?;
        }
        Ok(unready)
    }

    /// Shows the pod behind it, and makes the node ready once the fault has struck as often as it says.
    pub async fn recover(self) {
        if self.client.get::<Node>("", NODE).is_none_or(|node| !is_tainted(&node)) {
            return;
        }
        let mut made = false;
        loop {
            // Its namespace may still lack the service account.
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

    /// Condition and taint; not ready for a reason, or ready.
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

/// What would bring the network, as kind's `kindnet`: it runs on the node whatever its state.
fn plugin() -> Result<Pod, Status> {
    let pod = json!({
        "metadata": { "name": "network-plugin", "namespace": "kube-system" },
        "spec": { "nodeName": NODE, "containers": [{ "name": "plugin", "image": "network.test/plugin:1" }] },
    });
    crate::client::parsed(&pod)
}
