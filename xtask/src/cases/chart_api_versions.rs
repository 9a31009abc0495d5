//! `chart::api_versions`: every supported release of Kubernetes serves the API versions that the chart renders for it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{bail, ensure};

use super::chart_template;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use kubernetes::api_versions::{Outdated, outdated};
use suite::{CaseKind, Variant};
use tools::helm;
use tools::pins::{self, NodeImage};

/// The most objects in a message.
const SHOWN_MAX: usize = 20;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "api_versions",
        summary: "every release of Kubernetes that `--kubernetes` accepts serves the API versions that the chart renders \
                  for it",
        group: Some("chart"),
        needs: &[&chart_template::CASE.kind],
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// What was found in the rendered objects of all releases.
#[derive(Default)]
struct Found {
    /// The topologies of each object whose API version is gone.
    gone: BTreeMap<String, BTreeSet<String>>,
    deprecated: BTreeSet<String>,
    /// Releases that the chart renders for.
    accepted: BTreeSet<&'static str>,
    /// Why the chart does not render for the others.
    refused: BTreeMap<&'static str, String>,
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let mut found = Found::default();
    for variant in cx.run.subject.about() {
        let all = pins::node_images().iter().map(async |node| (node, cx.run.render_at(variant, &node.version()).await));
        for (node, rendered) in futures::future::join_all(all).await {
            found.add(variant, node, rendered)?;
        }
    }
    found.conclude()
}

impl Found {
    /// Adds what a variant renders for a release, or that the chart's `kubeVersion` excludes this release.
    fn add(
        &mut self,
        variant: &Variant,
        node: &'static NodeImage,
        rendered: anyhow::Result<Vec<serde_json::Value>>,
    ) -> anyhow::Result<()> {
        let objects = match rendered {
            Ok(objects) => objects,
            Err(error) => {
                let Some(why) = helm::excluded(&error) else { return Err(error) };
                self.refused.insert(&node.kubernetes, why);
                return Ok(());
            }
        };
        self.accepted.insert(&node.kubernetes);
        for object in &objects {
            match outdated(object, node.minor()) {
                Some(Outdated::Gone(what)) => {
                    self.gone.entry(what).or_default().insert(variant.topology.name.clone());
                }
                Some(Outdated::Deprecated(what)) => drop(self.deprecated.insert(what)),
                None => {}
            }
        }
        Ok(())
    }

    fn conclude(self) -> anyhow::Result<String> {
        ensure!(
            !self.accepted.is_empty(),
            "the chart renders for no release of Kubernetes from {}: {}",
            pins::releases().join(", "),
            self.refused.into_values().next().unwrap_or_default()
        );
        if !self.gone.is_empty() {
            let line = |(what, topologies): (String, BTreeSet<String>)| {
                format!("{what} ({})", topologies.into_iter().collect::<Vec<_>>().join(", "))
            };
            bail!("{}", self.gone.into_iter().take(SHOWN_MAX).map(line).collect::<Vec<_>>().join("\n"));
        }
        let accepted = self.accepted.into_iter().collect::<Vec<_>>().join(", ");
        let refused = self.refused.into_iter().map(|(release, why)| format!("; not for {release}: {why}"));
        let deprecated = self.deprecated.into_iter().map(|what| format!("; {what}"));
        Ok(format!("served by Kubernetes {accepted}{}", refused.chain(deprecated).collect::<String>()))
    }
}
