//! What a suite would have to say for a case to run: each returns that, where the suite does not say it.

use super::Suite;

/// For what is about the replicas.
pub fn workload(suite: &Suite) -> Option<&'static str> {
    suite.workload.is_none().then_some("to know what runs the replicas: add a [workload] table")
}

/// For what sends requests to the replicas.
pub fn http(suite: &Suite) -> Option<&'static str> {
    let port = || suite.http.is_none().then_some("to know the port: add an [http] table");
    workload(suite).or_else(port)
}

/// For what writes and reads records.
pub fn records(suite: &Suite) -> Option<&'static str> {
    let records = || suite.records.is_none().then_some("to know how a record is written: add a [records] table");
    workload(suite).or_else(records).or_else(|| http(suite))
}

/// For what depends on which replicas are members of one cluster.
pub fn members(suite: &Suite) -> Option<&'static str> {
    let members = || suite.members.is_none().then_some("to know the members: add a [members] table");
    workload(suite).or_else(members).or_else(|| records(suite))
}

/// For what upgrades the release under load.
pub fn upgrade(suite: &Suite) -> Option<&'static str> {
    let set =
        || suite.upgrade.set.is_empty().then_some("something to change: add `set = [\"key=value\"]` to [upgrade]");
    records(suite).or_else(set)
}
