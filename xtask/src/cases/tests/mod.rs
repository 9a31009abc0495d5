//! Tests of all cases, and of loading the suite files that list them.

use std::path::Path;

mod documented;
mod loading;
mod mutated;
mod pod_security;
mod requests;
mod unknown;
mod without_records;
mod workloads;

#[test]
fn needs_come_first() {
    for (index, case) in super::ALL.iter().enumerate() {
        let is_before = |need: &&suite::CaseKind| super::ALL[..index].iter().any(|other| other.kind == **need);
        assert!(case.kind.needs.iter().all(is_before), "{}", case.kind.name);
    }
}

/// The source of a case shows whether it uses the `release` parameter.
#[test]
fn a_case_takes_a_release_if_its_source_uses_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cases");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts: Vec<_> =
        files.filter(|file| file.is_file()).map(|file| std::fs::read_to_string(file).unwrap()).collect();
    for case in super::ALL {
        let name = format!("        name: {:?},", case.kind.name);
        let text = texts.iter().find(|text| text.contains(&name)).unwrap_or_else(|| panic!("no file has {name}"));
        let looks = text.contains("cx.deployed_release(") || text.contains("cx.spec.release");
        assert_eq!(case.kind.takes_release, looks, "{}", case.kind.name);
    }
    let of_a_case = texts.iter().filter(|text| text.contains("pub static CASE: Case = ")).count();
    assert_eq!(of_a_case, super::ALL.len(), "a case is missing from the list");
}

#[test]
fn a_missing_budget_is_reported_if_other_providers_have_one() {
    let mut suite = suite::load::read(Path::new("../helm/caesium"), &super::kinds()).unwrap();
    assert_eq!(suite.not_compared("embedded"), None);
    let note =
        "there is no ../helm/caesium/budgets.kind.toml: fault costs are reported but not checked against a budget";
    assert_eq!(suite.not_compared("kind").unwrap(), note);
    suite.budgets.clear();
    assert_eq!(suite.not_compared("kind"), None, "there are no budgets at all");
}
