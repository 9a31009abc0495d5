use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use events::What;

fn events(verdict: Verdict, exit_code: i32) -> Vec<Event> {
    let case = "caesium::r3::ready".to_owned();
    let at = |ms, what| Event::new(Duration::from_millis(ms), what);
    vec![
        at(
            0,
            What::RunStarted {
                run_id: "k3x9".to_owned(),
                cluster: "embedded".to_owned(),
                image: "stand-in".to_owned(),
                cases: vec![case.clone(), "caesium::r3::health".to_owned()],
                began_unix_ms: 1_790_000_000_000,
                rerun_command: "cargo xtask e2e --suite helm/caesium".to_owned(),
            },
        ),
        at(100, What::CaseStarted { case: case.clone() }),
        at(
            150,
            What::Object {
                namespace: "chartproof-caesium-r3-k3x9".to_owned(),
                object: "Pod/caesium-0".to_owned(),
                state: "Running, ready".to_owned(),
            },
        ),
        at(
            200,
            What::Fault {
                case: case.clone(),
                what: "deleted Pod/caesium-0 with grace 0".to_owned(),
                apart: BTreeSet::new(),
            },
        ),
        at(900, What::CaseEnded { case: case.clone(), took_ms: 800, verdict }),
        at(
            910,
            What::CaseEnded {
                case: "caesium::r3::health".to_owned(),
                took_ms: 0,
                verdict: Verdict::NotRun { blocked_by: case },
            },
        ),
        at(1000, What::RunEnded { took_ms: 1000, exit_code }),
    ]
}

#[test]
fn a_failed_run_shows_the_first_failure_first_and_how_to_run_it_again() {
    let message = "caesium-2 can't pull <image>\nlast event: Failed".to_owned();
    let page = render(&events(Verdict::Failed { message }, 101), &[], &[]);
    let cause = page.find("First failure").unwrap();
    assert!(cause < page.find("Timeline").unwrap());
    assert!(page.contains("caesium-2 can't pull &lt;image&gt;"), "text is escaped");
    assert!(page.contains("cargo xtask e2e --suite helm/caesium --exact caesium::r3::ready"));
    assert!(page.contains("0 passed, 1 failed, 1 not run"));
    assert!(page.contains("not run: caesium::r3::ready"));
}

#[test]
fn a_passed_run_has_no_failure_and_shows_pods_faults_and_logs() {
    let log = LogLine {
        at_ms: 160,
        topology: "caesium-r3".to_owned(),
        source: "caesium-0/caesium".to_owned(),
        text: "elected".to_owned(),
    };
    let evidence = Evidence { path: "r3/logs/caesium 0.log".to_owned(), title: "logs of r3".to_owned(), bytes: 1200 };
    let page = render(&events(Verdict::Passed { note: "in 0.8 s".to_owned() }, 0), &[log], &[evidence]);
    assert!(!page.contains("First failure"));
    for words in [
        "<h3>caesium::r3</h3>",
        "caesium-0 from 0.1 s: Running, ready",
        "deleted Pod/caesium-0 with grace 0",
        "caesium::r3: 6 events and log lines",
        "elected",
        "r3/logs/caesium%200.log",
        "(2 kB)",
        "in 0.8 s",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn a_fault_that_lasts_is_a_bar_until_it_is_healed() {
    let mut events = events(Verdict::Passed { note: String::new() }, 0);
    let (case, what) = ("caesium::r3::ready".to_owned(), "pause Pod/caesium-1".to_owned());
    let at = |ms, what| Event::new(Duration::from_millis(ms), what);
    let apart = BTreeSet::from(["caesium-1".to_owned()]);
    events.insert(4, at(300, What::Fault { case: case.clone(), what: what.clone(), apart }));
    events.insert(5, at(700, What::FaultHealed { case, what }));
    let page = render(&events, &[], &[]);
    let bar = "<rect x=\"300\" y=\"1.5\" width=\"400\" height=\"7\" class=\"red\"><title>0.3 s to 0.7 s pause Pod/caesium-1, apart: \
               caesium-1</title>";
    assert!(page.contains(bar), "{page}");
    assert!(page.contains("healed: pause Pod/caesium-1"), "{page}");
}

#[test]
fn a_run_that_was_cut_short_has_not_passed() {
    let mut cut = events(Verdict::Passed { note: String::new() }, 0);
    cut.truncate(3);
    let page = render(&cut, &[], &[]);
    assert!(page.contains("cut short"));
    assert!(page.contains("header class=\"red\""));
}

#[test]
fn nothing_external_is_loaded() {
    let page = render(&events(Verdict::Passed { note: String::new() }, 0), &[], &[]);
    for outside in ["http://", "https://", "<script", "<link", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
}
