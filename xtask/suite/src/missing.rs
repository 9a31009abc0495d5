//! Requirements of cases: each function returns what the suite lacks.

use super::{Promise, Suite};

/// For cases about the replicas.
pub fn workload(suite: &Suite) -> Option<&'static str> {
    suite.workload.is_none().then_some("to know what runs the replicas: add a [workload] table")
}

/// For cases that ask the replicas for their health.
pub fn health(suite: &Suite) -> Option<&'static str> {
    let fix = "to know how a replica reports its health: add `health = \"/PATH\"` to [http], or a [health] table";
    workload(suite).or_else(|| suite.health_request().is_none().then_some(fix))
}

/// For cases that write and read records.
pub fn records(suite: &Suite) -> Option<&'static str> {
    let records = || suite.records.is_none().then_some("to know how a record is written: add a [records] table");
    workload(suite).or_else(records)
}

/// For cases that only show that what was written can be read.
pub fn promise(suite: &Suite) -> Option<&'static str> {
    let nothing = suite.records.as_ref().is_some_and(|records| records.promise == Promise::None);
    let fix = "a promise: with `promise = \"none\"` nothing is read back, so remove the case";
    records(suite).or_else(|| nothing.then_some(fix))
}

/// For cases that depend on the members of the application's cluster.
pub fn members(suite: &Suite) -> Option<&'static str> {
    let members = || suite.members.is_none().then_some("to know the members: add a [members] table");
    workload(suite).or_else(members)
}

/// For cases that count failed requests: readiness alone would not show any.
pub fn requests(suite: &Suite) -> Option<&'static str> {
    let has_none = suite.records.is_none() && suite.health_request().is_none();
    let fix = "requests to send: add `health = \"/PATH\"` to [http], or a [health] or [records] table";
    workload(suite).or_else(|| has_none.then_some(fix))
}

/// For cases about the upgrade from an earlier chart.
pub fn earlier(suite: &Suite) -> Option<&'static str> {
    let missing = "to know what to upgrade from: add `from = { chart = \"git:HEAD~1\" }` to [upgrade]";
    suite.upgrade.from.is_none().then_some(missing)
}

/// For cases that upgrade the release under load.
pub fn upgrade(suite: &Suite) -> Option<&'static str> {
    let set =
        || suite.upgrade.set.is_empty().then_some("something to change: add `set = [\"key=value\"]` to [upgrade]");
    workload(suite).or_else(set)
}
