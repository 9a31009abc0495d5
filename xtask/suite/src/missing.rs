//! Requirements of cases: each function returns what the suite, or the workload that the case is about, lacks.

use super::{Promise, Suite, Workload};

/// For cases about the replicas.
pub fn workload(_: &Suite, workload: Option<&Workload>) -> Option<&'static str> {
    workload.is_none().then_some("to know what runs the replicas: add a [workload] table")
}

/// For cases that ask the replicas for their health.
pub fn health(suite: &Suite, about: Option<&Workload>) -> Option<&'static str> {
    let fix = "to know how a replica reports its health: add `health = \"/PATH\"` to [http], or a [health] table";
    workload(suite, about).or_else(|| (!has_health(about)).then_some(fix))
}

/// For cases that write and read records.
pub fn records(suite: &Suite, about: Option<&Workload>) -> Option<&'static str> {
    let has_none = about.is_some_and(|about| about.records.is_none());
    let fix = "to know how a record is written: add a [records] table";
    workload(suite, about).or_else(|| has_none.then_some(fix))
}

/// For cases that only show that what was written can be read.
pub fn promise(suite: &Suite, about: Option<&Workload>) -> Option<&'static str> {
    let promised = about.and_then(|about| about.records.as_ref()).map(|records| records.promise);
    let fix = "a promise: with `promise = \"none\"` nothing is read back, so remove the case";
    records(suite, about).or_else(|| (promised == Some(Promise::None)).then_some(fix))
}

/// For cases that depend on the members of the application's cluster.
pub fn members(suite: &Suite, about: Option<&Workload>) -> Option<&'static str> {
    let has_none = about.is_some_and(|about| about.members.is_none());
    workload(suite, about).or_else(|| has_none.then_some("to know the members: add a [members] table"))
}

/// For cases that count failed requests: readiness alone would not show any.
pub fn requests(suite: &Suite, about: Option<&Workload>) -> Option<&'static str> {
    let has_none = !has_health(about) && about.is_some_and(|about| about.records.is_none());
    let fix = "requests to send: add `health = \"/PATH\"` to [http], or a [health] or [records] table";
    workload(suite, about).or_else(|| has_none.then_some(fix))
}

/// For cases about the upgrade from an earlier chart.
pub fn earlier(suite: &Suite, _: Option<&Workload>) -> Option<&'static str> {
    let missing = "to know what to upgrade from: add `from = { chart = \"git:HEAD~1\" }` to [upgrade]";
    suite.upgrade.from.is_none().then_some(missing)
}

/// For cases that upgrade the release under load.
pub fn upgrade(suite: &Suite, about: Option<&Workload>) -> Option<&'static str> {
    let set =
        || suite.upgrade.set.is_empty().then_some("something to change: add `set = [\"key=value\"]` to [upgrade]");
    workload(suite, about).or_else(set)
}

fn has_health(about: Option<&Workload>) -> bool {
    about.is_some_and(|about| about.health_request().is_some())
}
