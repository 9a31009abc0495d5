//! The HTML report: one self-contained file, readable on a phone and without JavaScript.

mod bar;
mod clients;
mod journal;
mod timeline;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::run::{ReportedCase, ReportedRun};
use events::{Event, Verdict};
pub use journal::LogLine;

/// A file in the run's directory to which the report links.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Relative to the report.
    pub path: String,
    /// Its title: `logs of r3`.
    pub title: String,
    /// Its size.
    pub bytes: u64,
}

/// Renders a run. `logs` are container log lines with times since the start of the run.
pub fn render(events: &[Event], logs: &[LogLine], evidence: &[Evidence]) -> String {
    let run = ReportedRun::of(events);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Chartproof: " (verdict_words(&run)) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                (header(&run))
                main {
                    @if let Some((case, message)) = run.first_cause() { (first_cause(&run, case, message)) }
                    (timeline::render(&run, events))
                    (cases(&run))
                    (journal::render(&run, events, logs))
                    (evidence_list(evidence))
                }
            }
        }
    };
    page.into_string()
}

fn verdict_words(run: &ReportedRun) -> String {
    let passed = run.cases.iter().filter(|case| case.has_passed()).count();
    let failed = run.cases.iter().filter(|case| case.is_failure()).count();
    let rest = run.cases.len() - passed - failed;
    let not_run = if rest == 0 { String::new() } else { format!(", {rest} not run") };
    format!("{passed} passed, {failed} failed{not_run}")
}

fn header(run: &ReportedRun) -> Markup {
    let class = if run.exit_code == Some(0) { "green" } else { "red" };
    html! {
        header class=(class) {
            h1 { (verdict_words(run)) @if run.exit_code.is_none() { ", cut short" } }
            p { "run " (run.run_id) " on " (run.cluster) " in " (seconds(run.took_ms)) }
            p { "image under test: " (run.image) }
        }
    }
}

fn first_cause(run: &ReportedRun, case: &ReportedCase, message: &str) -> Markup {
    let (sentence, detail) = message.split_once('\n').unwrap_or((message, ""));
    html! {
        section #cause {
            h2 { "First failure" }
            p { strong { (case.name) } ": " (sentence) }
            @if !detail.is_empty() { pre { (detail) } }
            @if let Some(path) = case.evidence { p { "evidence: " (link(path)) } }
            p { "Run it again: " code { (run.rerun_command) " --exact " (case.name) } }
        }
    }
}

/// Renders the cases, those that have not passed first.
fn cases(run: &ReportedRun) -> Markup {
    let mut cases: Vec<&ReportedCase> = run.cases.iter().collect();
    cases.sort_by_key(|case| (!case.is_failure(), case.has_passed()));
    html! {
        section #cases {
            h2 { "Cases" }
            ul.cases {
                @for case in &cases {
                    li class=(class(case)) {
                        span.verdict { (word(case)) }
                        span.name { (case.name) }
                        @if let (Some(start_ms), Some((end_ms, _))) = (case.start_ms, case.end) {
                            span.time { (seconds(end_ms.saturating_sub(start_ms))) }
                        }
                        (note(case))
                    }
                }
            }
        }
    }
}

fn note(case: &ReportedCase) -> Markup {
    html! {
        @match case.end {
            Some((_, Verdict::Passed { note })) if !note.is_empty() => { p { (note) } }
            Some((_, Verdict::Failed { message })) => {
                details open { summary { (message.lines().next().unwrap_or_default()) } pre { (message) } }
                @if let Some(path) = case.evidence { p { "evidence: " (link(path)) } }
            }
            Some((_, Verdict::NotRun { blocked_by: why } | Verdict::NotApplicable { why })) => { p { "not run: " (why) } }
            None => { @if let Some(waiting) = case.waiting { p { "was waiting: " (waiting) } } }
            _ => {}
        }
    }
}

fn evidence_list(evidence: &[Evidence]) -> Markup {
    let groups: Vec<_> = evidence.chunk_by(|a, b| a.title == b.title).collect();
    html! {
        @if !evidence.is_empty() {
            section #evidence {
                h2 { "Evidence" }
                @for files in groups {
                    details {
                        summary { (files[0].title) ": " (files.len()) " files" }
                        ul { @for file in files { li { (link(&file.path)) " " (kilobytes(file.bytes)) } } }
                    }
                }
            }
        }
    }
}

/// Returns a link to a file or folder beside the report.
fn link(path: &str) -> Markup {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    let byte = |byte: u8| if safe(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    html! { a href=(path.bytes().map(byte).collect::<String>()) { (path) } }
}

fn kilobytes(bytes: u64) -> String {
    format!("({} kB)", bytes.div_ceil(1000))
}

fn class(case: &ReportedCase) -> &'static str {
    if case.has_passed() {
        "green"
    } else if case.is_failure() {
        "red"
    } else {
        "grey"
    }
}

fn word(case: &ReportedCase) -> &'static str {
    match case.end {
        Some((_, Verdict::Passed { .. })) => "passed",
        Some((_, Verdict::Failed { .. })) => "failed",
        None if case.start_ms.is_some() => "cut short",
        _ => "not run",
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:01} s", ms / 1000, ms % 1000 / 100)
}

#[cfg(test)]
mod contrast_tests;
#[cfg(test)]
mod tests;
