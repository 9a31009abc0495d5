//! `chart::upgradable`: the API server accepts every change from the earlier chart to the present one.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};

use super::chart_template;
use super::support::case::{Case, Conclusion};
use super::support::context::CaseContext;
use futures::FutureExt;
use kubernetes::immutable;
use suite::{CaseKind, Earlier, Variant, missing};

/// The most changes in a message.
const SHOWN_MAX: usize = 20;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "upgradable",
        summary: "the API server accepts every change from the chart of `[upgrade.from]` to the present one",
        group: Some("chart"),
        needs: &[&chart_template::CASE.kind],
        missing: missing::earlier,
        ..CaseKind::DEFAULT
    },
    run: |cx| run(cx).boxed_local(),
};

async fn run(cx: &CaseContext) -> anyhow::Result<Conclusion> {
    let about = cx.run.subject.about();
    let about: Vec<_> = about.filter_map(|variant| Some((variant, variant.suite.upgrade.from.as_ref()?))).collect();
    if about.is_empty() {
        return Ok(Conclusion::NotApplicable("no suite of this run has an [upgrade.from]".to_owned()));
    }
    let (mut refused, mut lines) = (BTreeMap::<String, Vec<&str>>::new(), Vec::new());
    for (variant, earlier) in &about {
        let compared = compare(cx, variant, earlier).await?;
        for change in compared.refused {
            refused.entry(format!("{change}")).or_default().push(&variant.topology.name);
        }
        let notes = compared.notes.iter().map(|note| format!("; {note}"));
        lines.push(format!("{} since {}{}", variant.label(), earlier.label(), notes.collect::<String>()));
    }
    let Some((first, _)) = refused.first_key_value() else {
        return Ok(Conclusion::Passed(format!("no refused change: {}", lines.join(", "))));
    };
    let all = about.len();
    let line = |(change, topologies): (&String, &Vec<&str>)| {
        let only = if topologies.len() == all { String::new() } else { format!(" ({})", topologies.join(", ")) };
        format!("{change}{only}")
    };
    let others = refused.iter().skip(1).take(SHOWN_MAX).map(line).collect::<Vec<_>>();
    let first = line((first, &refused[first]));
    bail!(
        "{}\n{} in all: the API server refuses `helm upgrade` from {}; keep these fields as they were, or tell users to \
         delete the objects first (a StatefulSet with `kubectl delete --cascade=orphan`)",
        std::iter::once(first).chain(others).collect::<Vec<_>>().join("\n"),
        refused.len(),
        about.iter().map(|(_, earlier)| earlier.label()).next().unwrap_or_default()
    )
}

async fn compare(cx: &CaseContext, variant: &Variant, earlier: &Earlier) -> anyhow::Result<immutable::Upgrade> {
    let (before, present) = tokio::try_join!(cx.run.render_earlier(variant, earlier), cx.run.render(variant))?;
    let after = present.last().map(Vec::as_slice).unwrap_or_default();
    let compared = immutable::upgrade(&before, after);
    ensure!(
        compared.in_both > 0,
        "release {} of {} has no object in common with that of {}, so nothing was compared",
        variant.suite.under_test().key(),
        variant.label(),
        earlier.label()
    );
    Ok(compared)
}
