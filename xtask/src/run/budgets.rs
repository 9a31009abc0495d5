//! Compares the costs of faults with the suites' budgets, or writes them into the budgets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use history::availability::Availability;

use super::Run;
use suite::Variant;
use suite::budgets::Budgets;

/// The worst costs of the faults, by the suite's folder, then by topology and case.
#[derive(Default)]
pub(super) struct Measured(Mutex<BySuite>);

type BySuite = BTreeMap<PathBuf, BTreeMap<(String, String), Availability>>;

impl Measured {
    fn by_suite(&self) -> MutexGuard<'_, BySuite> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// Compares the costs of a case's faults with the suite's budget, or records them for an update of the budget.
    ///
    /// # Errors
    /// The costs that exceed the budget.
    pub fn spend(&self, variant: &Variant, case: &str, measured: &[Availability]) -> anyhow::Result<()> {
        let (suite, topology) = (&variant.suite, &variant.topology.name);
        if self.settings.update_budgets {
            let mut all = self.made.measured.by_suite();
            let of_suite = all.entry(suite.folder.clone()).or_default();
            of_suite.insert((topology.clone(), case.to_owned()), history::availability::worst(measured));
            return Ok(());
        }
        let budgets = suite.budgets.get(self.cluster.provider());
        let exceeded = budgets.map(|budgets| budgets.exceeded((topology, case), measured));
        let exceeded = exceeded.unwrap_or_default();
        anyhow::ensure!(exceeded.is_empty(), "{}", exceeded.join("\n"));
        Ok(())
    }

    /// Writes the budgets of all suites with recorded costs.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn update_budgets(&self) -> anyhow::Result<()> {
        let all = self.made.measured.by_suite();
        for (folder, measured) in all.iter() {
            let path = Budgets::update(folder, self.cluster.provider(), measured)?;
            self.events.note(format!("wrote {} budgets to {}", measured.len(), path.display()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    /// The suite lies below the clusters and lists their providers itself: one that it lacks would have no budgets.
    #[test]
    fn every_provider_can_have_budgets() {
        assert_eq!(suite::budgets::PROVIDERS, cluster::Cluster::PROVIDERS);
    }
}
