//! `cargo xtask` lints by itself; every other subcommand is cargo's to run, in `chartproof`.

use std::os::unix::fs::PermissionsExt;

#[path = "../../../tests/command.rs"]
mod command;

use command::command;

/// A call of `cargo xtask`, with another program in the place of cargo.
fn xtask(words: &[&str], cargo: &str) -> duct::Expression {
    let program = command(env!("CARGO_BIN_EXE_xtask"), words);
    program.env("CARGO", cargo).stdout_capture().stderr_capture().unchecked()
}

#[test]
fn every_other_subcommand_is_handed_over_as_it_is() {
    for words in [&["e2e", "--replicas", "3", "--", "a b"][..], &["--help"], &["help", "lint"], &[]] {
        let told = String::from_utf8(xtask(words, "echo").run().unwrap().stdout).unwrap();
        let expected = [&["run", "--bin", "chartproof", "--"], words].concat().join(" ");
        assert_eq!(told.trim_end(), expected);
    }
}

#[test]
fn cargo_does_not_see_the_variables_of_our_own_package() {
    // cargo sets these for a program that it runs, and for a test.
    assert!(std::env::var("CARGO_PKG_NAME").is_ok());
    let folder = tempfile::tempdir().unwrap();
    let cargo = folder.path().join("cargo");
    std::fs::write(&cargo, "#!/bin/sh\nenv").unwrap();
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = xtask(&["e2e"], cargo.to_str().unwrap()).env("CARGO_INCREMENTAL", "0").run().unwrap();
    let variables = String::from_utf8(output.stdout).unwrap();
    let seen: Vec<_> = variables.lines().filter(|line| line.starts_with("CARGO_")).collect();
    assert!(seen.contains(&"CARGO_INCREMENTAL=0"), "the user's own variables stay: {seen:?}");
    let ours = |line: &&&str| line.starts_with("CARGO_PKG_") || line.starts_with("CARGO_MANIFEST_");
    assert_eq!(seen.iter().filter(ours).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn lint_runs_here() {
    let output = xtask(&["lint", "no/such/chart"], "echo").run().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("no/such/chart is not a chart: it has no Chart.yaml"), "{message}");
}

#[test]
fn a_cargo_that_is_missing_is_named() {
    let output = xtask(&["e2e"], "/no/cargo").run().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && message.contains("starting /no/cargo: No such file"), "{message}");
}
