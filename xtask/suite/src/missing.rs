//! Requirements of cases: each function returns what the suite lacks.

use super::Suite;

/// For cases about the replicas.
pub fn workload(suite: &Suite) -> Option<&'static str> {
    suite.workload.is_none().then_some("to know what runs the replicas: add a [workload] table")
}

/// For cases that send requests to the replicas.
pub fn http(suite: &Suite) -> Option<&'static str> {
    let port = || suite.http.is_none().then_some("to know the port: add an [http] table");
    workload(suite).or_else(port)
}

/// For cases that ask the replicas whether they are healthy.
pub fn health(suite: &Suite) -> Option<&'static str> {
    let has_none = || suite.http.as_ref().is_some_and(|http| http.health.is_none());
    let path = || has_none().then_some("to know how a replica reports its health: add `health = \"/PATH\"` to [http]");
    http(suite).or_else(path)
}

/// For cases that write and read records.
pub fn records(suite: &Suite) -> Option<&'static str> {
    let records = || suite.records.is_none().then_some("to know how a record is written: add a [records] table");
    workload(suite).or_else(records).or_else(|| http(suite))
}

/// For cases that depend on the members of the application's cluster.
pub fn members(suite: &Suite) -> Option<&'static str> {
    let members = || suite.members.is_none().then_some("to know the members: add a [members] table");
    workload(suite).or_else(members).or_else(|| http(suite))
}

/// For cases that count failed requests: readiness alone would not show any.
pub fn requests(suite: &Suite) -> Option<&'static str> {
    let health = suite.http.as_ref().is_some_and(|http| http.health.is_some());
    let has_none = suite.records.is_none() && !health;
    let requests = || has_none.then_some("requests to send: add `health = \"/PATH\"` to [http], or a [records] table");
    workload(suite).or_else(requests).or_else(|| http(suite))
}

/// For cases that upgrade the release under load.
pub fn upgrade(suite: &Suite) -> Option<&'static str> {
    let set =
        || suite.upgrade.set.is_empty().then_some("something to change: add `set = [\"key=value\"]` to [upgrade]");
    workload(suite).or_else(set)
}
