//! Checks a topology's cases: missing requirements, ignored parameters, and cases that would prove nothing.

use super::{At, Key, Source, Suite, check_values};
use crate::{CaseKind, CaseSpec, Starts, Topology, Workload};

/// Looks up the kind of each listed case, and the workload that it is about.
pub fn look_up(source: &Source<'_>, suite: &mut Suite, kinds: &[&'static CaseKind]) -> anyhow::Result<()> {
    let first = suite.workloads.first().map(|workload| workload.name().to_owned());
    for (index, topology) in suite.topologies.iter_mut().enumerate() {
        for (position, listed) in topology.listed.iter().enumerate() {
            let here = [Key("topology"), At(index), Key("cases"), At(position)];
            let mut case = listed.0.look_up(kinds).map_err(|message| source.error(&here, message))?;
            if case.kind.takes_workload && case.workload.is_none() {
                case.workload.clone_from(&first);
            }
            topology.cases.push(case);
        }
    }
    Ok(())
}

/// Checks that each case may be in a topology and has the parameters of its kind.
pub fn check_parameters(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    each(source, suite, |_, _, case| {
        let name = &case.name;
        if !case.kind.has_topology() {
            return Err(format!("case `{name}` belongs to no topology and always runs: remove it"));
        }
        (case.kind.parameters.check)(case).map_err(|message| format!("case `{name}`: {message}"))
    })
}

/// Checks that each case can run after those before it and proves something.
pub fn check(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    each(source, suite, |topology, before, case| {
        needs(suite, before, case)?;
        let wrong = release(suite, case)
            .and_then(|()| replicas(suite, topology, case))
            .and_then(|()| (case.kind.check)(case, topology, suite))
            .and_then(|()| holes(suite, case));
        wrong.map_err(|message| format!("case `{}`: {message}", case.name))
    })?;
    for (index, topology) in suite.topologies.iter().enumerate() {
        let here = |key| [Key("topology"), At(index), Key(key)];
        never_below(suite, topology).map_err(|message| source.error(&here("never_below"), message))?;
        suite.check_holes(&topology.set).map_err(|message| source.error(&here("set"), message))?;
        one_start(topology).map_err(|message| source.error(&here("cases"), message))?;
    }
    Ok(())
}

/// Checks the values files that cases name.
pub fn check_files(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    for (index, topology) in suite.topologies.iter().enumerate() {
        for (position, case) in topology.cases.iter().enumerate() {
            let here = [Key("topology"), At(index), Key("cases"), At(position)];
            for deployed in (case.kind.deploys)(case) {
                let release = suite.release(deployed.release.as_deref());
                let release = release.map_err(|message| source.error(&here, message))?;
                // The files of other charts are checked once these are here.
                if let Some(chart) = release.source.folder() {
                    check_values(source, chart, &deployed.values, &here)?;
                }
            }
        }
    }
    Ok(())
}

/// Calls a check for every case, with its topology and the cases before it.
fn each(
    source: &Source<'_>,
    suite: &Suite,
    check: impl Fn(&Topology, &[CaseSpec], &CaseSpec) -> Result<(), String>,
) -> anyhow::Result<()> {
    for (index, topology) in suite.topologies.iter().enumerate() {
        for (position, case) in topology.cases.iter().enumerate() {
            let here = [Key("topology"), At(index), Key("cases"), At(position)];
            check(topology, &topology.cases[..position], case).map_err(|message| source.error(&here, message))?;
        }
    }
    Ok(())
}

fn needs(suite: &Suite, before: &[CaseSpec], case: &CaseSpec) -> Result<(), String> {
    let (kind, name) = (case.kind, case.name.as_str());
    if before.iter().any(|other| other.name == name) {
        return Err(format!("duplicate case `{name}`: give each its own `name`"));
    }
    let workload = workload(suite, case).map_err(|message| format!("case `{name}`: {message}"))?;
    if let Some(missing) = (kind.missing)(suite, workload) {
        return Err(format!("case `{name}` needs {missing}"));
    }
    let lacks = |need: &&CaseKind| need.has_topology() && !before.iter().any(|other| case.needs(need, other));
    let Some(need) = kind.needs_in(suite, workload).into_iter().find(lacks) else { return Ok(()) };
    let about = case.workload.as_ref().filter(|_| need.takes_workload && suite.workloads.len() > 1);
    let about = about.map(|workload| format!(" with `workload = {workload:?}`")).unwrap_or_default();
    Err(format!("case `{name}` needs `{}`{about} before it", need.name))
}

/// Returns the workload that a case is about.
fn workload<'a>(suite: &'a Suite, case: &CaseSpec) -> Result<Option<&'a Workload>, String> {
    match &case.workload {
        Some(name) if !case.kind.takes_workload => {
            Err(format!("it takes no `workload`, because it checks more than `{name}`: remove `workload`"))
        }
        name => suite.workload(name.as_deref()),
    }
}

fn release(suite: &Suite, case: &CaseSpec) -> Result<(), String> {
    let Some(key) = &case.release else { return Ok(()) };
    if !case.kind.takes_release {
        return Err(format!("it takes no `release`, because it checks more than `{key}`: remove `release`"));
    }
    suite.release(Some(key)).map(drop)
}

/// Checks that there are enough replicas for the case to prove something.
fn replicas(suite: &Suite, topology: &Topology, case: &CaseSpec) -> Result<(), String> {
    let fewest = case.kind.fewest_replicas;
    let has = suite.workload_of(case).map_or(Some(topology.replicas), |workload| workload.replicas(topology));
    let Some(has) = has else {
        let why =
            format!("it needs {fewest} replicas, and a DaemonSet has as many as there are nodes: remove the case");
        return if fewest > 1 { Err(why) } else { Ok(()) };
    };
    if has < fewest {
        return Err(format!("with `replicas = {has}` it proves nothing: use a topology of {fewest} or more"));
    }
    Ok(())
}

/// Checks `${namespace}` and `${namespace:PART}` in the values of what a case deploys.
fn holes(suite: &Suite, case: &CaseSpec) -> Result<(), String> {
    (case.kind.deploys)(case).iter().try_for_each(|deployed| suite.check_holes(&deployed.set))
}

/// Checks that no two cases want the topology to be installed in different ways.
fn one_start(topology: &Topology) -> Result<(), String> {
    let all: Vec<_> = topology.cases.iter().filter(|case| case.kind.starts != Starts::AsIs).collect();
    match all.as_slice() {
        [one, two, ..] => Err(format!(
            "cases `{}` and `{}` each need `install` to begin with another chart or helm: move one to a topology of its own",
            one.name, two.name
        )),
        _ => Ok(()),
    }
}

fn never_below(suite: &Suite, topology: &Topology) -> Result<(), String> {
    let Some(never_below) = topology.never_below else { return Ok(()) };
    let replicas = suite.workloads.first().and_then(|workload| workload.replicas(topology));
    if let Some(replicas) = replicas.filter(|replicas| never_below > *replicas) {
        return Err(format!(
            "`never_below = {never_below}` is more than `replicas = {replicas}`: write {replicas} or fewer"
        ));
    }
    if suite.workloads.is_empty() {
        return Err("`never_below` counts the replicas of a [workload]: add one, or remove `never_below`".to_owned());
    }
    if !topology.cases.iter().any(|case| case.kind.keeps_replicas) {
        return Err("`never_below` applies to the cases after `ready`: add one, or remove `never_below`".to_owned());
    }
    Ok(())
}
