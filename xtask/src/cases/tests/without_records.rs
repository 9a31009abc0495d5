//! Tests of suites without `[records]` or `[http]`: what they may list, and what would prove nothing.

use std::path::Path;
use std::sync::Arc;

use super::loading::{blocks, parse};
use crate::plan::{Plan, Selection};

const READINESS: &str = "```toml readiness\n";

fn error(suite: &str) -> String {
    parse(Path::new("e2e.toml"), suite).unwrap_err().to_string()
}

/// Returns the documented suite with another list of cases.
fn with_cases(cases: &str) -> String {
    let text = blocks(READINESS);
    let (before, _) = text.split_once("cases = [").unwrap();
    format!("{before}cases = [{cases}]\n")
}

#[test]
fn a_suite_without_records_and_http_is_documented() {
    let suite = parse(Path::new("docs/suite.md"), &blocks(READINESS)).unwrap();
    let workload = &suite.workloads[0];
    assert!(workload.records.is_none() && workload.http.is_none() && suite.topologies[0].cases.len() > 8);
}

#[test]
fn cases_that_would_prove_nothing_are_refused() {
    for (case, words) in [
        ("write_read", "to know how a record is written: add a [records] table"),
        ("health", "to know how a replica reports its health: add `health = \"/PATH\"` to [http], or a [health] table"),
        ("voters", "to know the members: add a [members] table"),
        ("zero_downtime", "requests to send: add `health = \"/PATH\"` to [http], or a [health] or [records] table"),
    ] {
        let text = with_cases(&format!("\"install\", \"ready\", {case:?}"));
        let line = text.lines().position(|line| line.starts_with("cases")).unwrap() + 1;
        assert_eq!(error(&text), format!("e2e.toml:{line}: case `{case}` needs {words}"));
    }
    let rollback = with_cases("\"install\", \"ready\", \"rollback\"");
    assert!(error(&rollback).ends_with("case `rollback` needs `upgrade` before it"), "{}", error(&rollback));
}

#[test]
fn health_is_enough_to_count_failed_requests_but_has_to_be_named() {
    let text = with_cases("\"install\", \"ready\", \"health\", \"zero_downtime\"");
    let with = |http: &str| text.replace("[upgrade]", &format!("[http]\nport = 8080\n{http}\n[upgrade]"));
    parse(Path::new("e2e.toml"), &with("health = \"/ready\"")).unwrap();
    let words = "case `health` needs to know how a replica reports its health: add `health = \"/PATH\"` to [http], or a [health] table";
    assert!(error(&with("")).ends_with(words), "{}", error(&with("")));
}

#[test]
fn records_need_a_port() {
    let records = "[records]\npromise = \"set\"\n[records.write]\nrequest = { path = \"/\" }\n[records.read]\nrequest = { path = \"/\" }\nvalue = \"\"\n";
    let text = blocks(READINESS).replace("[upgrade]", &format!("{records}[upgrade]"));
    let line = text.lines().position(|line| line == "[records.write]").unwrap() + 2;
    let words = "its port is unknown: add an [http] table";
    assert_eq!(error(&text), format!("e2e.toml:{line}: {words}"));
}

#[test]
fn what_can_not_be_listed_is_replaced_by_what_it_needs() {
    let suite =
        parse(Path::new("e2e.toml"), &with_cases("\"install\", \"ready\", \"pod_kill\", \"pod_kill_leader\"")).unwrap();
    let plan = Plan::of(&[Arc::new(suite)], &Selection::default()).unwrap();
    for case in plan.cases.iter().filter(|case| case.spec.name.starts_with("pod_kill")) {
        let needs: Vec<_> = case.needs.iter().map(|need| plan.cases[*need].name.as_str()).collect();
        assert_eq!(needs, ["mailer::r3::ready"], "{}", case.name);
    }
}
