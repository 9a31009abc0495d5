//! What a fault may cost: `budgets.CLUSTER.toml` beside the suite file, by topology and case, written by
//! `cargo xtask e2e --update-budgets`. Each cluster provider has its own file, because one starts pods in tenths of a
//! second, another in seconds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use history::Connection;
use history::availability::Availability;
use serde::{Deserialize, Serialize};

use super::Suite;
use console::exit::usage;
use console::program;

/// The allowed multiple of what was measured: machines are noisy, and so are elections.
const FACTOR: u64 = 4;
/// The lowest limit, whatever was measured: a machine that stalls for a moment is not a regression.
const LEAST_MS: u64 = 30_000;
/// The lowest limit for errors: as many as the clients of three replicas, pausing for 200 ms, meet in that time.
const LEAST_ERRORS: usize = 1000;
/// [`FACTOR`] for errors.
const ERRORS_FACTOR: usize = 4;

/// The budgets of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budgets {
    path: PathBuf,
    cases: BTreeMap<String, BTreeMap<String, Budget>>,
}

/// What each fault of one case may cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The longest time until everything is ready again, in milliseconds.
    pub recovered_ms: u64,
    /// The longest time until another leader is seen, if a leader is lost and the application reports its leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_leader_ms: Option<u64>,
    /// The longest time without an acknowledged operation, by kind of connection.
    pub longest_gap_ms: BTreeMap<Connection, u64>,
    /// The highest number of operations that end failed or unknown, by kind of connection.
    pub errors: BTreeMap<Connection, usize>,
}

/// The cluster providers, each with its own budget file.
pub const PROVIDERS: [&str; 3] = ["kind", "embedded", "context"];

impl Budgets {
    /// Returns the budgets beside a suite file, for each cluster provider that has such a file.
    ///
    /// # Errors
    /// A usage error if one can't be read.
    pub fn beside(folder: &Path) -> anyhow::Result<BTreeMap<&'static str, Self>> {
        let mut all = BTreeMap::new();
        for provider in PROVIDERS {
            all.extend(Self::of(folder, provider)?.map(|budgets| (provider, budgets)));
        }
        Ok(all)
    }

    fn of(folder: &Path, cluster: &str) -> anyhow::Result<Option<Self>> {
        let path = folder.join(file(cluster));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(usage(format!("{}: {error}", path.display()))),
        };
        let cases = toml::from_str(&text).map_err(|error| usage(format!("{}: {error}", path.display())))?;
        Ok(Some(Self { path, cases }))
    }

    /// Returns a line for each cost of a case's faults that exceeds its budget: figure, budget and how to change it.
    pub fn exceeded(&self, (topology, case): (&str, &str), measured: &[Availability]) -> Vec<String> {
        let file = self.path.display();
        let command = program::command();
        let update = format!("if this is expected, run {command} e2e --update-budgets");
        let Some(budget) = self.cases.get(topology).and_then(|cases| cases.get(case)) else {
            return vec![format!(
                "{file} has no budget [{topology}.{case}]; write one with {command} e2e --update-budgets"
            )];
        };
        let excess = measured.iter().flat_map(|one| budget.exceeded_by(one));
        excess.map(|excess| format!("{excess} by [{topology}.{case}] in {file}; {update}")).collect()
    }

    /// Replaces the budgets of these cases with ones derived from the measurements on a cluster; other cases are unchanged.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn update(
        folder: &Path,
        cluster: &str,
        measured: &BTreeMap<(String, String), Availability>,
    ) -> anyhow::Result<PathBuf> {
        let path = folder.join(file(cluster));
        let mut cases = Self::of(folder, cluster)?.map(|budgets| budgets.cases).unwrap_or_default();
        for ((topology, case), worst) in measured {
            cases.entry(topology.clone()).or_default().insert(case.clone(), Budget::of(worst));
        }
        std::fs::write(&path, text(&cases)?).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

impl Budget {
    /// Returns the budget for these worst measurements.
    pub fn of(worst: &Availability) -> Self {
        let allowed = |ms: u64| (ms * FACTOR).div_ceil(1000).max(LEAST_MS / 1000) * 1000;
        let each = worst.by_connection.iter();
        Self {
            recovered_ms: allowed(worst.recovered_ms.unwrap_or_default()),
            new_leader_ms: worst.new_leader_ms.map(allowed),
            longest_gap_ms: each.clone().map(|(over, figures)| (*over, allowed(figures.longest_gap_ms))).collect(),
            errors: each
                .map(|(over, figures)| (*over, (figures.errors * ERRORS_FACTOR).next_multiple_of(10).max(LEAST_ERRORS)))
                .collect(),
        }
    }

    fn exceeded_by(&self, measured: &Availability) -> Vec<String> {
        let after = &measured.fault;
        let time = |what: String, ms: u64, allowed: Option<u64>| {
            let allowed = allowed.unwrap_or_default();
            (ms > allowed).then(|| format!("after {after}: {what} {ms} ms, but only {allowed} ms are allowed"))
        };
        let recovered = measured.recovered_ms.map(|ms| ("ready again after".to_owned(), ms, Some(self.recovered_ms)));
        let leader = measured.new_leader_ms.map(|ms| ("another leader after".to_owned(), ms, self.new_leader_ms));
        let gaps = measured.by_connection.iter().map(|(over, figures)| {
            let what = format!("the longest gap of clients over {over} connections is");
            (what, figures.longest_gap_ms, self.longest_gap_ms.get(over).copied())
        });
        let times = recovered.into_iter().chain(leader).chain(gaps);
        let times = times.filter_map(|(what, ms, allowed)| time(what, ms, allowed));
        let errors = measured.by_connection.iter().filter_map(|(over, figures)| {
            let (errors, allowed) = (figures.errors, self.errors.get(over).copied().unwrap_or_default());
            let line =
                || format!("after {after}: {errors} errors over {over} connections, but only {allowed} are allowed");
            (errors > allowed).then(line)
        });
        times.chain(errors).collect()
    }
}

impl Suite {
    /// Returns a note if there are budgets, but none for this cluster provider.
    pub fn not_compared(&self, cluster: &str) -> Option<String> {
        let others = !self.budgets.is_empty() && !self.budgets.contains_key(cluster);
        let path = self.folder.join(file(cluster));
        others.then(|| {
            format!("there is no {}: fault costs are reported but not checked against a budget", path.display())
        })
    }
}

/// Returns the name of a budget file, which is beside the suite file.
fn file(cluster: &str) -> String {
    format!("budgets.{cluster}.toml")
}

/// Returns the content of a budget file: one table per case, in order.
fn text(cases: &BTreeMap<String, BTreeMap<String, Budget>>) -> anyhow::Result<String> {
    let mut text = format!(
        "# What each fault of a case may cost. Written by `cargo xtask e2e --update-budgets`: {FACTOR} times what one run\n\
         # measured, and never less than {LEAST_MS} ms or {LEAST_ERRORS} errors, since machines are noisy.\n"
    );
    for (topology, cases) in cases {
        for (case, budget) in cases {
            write!(text, "\n[{topology}.{case}]\n{}", inline(budget)?)?;
        }
    }
    Ok(text)
}

/// Returns a budget with each of its tables on one line.
fn inline(budget: &Budget) -> anyhow::Result<String> {
    let table = toml::Table::try_from(budget)?;
    let lines = table.into_iter().map(|(key, value)| format!("{key} = {value}\n"));
    Ok(lines.collect())
}

#[cfg(test)]
#[path = "budgets_tests.rs"]
mod tests;
