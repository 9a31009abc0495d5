//! What a system's owners want to know of a deployment, and which cases answer it. `docs/systems.md` is made of it.

use serde::Deserialize;

use super::Suite;

/// Something that somebody has to verify.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// What is to hold, in the owners' words.
    pub asks: String,
    /// The cases that answer it, as `topology::case`; those of no topology as `chart::lint`.
    #[serde(default)]
    pub by: Vec<String>,
    /// Why it, or a part of it, is not proven.
    #[serde(default)]
    pub not_proven: Option<String>,
}

impl Question {
    /// What is wrong with it in its suite.
    ///
    /// # Errors
    /// A case that there is not, or no answer at all.
    pub fn check(&self, suite: &Suite) -> Result<(), String> {
        if self.by.is_empty() && self.not_proven.is_none() {
            return Err("who answers it? name cases in `by`, or say in `not_proven` why it is not proven".to_owned());
        }
        match self.by.iter().find(|case| !is_there(suite, case)) {
            Some(case) => {
                Err(format!("there is no case `{case}`: write `topology::case`, or `chart::lint` and the like"))
            }
            None => Ok(()),
        }
    }
}

fn is_there(suite: &Suite, case: &str) -> bool {
    let Some((group, name)) = case.split_once("::") else { return false };
    let in_topology = suite.topologies.iter().filter(|topology| topology.name == group);
    let in_topology = in_topology.flat_map(|topology| &topology.cases).any(|spec| spec.name == name);
    in_topology || ["chart::lint", "chart::template", "chart::dry_run", "images::load"].contains(&case)
}
