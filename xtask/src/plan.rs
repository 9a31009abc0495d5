//! The plan: every case of the suites, its dependencies, and which cases run.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cases;
use console::exit::usage;
use events::CaseName;
use suite::{CaseKind, CaseSpec, Starts, Suite, Variant};

/// A case and its place in the graph; other cases are referred to by their index in the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCase {
    /// Its full name.
    pub name: CaseName,
    /// Index of its suite's topology among the plan's variants.
    pub variant: Option<usize>,
    /// The case as listed in its topology.
    pub spec: CaseSpec,
    /// Cases that must have passed.
    pub needs: Vec<usize>,
    /// Cases that must pass too, but may run at the same time.
    pub beside: Vec<usize>,
    /// Cases that must have ended, with any verdict.
    pub after: Vec<usize>,
}

/// All cases of the suites, and which of them run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The selected suites and topologies.
    pub variants: Vec<Arc<Variant>>,
    /// All cases, in the order of `--list`.
    pub cases: Vec<PlannedCase>,
    /// The cases that the filters select.
    pub wanted: BTreeSet<usize>,
    /// The selected cases and their dependencies: these run and are reported.
    pub running: BTreeSet<usize>,
    /// The topologies and suites that don't run, with one line for each flag that left them out.
    pub left_out: Vec<String>,
}

/// The filters of the command line.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Parts of names, or whole names with `exact`; an empty list selects all cases.
    pub words: Vec<String>,
    /// Parts of names, or whole names with `exact`, that are left out.
    pub skip: Vec<String>,
    /// Whether the words must match whole names.
    pub exact: bool,
    /// The numbers of replicas of the topologies to run; an empty list selects all topologies.
    pub replicas: Vec<u32>,
    /// Whether to skip the cases that clean up.
    pub keep: bool,
}

impl Plan {
    /// Returns the plan for these suites.
    ///
    /// # Errors
    /// A usage error if no topology has a requested number of replicas.
    pub fn of(suites: &[Arc<Suite>], selection: &Selection) -> anyhow::Result<Self> {
        let variants = variants(suites, &selection.replicas)?;
        let cases = cases(&variants);
        let wanted: BTreeSet<_> = (0..cases.len()).filter(|index| selection.takes(&cases[*index])).collect();
        let running = closure(&cases, &wanted, selection.keep);
        let mut plan = Self { variants, cases, wanted, running, left_out: Vec::new() };
        plan.left_out = left_out(suites, &plan, &selection.replicas);
        Ok(plan)
    }

    /// Returns the variants that have a case that runs, or all variants if only cases without a topology run.
    pub fn about(&self) -> BTreeSet<usize> {
        let about: BTreeSet<_> = self.running().filter_map(|(_, case)| case.variant).collect();
        if about.is_empty() { (0..self.variants.len()).collect() } else { about }
    }

    /// Returns the cases that run, in order.
    pub fn running(&self) -> impl Iterator<Item = (usize, &PlannedCase)> {
        self.running.iter().map(|index| (*index, &self.cases[*index]))
    }

    /// Returns the names of the cases that the filters select, without their dependencies.
    pub fn selected(&self) -> Vec<String> {
        self.wanted.iter().map(|index| self.cases[*index].name.clone()).collect()
    }

    /// Returns the names of all cases, in order.
    pub fn names(&self) -> Vec<CaseName> {
        self.cases.iter().map(|case| case.name.clone()).collect()
    }

    /// Returns the names of the cases that don't run.
    pub fn left_out_names(&self) -> Vec<CaseName> {
        let left_out = (0..self.cases.len()).filter(|index| !self.running.contains(index));
        left_out.map(|index| self.cases[index].name.clone()).collect()
    }

    /// Whether a case of this kind runs.
    pub fn runs(&self, kind: &CaseKind) -> bool {
        self.running().any(|(_, case)| case.spec.kind == kind)
    }

    /// Whether a topology with a case that runs is installed in this way.
    pub fn starts(&self, starts: Starts) -> bool {
        self.running().filter_map(|(_, case)| case.variant).any(|index| self.variants[index].starts() == starts)
    }

    /// Returns the cases that run, in lanes: the cases of a lane run in sequence, and the lanes in parallel.
    pub fn lanes(&self) -> Vec<Vec<usize>> {
        let mut lanes: Vec<Vec<usize>> = Vec::new();
        for (index, case) in self.running() {
            let same = |lane: &&mut Vec<usize>| {
                lane.last().is_some_and(|last| case.variant.is_some() && self.cases[*last].variant == case.variant)
            };
            match lanes.iter_mut().find(same) {
                Some(lane) => lane.push(index),
                None => lanes.push(vec![index]),
            }
        }
        lanes
    }
}

impl Selection {
    /// Returns an error message if a word matches no case, or the filters leave no case: a run must not pass if it
    /// tests less than was meant.
    pub fn misses(&self, plan: &Plan) -> Option<String> {
        let fix = format!("`{} e2e --list` shows all cases", console::program::command());
        let matches_none = |word: &&String| !plan.cases.iter().any(|case| self.matches(word, case));
        if let Some(word) = self.words.iter().find(matches_none) {
            return Some(format!("no case matches {word:?}; {fix}"));
        }
        if !plan.wanted.is_empty() {
            return None;
        }
        let keep = self.keep.then(|| "--keep".to_owned());
        let flags: Vec<_> = self.skip.iter().map(|word| format!("--skip {word:?}")).chain(keep).collect();
        Some(format!("no case is left: {} leaves out all selected cases; {fix}", flags.join(" ")))
    }

    fn matches(&self, word: &str, case: &PlannedCase) -> bool {
        // In JUnit reports, the class name of a case is its group.
        let is_group = || case.name.rsplit_once("::").is_some_and(|(group, _)| group == word);
        if self.exact { case.name == word || is_group() } else { case.name.contains(word) }
    }

    /// Whether the filters select a case.
    fn takes(&self, case: &PlannedCase) -> bool {
        let matches = |word: &String| self.matches(word, case);
        if self.keep && case.spec.kind.cleans_up {
            return false;
        }
        (self.words.is_empty() || self.words.iter().any(matches)) && !self.skip.iter().any(matches)
    }
}

fn variants(suites: &[Arc<Suite>], replicas: &[u32]) -> anyhow::Result<Vec<Arc<Variant>>> {
    let of = |suite: &Arc<Suite>| {
        let suite = suite.clone();
        suite.topologies.clone().into_iter().map(move |topology| Variant { suite: suite.clone(), topology })
    };
    let variants: Vec<_> = suites.iter().flat_map(of).collect();
    for wanted in replicas {
        if !variants.iter().any(|variant| variant.topology.replicas == *wanted) {
            let sizes: BTreeSet<_> = variants.iter().map(|variant| variant.topology.replicas).collect();
            let sizes = sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let names = suites.iter().map(|suite| suite.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(usage(format!(
                "--replicas {wanted}: no such topology; suite {names} has topologies with {sizes} replicas"
            )));
        }
    }
    let takes = |variant: &Variant| replicas.is_empty() || replicas.contains(&variant.topology.replicas);
    Ok(variants.into_iter().filter(takes).map(Arc::new).collect())
}

/// Lists what does not run: topologies with other numbers of replicas, and suites without a selected case.
fn left_out(suites: &[Arc<Suite>], plan: &Plan, replicas: &[u32]) -> Vec<String> {
    let about: BTreeSet<_> = plan.running().filter_map(|(_, case)| case.variant).collect();
    let runs = |suite: &Suite| about.iter().any(|index| plan.variants[*index].suite.name == suite.name);
    let (mut by_size, mut by_filter) = (Vec::new(), Vec::new());
    for suite in suites {
        let others = suite.topologies.iter().filter(|one| !replicas.is_empty() && !replicas.contains(&one.replicas));
        let others: Vec<_> = others.map(|one| format!("{}::{} ({})", suite.name, one.name, one.replicas)).collect();
        if others.len() < suite.topologies.len() && !about.is_empty() && !runs(suite) {
            by_filter.push(suite.name.clone());
        }
        by_size.extend(others);
    }
    let wanted = replicas.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let size = format!("left out by --replicas {wanted}: {}", by_size.join(", "));
    let filter = format!("left out, since the filters match none of their cases: {}", by_filter.join(", "));
    let lines = [(by_size.is_empty(), size), (by_filter.is_empty(), filter)];
    lines.into_iter().filter(|(none, _)| !none).map(|(_, line)| line).collect()
}

/// Returns every case in order: the cases before the topologies, the topologies' own, the teardown.
fn cases(variants: &[Arc<Variant>]) -> Vec<PlannedCase> {
    let mut cases = Vec::new();
    // Without a suite that has what they need, there is nothing to do for them.
    let has_a_use = |kind: &&CaseKind| {
        variants
            .iter()
            .map(|variant| &variant.suite)
            .any(|suite| (kind.missing)(suite, suite.workloads.first()).is_none())
    };
    let kinds = cases::kinds().into_iter().filter(|kind| !kind.has_topology()).filter(has_a_use);
    let (last, first): (Vec<_>, Vec<_>) = kinds.partition(|kind| kind.cleans_up);
    for kind in first {
        push(&mut cases, kind.into(), None, Vec::new());
    }
    for (index, variant) in variants.iter().enumerate() {
        for spec in &variant.topology.cases {
            let after = (0..cases.len()).filter(|other| cases[*other].variant == Some(index)).collect();
            push(&mut cases, spec.clone(), Some((index, variant)), after);
        }
    }
    for kind in last {
        let all = (0..cases.len()).collect();
        push(&mut cases, kind.into(), None, all);
    }
    cases
}

fn push(cases: &mut Vec<PlannedCase>, spec: CaseSpec, variant: Option<(usize, &Variant)>, after: Vec<usize>) {
    let kind = spec.kind;
    let index = variant.map(|(index, _)| index);
    let needed = |need: &CaseKind| {
        cases.iter().position(|case| spec.needs(need, &case.spec) && (case.variant.is_none() || case.variant == index))
    };
    let needs = variant.map_or_else(
        || kind.needs.to_vec(),
        |(_, variant)| kind.needs_in(&variant.suite, variant.suite.workload_of(&spec)),
    );
    let needs = needs.into_iter().filter_map(needed).collect();
    let beside = kind.beside.iter().filter_map(|beside| needed(beside)).collect();
    let place = variant.map(|(_, variant)| format!("{}::{}", variant.suite.name, variant.topology.name));
    let place = place.unwrap_or_else(|| kind.group.unwrap_or_default().to_owned());
    cases.push(PlannedCase { name: format!("{place}::{}", spec.name), variant: index, spec, needs, beside, after });
}

/// Returns the selected cases, their dependencies, and the teardown of what they create.
fn closure(cases: &[PlannedCase], wanted: &BTreeSet<usize>, keep: bool) -> BTreeSet<usize> {
    let mut running = BTreeSet::new();
    let mut open: Vec<usize> = wanted.iter().copied().collect();
    while let Some(index) = open.pop() {
        if running.insert(index) {
            open.extend(cases[index].needs.iter().chain(&cases[index].beside));
        }
    }
    let tears_down =
        |case: &PlannedCase| case.spec.kind.tears_down && case.needs.iter().any(|need| running.contains(need));
    let teardown: Vec<_> = (0..cases.len()).filter(|index| !keep && tears_down(&cases[*index])).collect();
    running.extend(teardown);
    running
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
