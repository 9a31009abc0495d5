//! Real containers: each case runs in a node of its own, as root and as an ordinary user, with the host's own programs.
//! Afterwards the host is checked for leftovers.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a test's own programs are read to the end")]

mod cases;
mod host;
mod node;
mod pod;
mod program;

use libtest_mimic::{Arguments, Conclusion, Trial};

/// The hidden word that makes this program a node that runs one case.
const NODE: &str = "__test-node";
/// Hidden words that make it a container's program.
const SERVE: &str = "__serve";
const FETCH: &str = "__fetch";
const REACH: &str = "__reach";
const SEND: &str = "__send";
const HEAR: &str = "__hear";
const NEIGHBOURS: &str = "__neighbours";
/// The host name of a server that says much more.
const TALKATIVE: &str = "talkative";
const TALKATIVE_BYTES: usize = 4 << 20;
const SHOW: &str = "__show";
const REWRITE: &str = "__rewrite";

fn main() -> std::process::ExitCode {
    runtime::reexec();
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, case, dir] = arguments.as_slice()
        && word == NODE
    {
        return node::run(case, dir.as_ref());
    }
    if let Some(code) = program::run_if_asked(&arguments) {
        return code;
    }
    let _copy = match host::copy_program() {
        Ok(copy) => copy,
        Err(error) => {
            eprintln!("copy this program for other users: {error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    let conclusion: Conclusion = libtest_mimic::run(&Arguments::from_args(), trials());
    conclusion.exit_code()
}

fn trials() -> Vec<Trial> {
    let root = rustix::process::geteuid().is_root();
    let mut trials = vec![Trial::test("a_refusal_names_the_setting", || Ok(host::refused()?))];
    for (name, end) in host::ENDS {
        if root {
            trials.push(Trial::test(format!("root::{name}"), move || Ok(host::end(end, host::Who::Root)?)));
        }
        trials.push(Trial::test(format!("user::{name}"), move || Ok(host::end(end, host::Who::User)?)));
    }
    for case in cases::tests() {
        let name = case.name;
        if root {
            trials.push(Trial::ignorable_test(format!("root::{name}"), move || Ok(host::run(name, host::Who::Root)?)));
        }
        if case.without_root {
            trials.push(Trial::ignorable_test(format!("user::{name}"), move || Ok(host::run(name, host::Who::User)?)));
        }
    }
    trials
}
