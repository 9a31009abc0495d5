//! `nemesis`: random faults under load, drawn from a seed; if they break a promise, the fewest that still do are printed.

use futures::FutureExt;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ready;
use super::support::broken_promise::BrokenPromise;
use super::support::case::{Case, Conclusion};
use super::support::context::CaseContext;
use super::support::lasting;
use super::support::nemesis::sequence::{self, Kind, Step};
use super::support::nemesis::{attempt, shrunk};
use suite::{CaseKind, CaseSpec, Parameters, Suite, Topology};

const FOR_S: u64 = 60;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "nemesis",
        summary: "random faults for `for_s` seconds (60 by default), which may overlap: kills, pauses, partitions, a slow \
                  network. The line names the seed; `--seed` repeats it. If a promise is broken, parts of the sequence \
                  are repeated on a fresh release until the time limit, and the shortest that still breaks it is printed \
                  as a case with `steps`",
        needs: &[&ready::CASE.kind],
        parameters: Parameters::of::<With>(),
        check,
        ..CaseKind::UNDER_LOAD
    },
    run: |cx| run(cx).boxed_local(),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// How long, in seconds; 60 by default.
    #[serde(default)]
    #[schemars(range(min = 5, max = 3600))]
    for_s: Option<u64>,
    /// The kinds of faults to draw from; all by default.
    #[serde(default)]
    faults: Vec<Kind>,
    /// These faults instead of random ones.
    #[serde(default)]
    steps: Vec<Step>,
}

fn check(case: &CaseSpec, topology: &Topology, suite: &Suite) -> Result<(), String> {
    let with = case.with::<With>()?;
    if !with.steps.is_empty() && (with.for_s.is_some() || !with.faults.is_empty()) {
        return Err("`steps` are not random: remove `for_s` and `faults`".to_owned());
    }
    let of_several = |kind: &Kind| !Kind::of(topology.replicas).contains(kind);
    let kinds = with.steps.iter().map(|step| step.fault).chain(with.faults.iter().copied());
    if let Some(kind) = kinds.into_iter().find(of_several) {
        return Err(format!("`{}` needs several replicas", kind.name()));
    }
    sequence::check(&with.steps, suite.timeout(case).as_secs(), topology.replicas)?;
    lasting::check(case, topology, suite)
}

async fn run(cx: &CaseContext) -> anyhow::Result<Conclusion> {
    let (with, replicas, seed) = (cx.with::<With>()?, cx.replicas()?, cx.run.settings.seed);
    let kinds = if with.faults.is_empty() { Kind::of(replicas) } else { &with.faults };
    let (steps, origin) = if with.steps.is_empty() {
        let for_ms = with.for_s.unwrap_or(FOR_S) * 1000;
        (sequence::draw(seed, for_ms, replicas, kinds), format!(" of `--seed {seed}`"))
    } else {
        (with.steps, String::new())
    };
    let count = steps.len();
    cx.run.events.note(format!("{}: {count} faults{origin}", cx.name));
    let ended = attempt::run(cx, &steps).await;
    match ended.as_ref().map_err(anyhow::Error::downcast_ref::<BrokenPromise>) {
        Ok(note) => Ok(Conclusion::Passed(format!("{count} faults{origin}; {note}"))),
        Err(Some(broken)) => Err(shrunk::shrunk(cx, (steps, &origin), broken).await),
        Err(None) => ended.map(Conclusion::Passed),
    }
}
