//! A workload under test: what runs the replicas, and how its application is asked.

use anyhow::Context as _;
use serde::Deserialize;

use super::{Exec, Health, Http, Leader, Members, Records, Tcp, Topology};

/// A workload under test.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// The name of the `StatefulSet`, if it is one; the replicas are the pods that it controls.
    #[serde(default)]
    pub stateful_set: Option<String>,
    /// The name of the `Deployment`, if it is one; the replicas are the pods of its current revision.
    #[serde(default)]
    pub deployment: Option<String>,
    /// The name of the `DaemonSet`, if it is one; there is a replica on each node that it selects.
    #[serde(default)]
    pub daemon_set: Option<String>,
    /// The name of the application's container.
    pub container: String,
    /// The name of the Service that clients use, if there is one.
    #[serde(default)]
    pub service: Option<String>,
    /// The name of the `PodDisruptionBudget`, if there is one.
    #[serde(default)]
    pub disruption_budget: Option<String>,
    /// The number of its replicas, if it is not that of the topology.
    #[serde(default)]
    pub replicas: Option<u32>,
    /// The name of the image under test that its container runs; by default, the first.
    #[serde(default)]
    pub image: Option<String>,
    /// Whether its container does not run an image under test.
    #[serde(default)]
    pub own_image: bool,
    /// The application's HTTP interface.
    #[serde(default)]
    pub http: Option<Http>,
    /// The application's port for lines over TCP.
    #[serde(default)]
    pub tcp: Option<Tcp>,
    /// How commands run.
    #[serde(default)]
    pub exec: Option<Exec>,
    /// How a replica reports its health, if not by `health` in `http`.
    #[serde(default)]
    pub health: Option<Health>,
    /// How a record is written, read and found again.
    #[serde(default)]
    pub records: Option<Records>,
    /// How the application lists its members, if it does.
    #[serde(default)]
    pub members: Option<Members>,
    /// How the application reports its leader, if it does.
    #[serde(default)]
    pub leader: Option<Leader>,
}

impl Workload {
    /// Returns its name.
    pub fn name(&self) -> &str {
        self.object().1
    }

    /// Returns the kind and name of the object that controls the replicas.
    pub fn object(&self) -> (&'static str, &str) {
        let objects = self.objects();
        objects.into_iter().find_map(|(kind, name)| Some((kind, name?))).unwrap_or(("Deployment", ""))
    }

    /// Returns whether exactly one object controls the replicas.
    pub fn has_one_object(&self) -> bool {
        self.objects().iter().filter(|(_, name)| name.is_some()).count() == 1
    }

    fn objects(&self) -> [(&'static str, Option<&str>); 3] {
        [
            ("StatefulSet", self.stateful_set.as_deref()),
            ("Deployment", self.deployment.as_deref()),
            ("DaemonSet", self.daemon_set.as_deref()),
        ]
    }

    /// Returns the number of its replicas in a topology, or `None` if it has one on each node.
    pub fn replicas(&self, topology: &Topology) -> Option<u32> {
        self.daemon_set.is_none().then(|| self.replicas.unwrap_or(topology.replicas))
    }

    /// Returns how records are written and read.
    ///
    /// # Errors
    /// If the suite does not define it; then no case that needs it can be listed.
    pub fn records(&self) -> anyhow::Result<&Records> {
        self.records.as_ref().with_context(|| format!("workload {} has no [records]", self.name()))
    }
}
