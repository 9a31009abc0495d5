//! The cases that a topology can list, from what the chart consists of.

use super::found::{Found, Other, has_health};
use super::pods::Workload;

/// The longest name of a case, in characters.
const LONGEST_NAME: usize = 40;

/// Returns the entries of a topology's list of cases, as TOML.
pub fn of(found: &Found, replicas: u64) -> Vec<String> {
    let there = |other| found.others.contains(&other);
    let main = found.workloads.first();
    let (has_health, has_tests) = (main.is_some_and(has_health), there(Other::Tests) && there(Other::Pods));
    let first = [
        ("install", true),
        ("job_completes", there(Other::Jobs)),
        ("ready", there(Other::Pods) || there(Other::CronJobs) || there(Other::Definitions)),
        ("helm_test", has_tests),
        ("cron_job_runs", there(Other::CronJobs)),
        ("health", has_health),
    ];
    let first = first.into_iter().filter(|(_, there)| *there).map(|(case, _)| quoted(case));
    let kills = main.into_iter().flat_map(|main| kills(main, replicas)).map(quoted);
    let others = found.workloads.iter().enumerate().skip(1).flat_map(|(index, other)| of_other(index, other));
    first.chain(kills).chain(others).chain([quoted("uninstall")]).collect()
}

/// Returns the cases that kill the first workload's pods.
fn kills(main: &Workload, replicas: u64) -> Vec<&'static str> {
    if main.is_on_each_node() || replicas == 1 { vec!["pod_kill"] } else { vec!["replace_all", "pod_kill_leader"] }
}

/// Returns the cases about another workload, which have names of their own.
fn of_other(index: usize, workload: &Workload) -> Vec<String> {
    let kill = if workload.is_on_each_node() || workload.replicas == 1 { "pod_kill" } else { "pod_kill_leader" };
    let all = [("health", has_health(workload)), (kill, true)];
    let entry = |kind: &str| {
        let name = name(kind, index, &workload.name);
        format!("{{ case = {kind:?}, name = {name:?}, workload = {:?} }}", workload.name)
    };
    all.into_iter().filter(|(_, there)| *there).map(|(kind, _)| entry(kind)).collect()
}

/// Returns a case's name, `pod_kill_cache`. A long one has the workload's number and its last words.
fn name(kind: &str, index: usize, workload: &str) -> String {
    let workload: String = workload.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let name = format!("{kind}_{workload}");
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let kind = format!("{kind}_{index}_");
    let end = &workload[workload.len() - (LONGEST_NAME - kind.len())..];
    kind + end.split_once('_').map_or(end, |(_, words)| words)
}

fn quoted(case: &str) -> String {
    format!("{case:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_has_a_number() {
        assert_eq!(name("pod_kill", 1, "web-cache"), "pod_kill_web_cache");
        let long = name("pod_kill_leader", 4, "argo-cd-argocd-applicationset-controller");
        assert_eq!(long, "pod_kill_leader_4_controller");
        assert_eq!(name("health", 2, &"x".repeat(50)).len(), LONGEST_NAME);
    }
}
