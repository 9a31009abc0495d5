//! The run for GitHub Actions: a summary in Markdown, and an annotation for each failed case. Both only where the environment
//! asks for them.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context;

use super::run::{CaseStatus, ReportedCase, ReportedRun};

/// The variable with the file to which a step appends its summary.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";
/// The variable that is `true` in GitHub Actions.
const ACTIONS: &str = "GITHUB_ACTIONS";
/// The most failed cases with a message of their own: GitHub shows ten annotations of a step.
const SHOWN_MAX: usize = 10;

/// Appends the summary, and prints the annotations.
///
/// # Errors
/// If the summary can't be written.
pub fn tell(run: &ReportedRun) -> anyhow::Result<()> {
    if std::env::var(ACTIONS).is_ok_and(|value| value == "true") {
        console::out_text(&annotations(run));
    }
    match std::env::var_os(SUMMARY).filter(|path| !path.is_empty()) {
        Some(path) => append(Path::new(&path), &summary(run)),
        None => Ok(()),
    }
}

fn append(path: &Path, text: &str) -> anyhow::Result<()> {
    let appended =
        OpenOptions::new().create(true).append(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    appended.with_context(|| format!("writing the summary {}", path.display()))
}

/// Returns a workflow command for each failed case: `::error title=caesium::r1::ready::the first line`.
fn annotations(run: &ReportedRun) -> String {
    let line = |(case, message): (&ReportedCase, &str)| {
        format!("::error title={}::{}\n", property(case.name), data(first_line(message)))
    };
    failures(run).take(SHOWN_MAX).map(line).collect()
}

/// Returns the summary: the verdict, the failed cases with the first lines of their messages, and how to repeat the run.
fn summary(run: &ReportedRun) -> String {
    let passed = run.cases.iter().filter(|case| case.has_passed()).count();
    let (all, seconds) = (run.cases.len(), run.took_ms / 1000);
    let mut text =
        format!("### Chartproof: {passed} of {all} cases passed in {seconds} s\n\n{} on {}\n", run.image, run.cluster);
    if failures(run).next().is_some() {
        text.push_str("\n| failed case | message |\n|---|---|\n");
    }
    for (case, message) in failures(run).take(SHOWN_MAX) {
        let _ = writeln!(text, "| `{}` | {} |", case.name, cell(first_line(message)));
    }
    if let Some(more) = failures(run).count().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        let _ = writeln!(text, "\nand {more} more failed cases");
    }
    if let Some((case, _)) = run.first_cause() {
        let _ = writeln!(text, "\nRun it again: `{} --exact {}`", run.rerun_command, case.name);
    }
    for what in &run.left_out {
        let _ = writeln!(text, "\n{what}");
    }
    text
}

fn failures<'a>(run: &'a ReportedRun) -> impl Iterator<Item = (&'a ReportedCase<'a>, &'a str)> {
    run.cases.iter().filter_map(|case| match &case.shown {
        CaseStatus::Failed(message) | CaseStatus::CutShort(message) => Some((case, message.as_str())),
        CaseStatus::Passed | CaseStatus::Skipped(_) => None,
    })
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// Escapes the text of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Escapes text in a table of Markdown.
fn cell(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use events::{Event, Verdict, What};

    fn ended(case: &str, verdict: Verdict) -> Event {
        Event::new(Duration::from_secs(9), What::CaseEnded { case: case.to_owned(), took_ms: 0, verdict })
    }

    fn events(verdict: Verdict) -> Vec<Event> {
        let cases = ["web::r1::install", "web::r1::ready"].map(str::to_owned).to_vec();
        let started = What::RunStarted {
            run_id: "a1".to_owned(),
            cluster: "kind".to_owned(),
            image: "web:1".to_owned(),
            cases,
            began_unix_ms: 0,
            rerun_command: "chartproof e2e --suite .".to_owned(),
        };
        let passed = ended("web::r1::install", Verdict::Passed { note: String::new() });
        vec![Event::new(Duration::ZERO, started), passed, ended("web::r1::ready", verdict)]
    }

    #[test]
    fn a_failed_case_is_an_annotation_and_a_row() {
        let message = "50% | <none> ready, at 10:00\n  event: x".to_owned();
        let events = events(Verdict::Failed { message });
        let run = ReportedRun::of(&events);
        assert_eq!(annotations(&run), "::error title=web%3A%3Ar1%3A%3Aready::50%25 | <none> ready, at 10:00\n");
        let expected = "### Chartproof: 1 of 2 cases passed in 9 s\n\nweb:1 on kind\n\n| failed case | message |\n|---|---|\n\
                        | `web::r1::ready` | 50% \\| &lt;none> ready, at 10:00 |\n\n\
                        Run it again: `chartproof e2e --suite . --exact web::r1::ready`\n";
        assert_eq!(summary(&run), expected);
    }

    #[test]
    fn without_failures_there_are_no_annotations_and_no_table() {
        let events = events(Verdict::Passed { note: String::new() });
        let run = ReportedRun::of(&events);
        assert_eq!(annotations(&run), "");
        assert_eq!(summary(&run), "### Chartproof: 2 of 2 cases passed in 9 s\n\nweb:1 on kind\n");
    }

    #[test]
    fn a_summary_is_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        append(&path, "one\n").unwrap();
        append(&path, "two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert!(
            append(&folder.path().join("none/summary.md"), "").unwrap_err().to_string().contains("none/summary.md")
        );
    }
}
