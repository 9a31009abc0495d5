//! The replica that a fault strikes, and its container of the application.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use super::settled;
use crate::deployed_topology::DeployedTopology;
use cluster::RunningContainer;
use kubernetes::objects;

/// The replica that a fault strikes.
pub struct Victim {
    /// Its pod before the fault.
    pub pod: Pod,
    /// Its container of the application.
    pub container: RunningContainer,
    /// How often that has restarted.
    pub restarts: i32,
    /// Whether it leads.
    pub leads: bool,
}

impl Victim {
    /// Returns the leader, which hurts most; if no leader is reported, any replica will do.
    ///
    /// # Errors
    /// If its container does not run.
    pub async fn leader_or_any(deployed: &DeployedTopology, replicas: u32) -> anyhow::Result<Self> {
        let leader = settled::leader(deployed).await;
        let leads = leader.is_some();
        let name = leader.or_else(|| deployed.names(replicas).pop()).unwrap_or_default();
        Ok(Self { leads, ..Self::of(deployed, &name)? })
    }

    /// Returns a replica that does not lead.
    ///
    /// # Errors
    /// If its container does not run.
    pub fn of(deployed: &DeployedTopology, name: &str) -> anyhow::Result<Self> {
        let pod = deployed.pod(name).with_context(|| format!("Pod/{name} does not exist"))?;
        let missing = || format!("Pod/{name} has no running container of the application");
        let status = status(deployed, &pod).with_context(missing)?;
        let container = RunningContainer {
            node: objects::node(&pod).with_context(missing)?.to_owned(),
            pod_uid: pod.uid().with_context(missing)?,
            container: status.name.clone(),
            id: status.container_id.clone().with_context(missing)?,
        };
        Ok(Self { pod, container, restarts: status.restart_count, leads: false })
    }

    /// Returns its name.
    pub fn name(&self) -> String {
        self.pod.name_any()
    }

    /// Returns whose it is: `the leader` or `a replica`.
    pub fn role(&self) -> &'static str {
        if self.leads { "the leader" } else { "a replica" }
    }

    /// Returns how often the container has restarted by now, if its pod is still the same.
    pub fn restarts_now(&self, deployed: &DeployedTopology) -> Option<i32> {
        let pod = deployed.pod(&self.name()).filter(|pod| pod.uid() == self.pod.uid())?;
        Some(status(deployed, &pod)?.restart_count)
    }
}

fn status(deployed: &DeployedTopology, pod: &Pod) -> Option<ContainerStatus> {
    let container = &deployed.tested.as_ref()?.container;
    objects::containers(pod).find(|status| status.name == *container).cloned()
}
