//! What a system's owners want to know about a deployment, and which cases answer it: the source of `docs/systems.md`.

use serde::Deserialize;

use super::Suite;

/// A question that has to be verified.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The property that should hold, in the owners' words.
    pub asks: String,
    /// The cases that answer it, as `topology::case`, or `chart::lint` for those without a topology.
    #[serde(default)]
    pub by: Vec<String>,
    /// Why it is not proven, or only in part.
    #[serde(default)]
    pub not_proven: Option<String>,
}

impl Question {
    /// Checks it against its suite.
    ///
    /// # Errors
    /// If it names an unknown case, or nothing answers it.
    pub fn check(&self, suite: &Suite) -> Result<(), String> {
        if self.by.is_empty() && self.not_proven.is_none() {
            return Err(
                "no case answers it: list cases in `by`, or explain in `not_proven` why it is not proven".to_owned()
            );
        }
        match self.by.iter().find(|case| !is_there(suite, case)) {
            Some(case) => Err(format!(
                "unknown case `{case}`: write `topology::case`, or one without a topology such as `chart::lint`"
            )),
            None => Ok(()),
        }
    }
}

fn is_there(suite: &Suite, case: &str) -> bool {
    let Some((group, name)) = case.split_once("::") else { return false };
    let in_topology = suite.topologies.iter().filter(|topology| topology.name == group);
    let in_topology = in_topology.flat_map(|topology| &topology.cases).any(|spec| spec.name == name);
    in_topology
        || ["chart::lint", "chart::template", "chart::upgradable", "chart::dry_run", "images::load"].contains(&case)
}
