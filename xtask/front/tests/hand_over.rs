//! `cargo xtask` lints by itself; every other subcommand is cargo's to run, in `chartproof`.

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
