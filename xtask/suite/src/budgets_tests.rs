//! An exceeded budget fails with figure, budget and how to change it; an update makes it pass and keeps the others.

use history::availability::Figures;

use super::*;

/// Returns measurements of a fault whose figures are all `ms` and `errors`.
fn measured(ms: u64, errors: usize) -> Availability {
    let figures = Figures { longest_gap_ms: ms, errors, acknowledged: 1 };
    Availability {
        fault: "delete Pod/caesium-0".to_owned(),
        by_connection: [(Connection::New, figures), (Connection::ServiceReused, figures)].into(),
        new_leader_ms: Some(ms),
        recovered_ms: Some(ms),
        sides: None,
    }
}

fn update(folder: &Path, case: &str, worst: Availability) -> Budgets {
    Budgets::update(folder, "embedded", &[(("r3".to_owned(), case.to_owned()), worst)].into()).unwrap();
    let mut beside = Budgets::beside(folder).unwrap();
    assert_eq!(beside.keys().collect::<Vec<_>>(), [&"embedded"], "nothing is written for other providers");
    beside.remove("embedded").unwrap()
}

#[test]
fn a_figure_beyond_its_budget_fails_and_passes_after_an_update() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Budgets::beside(folder.path()).unwrap(), BTreeMap::new());
    let budgets = update(folder.path(), "pod_kill", measured(10_000, 500));
    let case = ("r3", "pod_kill");
    assert_eq!(budgets.exceeded(case, &[measured(40_000, 2000)]), Vec::<String>::new(), "four times as much");

    let failed = budgets.exceeded(case, &[measured(1000, 1), measured(40_001, 2001)]);
    let file = folder.path().join("budgets.embedded.toml").display().to_string();
    let words = format!("by [r3.pod_kill] in {file}; if this is expected, run cargo xtask e2e --update-budgets");
    let gap = "the longest gap of clients over";
    let expected = [
        "ready again after 40001 ms, but only 40000 ms are allowed".to_owned(),
        "another leader after 40001 ms, but only 40000 ms are allowed".to_owned(),
        format!("{gap} new connections is 40001 ms, but only 40000 ms are allowed"),
        format!("{gap} service, reused connections is 40001 ms, but only 40000 ms are allowed"),
        "2001 errors over new connections, but only 2000 are allowed".to_owned(),
        "2001 errors over service, reused connections, but only 2000 are allowed".to_owned(),
    ];
    assert_eq!(failed, expected.map(|line| format!("after delete Pod/caesium-0: {line} {words}")));

    let updated = update(folder.path(), "pod_kill", measured(40_001, 2001));
    assert_eq!(updated.exceeded(case, &[measured(40_001, 2001)]), Vec::<String>::new());
}

#[test]
fn a_case_without_a_budget_fails_and_the_others_are_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    update(folder.path(), "pod_kill", measured(1, 0));
    let budgets = update(folder.path(), "drain", measured(9000, 0));
    assert_eq!(
        budgets.exceeded(("r3", "pod_kill"), &[measured(30_000, 100)]),
        Vec::<String>::new(),
        "the lowest limit"
    );
    let missing = budgets.exceeded(("r1", "drain"), &[]);
    assert!(missing[0].ends_with("has no budget [r1.drain]; write one with cargo xtask e2e --update-budgets"));
}

#[test]
fn a_kind_of_connection_without_a_budget_may_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let budgets = update(folder.path(), "drain", Availability { by_connection: BTreeMap::new(), ..measured(1, 0) });
    assert_eq!(budgets.exceeded(("r3", "drain"), &[measured(1, 1)]).len(), 4, "a gap and an error each");
}

#[test]
fn a_malformed_budget_file_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("budgets.kind.toml"), "[r3.drain]\nlongest = 1\n").unwrap();
    let error = Budgets::beside(folder.path()).unwrap_err();
    assert!(error.to_string().contains("budgets.kind.toml") && error.to_string().contains("unknown field"), "{error}");
    assert_eq!(console::exit::of(&error), console::exit::Exit::Usage);
}
