//! What a phase is given: the run, the case's time, and the topology's place in the cluster.

use std::sync::Arc;

use anyhow::Context as _;

use crate::events::CaseName;
use crate::kubernetes::wait::Waiter;
use crate::run::Run;
use crate::stage::Stage;
use crate::suite::Topology;

/// A case that runs.
pub struct Cx {
    /// The run.
    pub run: Arc<Run>,
    /// The case's name.
    pub name: CaseName,
    /// The case's time, and where it says what it waits for.
    pub wait: Waiter,
    /// Index of its topology in the suite.
    pub topology: Option<usize>,
}

impl Cx {
    /// A prefix for what this case makes, which no other case of any run has.
    pub fn unique(&self) -> String {
        let parts: Vec<_> = self.name.split("::").skip(1).collect();
        format!("{}-{}", self.run.id, parts.join("-").replace('_', "-"))
    }

    /// The topology of the case.
    ///
    /// # Errors
    /// Where the case has none.
    pub fn topology(&self) -> anyhow::Result<&Topology> {
        let topology = self.topology.and_then(|index| self.run.suite.topologies.get(index));
        topology.with_context(|| format!("case {} belongs to no topology", self.name))
    }

    /// The topology's place in the cluster.
    ///
    /// # Errors
    /// Where it is not installed.
    pub fn stage(&self) -> anyhow::Result<Arc<Stage>> {
        let stage = self.topology.and_then(|index| self.run.stage(index));
        stage.with_context(|| format!("case {}: its topology is not installed", self.name))
    }
}
