//! A suite in one of its topologies: what is deployed, and where.

use std::sync::Arc;

use super::{Namespaces, Release, Starts, Suite, Topology};

/// The length of a run's ID, in characters.
pub const RUN_ID_LENGTH: usize = 8;

/// A suite in one of its topologies.
#[derive(Debug, Clone)]
pub struct Variant {
    /// The suite.
    pub suite: Arc<Suite>,
    /// The topology.
    pub topology: Topology,
}

impl Variant {
    /// Returns its label, `caesium-r3`, part of the names of its namespaces and its folder.
    pub fn label(&self) -> String {
        format!("{}-{}", self.suite.name, self.topology.name)
    }

    /// Returns its namespaces in a run: `chartproof-caesium-r3-RUN`, with a suffix for every further part.
    pub fn namespaces(&self, run_id: &str) -> Namespaces {
        let name = |part: &str| namespace(&self.suite.name, &self.topology.name, run_id, part);
        let parts = self.suite.parts().into_iter().map(|part| (part.to_owned(), name(part)));
        Namespaces(parts.collect())
    }

    /// Returns names that every report contains, although a Secret may also contain them, as a user or a host.
    pub fn names(&self, run_id: &str) -> Vec<String> {
        let workload = self.suite.workloads.iter().flat_map(|w| {
            let names = [Some(w.object().1), Some(&w.container), w.service.as_deref()];
            names.into_iter().flatten().map(str::to_owned)
        });
        let own = [self.suite.name.clone(), self.topology.name.clone(), self.label()];
        let releases = self.suite.releases.iter().map(|release| release.name.clone());
        let namespaces = self.namespaces(run_id).0.into_values();
        own.into_iter().chain(workload).chain(releases).chain(namespaces).collect()
    }

    /// Returns how the release under test is installed.
    pub fn starts(&self) -> Starts {
        let starts = self.topology.cases.iter().map(|case| case.kind.starts);
        starts.into_iter().find(|starts| *starts != Starts::AsIs).unwrap_or(Starts::AsIs)
    }

    /// Returns whether the disks of its claims have to be able to fail.
    pub fn disks_can_fail(&self) -> bool {
        self.topology.cases.iter().any(|case| (case.kind.fails_disks)(case))
    }

    /// Returns whether the values of topologies and flags apply to this release.
    pub fn is_under_test(&self, release: &Release) -> bool {
        release == self.suite.under_test()
    }
}

/// Returns the name of a topology's namespace for a part; the first part is empty.
pub fn namespace(suite: &str, topology: &str, run_id: &str, part: &str) -> String {
    let first = format!("chartproof-{suite}-{topology}-{run_id}");
    if part.is_empty() { first } else { format!("{first}-{part}") }
}
