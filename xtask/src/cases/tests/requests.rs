//! Tests that wrong requests are refused with file, line and fix.

use std::path::Path;

use super::loading::{blocks, line_at, parse};

fn example() -> String {
    blocks("```toml requests\n")
}

/// Returns the error that a change to the example causes, without its line, which must be that of `at`.
fn error(from: &str, to: &str, at: &str) -> String {
    let text = example().replacen(from, to, 1);
    assert_ne!(text, example(), "{from:?} is in the example");
    let error = parse(Path::new("x"), &text).unwrap_err().to_string();
    let line = line_at(&text, text.find(at).unwrap_or_else(|| panic!("{at:?} is in the changed example")));
    error.strip_prefix(&format!("x:{line}: ")).unwrap_or_else(|| panic!("line {line}: {error}")).to_owned()
}

#[test]
fn the_example_of_requests_is_a_suite() {
    let suite = parse(Path::new("x"), &example()).unwrap();
    assert!(suite.workloads[0].health_request().is_some());
    assert!(suite.runs_commands_inside(), "records are read by a command that goes through the Service");
}

#[test]
fn a_request_without_the_table_of_its_port_names_it() {
    let tcp = "[tcp]                             # for lines over TCP\nport = 6379\nrequest_timeout_ms = 2000         # optional\n";
    let why = error(tcp, "", "request = { tcp");
    assert_eq!(why, "its port is unknown: add a [tcp] table");
}

#[test]
fn a_pattern_that_can_not_work_is_refused() {
    let why = error(r"expect = '^\+OK$'", "expect = '+OK'", "request = { tcp");
    assert!(
        why.starts_with("`+OK` is not a regular expression: repetition operator missing expression; write \\"),
        "{why}"
    );
    let why = error("value = { pattern = '^(.+)$' }", "value = { pattern = '^.+$' }", "value = { pattern = '^.+$' }");
    assert_eq!(why, "`^.+$` has no group: put what is the value in parentheses, as in `^value: (.*)$`");
}

#[test]
fn output_that_may_be_an_error_needs_to_be_told_from_no_such_record() {
    let absent = "absent = { pattern = '^$' }       # needed with a pattern: output that matches neither is an error\n";
    let why = error(absent, "", "value = { pattern = '^(.+)$' }");
    assert!(why.starts_with("output without the value may be an error: add `absent = { pattern = '…' }`"), "{why}");
}

#[test]
fn https_says_whom_it_trusts() {
    let ca = "ca = \"${secret:cache-tls/ca.crt}\"";
    let verified = format!("{ca} # for https: the certificate that signed the server's, as PEM\nverify = true");
    for (from, to, at, message) in [
        (ca, "#", "scheme", "the server can't be verified: add `ca = \"${secret:NAME/KEY}\"`, or `verify = false`"),
        ("verify = true", "verify = false", "verify = false", "`verify = false` ignores `ca`: remove one of them"),
        ("scheme = \"https\"", "scheme = \"http\"", ca, "`ca` is for HTTPS: add `scheme = \"https\"`, or remove it"),
        (
            &verified,
            "verify = false",
            "server_name",
            "`server_name` is compared only if the server is verified: remove it",
        ),
    ] {
        assert_eq!(error(from, to, at), message, "{to}");
    }
}

#[test]
fn health_is_asked_for_once() {
    let why = error("scheme =", "health = \"/health\"\nscheme =", "health = \"/health\"");
    assert_eq!(why, "health is asked for twice: remove this, or the table [health]");
}

#[test]
fn a_promise_is_checked_by_reading() {
    let (read, find) = ("[records.read]", "[records.find]");
    let text = example();
    let read = &text[text.find(read).unwrap()..text.find(find).unwrap()];
    let why = error(read, "", "[records]");
    assert_eq!(why, "a promise is checked by reading: add [records.read], or `promise = \"none\"`");
}

#[test]
fn a_case_that_reads_back_is_refused_if_nothing_is_promised() {
    let text = example().replacen("promise = \"register\"", "promise = \"none\"", 1);
    parse(Path::new("x"), &text).unwrap();
    let text = text.replacen("\"health\", \"voters\", \"pod_kill_leader\"", "\"write_read\"", 1);
    let why = parse(Path::new("x"), &text).unwrap_err().to_string();
    let message =
        "case `write_read` needs a promise: with `promise = \"none\"` nothing is read back, so remove the case";
    assert!(why.ends_with(message), "{why}");
}

#[test]
fn a_command_in_a_case_names_what_it_needs() {
    let cases = "cases = [\"install\", \"ready\", \"health\", \"voters\", \"pod_kill_leader\", \"uninstall\"]";
    for (case, message) in [
        (
            "{ case = \"answers\", port = 1, request = { exec = [\"a\"] }, value = \"\", is = \"1\" }",
            "case `answers`: `port` has no meaning for `exec`: remove it",
        ),
        (
            "{ case = \"spread\", to = \"a:1\", request = { exec = [\"a\"] }, pod = \"\" }",
            "case `spread`: `exec` goes through the Service only if it says so: write `${host}` for the Service's name",
        ),
    ] {
        let with = format!("cases = [\"install\", \"ready\", {case}]");
        assert_eq!(error(cases, &with, case), message);
    }
}
