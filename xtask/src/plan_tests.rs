//! Tests that a selection includes its dependencies and nothing else.

use std::path::Path;

use super::*;
use suite::load;

fn suites() -> Vec<Arc<Suite>> {
    vec![Arc::new(load::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/caesium"), &cases::kinds()).unwrap())]
}

fn select(words: &[&str]) -> Selection {
    Selection { words: words.iter().map(ToString::to_string).collect(), ..Selection::default() }
}

fn running(selection: &Selection) -> Vec<String> {
    let plan = Plan::of(&suites(), selection).unwrap();
    plan.running().map(|(_, case)| case.name.clone()).collect()
}

#[test]
fn the_repositorys_suite_has_these_cases() {
    insta::assert_snapshot!(running(&Selection::default()).join("\n"));
}

#[test]
fn a_case_includes_its_dependencies_and_the_teardown() {
    assert_eq!(
        running(&select(&["r1::pod_kill"])),
        [
            "chart::template",
            "cluster::create",
            "images::load",
            "caesium::r1::install",
            "caesium::r1::ready",
            "caesium::r1::write_read",
            "caesium::r1::pod_kill",
            "cluster::delete"
        ]
    );
}

#[test]
fn a_case_without_cluster_creates_none() {
    assert_eq!(running(&select(&["chart::lint"])), ["chart::lint"]);
}

#[test]
fn exact_matches_whole_names_only() {
    let selection = Selection { exact: true, ..select(&["lint", "chart::template"]) };
    assert_eq!(running(&selection), ["chart::template"]);
}

/// CircleCI splits by the class names of a JUnit report, and runs again what failed.
#[test]
fn every_name_of_a_report_selects_exactly_its_cases() {
    let plan = Plan::of(&suites(), &Selection::default()).unwrap();
    let verdict = |case: &CaseName| {
        let verdict = events::Verdict::Passed { note: String::new() };
        events::What::CaseEnded { case: case.clone(), took_ms: 1, verdict }
    };
    let started = events::What::RunStarted {
        run_id: String::new(),
        cluster: String::new(),
        image: String::new(),
        cases: plan.names(),
        began_unix_ms: 0,
        rerun_command: String::new(),
    };
    let events: Vec<_> = std::iter::once(started).chain(plan.names().iter().map(verdict)).collect();
    let events: Vec<_> = events.into_iter().map(|what| events::Event::new(std::time::Duration::ZERO, what)).collect();
    let junit = report::junit::render(&events).unwrap();
    let attribute =
        |tag: &str, name: &str| Some(tag.split_once(&format!(" {name}=\""))?.1.split('"').next()?.to_owned());
    let tags: Vec<_> = junit.split("<testcase").skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
    assert_eq!(tags.len(), plan.names().len());
    for tag in tags {
        let (class, name) = (attribute(tag, "classname").unwrap(), attribute(tag, "name").unwrap());
        let case = format!("{class}::{name}");
        let selected = |word: &str| {
            let plan = Plan::of(&suites(), &Selection { exact: true, ..select(&[word]) }).unwrap();
            plan.wanted.iter().map(|index| plan.cases[*index].name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(selected(&case), [case.as_str()]);
        let group = selected(&class);
        assert!(
            group.contains(&case) && group.iter().all(|case| report::run::group(case) == class),
            "{class}: {group:?}"
        );
    }
}

#[test]
fn filters_that_select_nothing_or_less_than_was_meant_are_an_error() {
    let misses = |selection: &Selection| selection.misses(&Plan::of(&suites(), selection).unwrap());
    let word = |selection: &[&str]| misses(&select(selection));
    assert_eq!(word(&["r1::ready"]), None);
    let unknown = "no case matches \"r1::raedy\"; `cargo xtask e2e --list` shows all cases";
    assert_eq!(
        word(&["r1::ready", "r1::raedy"]).unwrap(),
        unknown,
        "running only the other one would test less than was meant"
    );
    assert!(misses(&Selection { exact: true, ..select(&["r1::ready"]) }).is_some(), "not a whole name");
    assert!(misses(&Selection { exact: true, ..select(&[""]) }).is_some());
    assert!(misses(&Selection { replicas: vec![3], ..select(&["::r1::"]) }).is_some());
    for everything in ["", "::"] {
        let skipped = misses(&Selection { skip: vec![everything.to_owned()], ..Selection::default() }).unwrap();
        assert!(
            skipped.starts_with(&format!("no case is left: --skip {everything:?} leaves out all selected cases")),
            "{skipped}"
        );
    }
    let kept = misses(&Selection { keep: true, ..select(&["uninstall"]) }).unwrap();
    assert!(kept.starts_with("no case is left: --keep leaves out all selected cases"), "{kept}");
}

#[test]
fn skip_leaves_out_cases_but_not_dependencies() {
    let selection = Selection { skip: vec!["r3".to_owned(), "install".to_owned()], ..select(&["caesium::"]) };
    let running = running(&selection);
    assert!(running.contains(&"caesium::r1::install".to_owned()), "{running:?}");
    assert!(!running.iter().any(|name| name.contains("r3") || name.ends_with("uninstall")), "{running:?}");
}

#[test]
fn replicas_select_topologies() {
    let selection = Selection { replicas: vec![1], ..Selection::default() };
    assert!(running(&selection).iter().all(|name| !name.contains("::r3")));
    let error = Plan::of(&suites(), &Selection { replicas: vec![7], ..Selection::default() }).unwrap_err();
    assert_eq!(error.to_string(), "--replicas 7: no such topology; suite caesium has topologies with 1, 3, 5 replicas");
}

#[test]
fn keep_cleans_nothing_up() {
    let selection = Selection { keep: true, ..Selection::default() };
    let running = running(&selection);
    assert!(!running.iter().any(|name| name.ends_with("uninstall") || name == "cluster::delete"), "{running:?}");
}

#[test]
fn topologies_are_parallel_lanes() {
    let plan = Plan::of(&suites(), &Selection::default()).unwrap();
    let lanes = plan.lanes();
    let lengths: Vec<_> = lanes.iter().map(Vec::len).collect();
    assert_eq!(lengths, [1, 1, 1, 1, 1, 1, 12, 23, 7, 8, 5, 1]);
}

#[test]
fn topologies_and_suites_that_do_not_run_are_listed() {
    let helm = Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm");
    let suites: Vec<_> = ["caesium", "kubernetes-job"]
        .map(|name| Arc::new(load::read(&helm.join(name), &cases::kinds()).unwrap()))
        .into();
    let left_out = |selection: &Selection| Plan::of(&suites, selection).unwrap().left_out;
    assert_eq!(left_out(&Selection::default()), Vec::<String>::new());
    assert_eq!(left_out(&select(&["chart::lint"])), Vec::<String>::new(), "the filter is not about suites");
    let sized = Selection { replicas: vec![3], ..Selection::default() };
    assert_eq!(left_out(&sized), ["left out by --replicas 3: caesium::r1 (1), caesium::r5 (5), caelundas::job (1)"]);
    let filtered = left_out(&select(&["caelundas"]));
    assert_eq!(filtered, ["left out, since the filters match none of their cases: caesium"]);
}
