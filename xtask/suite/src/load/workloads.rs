//! Checks the workloads under test.

use super::{Key, Source, Suite};

/// Moves the tables that describe the application into the only workload. Each of several has tables of its own.
pub fn take_tables(source: &Source<'_>, suite: &mut Suite) -> anyhow::Result<()> {
    let Some(key) =
        ["http", "tcp", "exec", "health", "records", "members", "leader"].into_iter().find(|key| source.has(key))
    else {
        return Ok(());
    };
    if suite.workloads.len() > 1 || (suite.workloads.len() == 1 && source.is_list("workload")) {
        let message = format!("each [[workload]] has its own: write [workload.{key}] below the one that it belongs to");
        return Err(source.error(&[Key(key)], message));
    }
    let Some(only) = suite.workloads.first_mut() else { return Ok(()) };
    only.http = only.http.take().or(suite.http.take());
    only.tcp = only.tcp.take().or(suite.tcp.take());
    only.exec = only.exec.take().or(suite.exec.take());
    only.health = only.health.take().or(suite.health.take());
    only.records = only.records.take().or(suite.records.take());
    only.members = only.members.take().or(suite.members.take());
    only.leader = only.leader.take().or(suite.leader.take());
    Ok(())
}

/// Checks that each workload has one object and a name of its own.
pub fn check(source: &Source<'_>, suite: &Suite) -> anyhow::Result<()> {
    for (index, workload) in suite.workloads.iter().enumerate() {
        let here = source.table("workload", index);
        if !workload.has_one_object() {
            let message = "the workload that runs the replicas is unknown: set one of `stateful_set`, `deployment` and \
                           `daemon_set`";
            return Err(source.error(&here, message));
        }
        if suite.workloads[..index].iter().any(|other| other.name() == workload.name()) {
            let message = format!("duplicate workload `{}`: list it once", workload.name());
            return Err(source.error(&here, message));
        }
        if workload.daemon_set.is_some() && workload.replicas.is_some() {
            let message = "a DaemonSet has a replica on each node that it selects: remove `replicas`";
            return Err(source.error(&[&here[..], &[Key("replicas")]].concat(), message));
        }
    }
    Ok(())
}
