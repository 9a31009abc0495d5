//! The journal: the faults, commands, objects and log lines of each topology in chronological order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::run::{self, ReportedRun};
use super::seconds;
use events::{Event, What};

/// How many of the newest lines of a topology are shown; older ones are in the evidence files.
const ROWS_MAX: usize = 1500;
/// The longest line that is shown completely.
const CHARS_MAX: usize = 600;
/// The group of everything that belongs to no topology.
const WHOLE_RUN: &str = "the run";

/// One line of a container's log.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// The time since the start of the run.
    pub at_ms: u64,
    /// The topology.
    pub topology: String,
    /// `pod/container`.
    pub source: String,
    /// The line.
    pub text: String,
}

struct Row<'a> {
    at_ms: u64,
    class: &'static str,
    source: Cow<'a, str>,
    text: Cow<'a, str>,
}

/// Renders the journal.
pub fn render(run: &ReportedRun, events: &[Event], logs: &[LogLine]) -> Markup {
    let mut groups: BTreeMap<String, Vec<Row<'_>>> = BTreeMap::new();
    for (group, row) in events.iter().filter_map(|event| row(run, event)) {
        groups.entry(group).or_default().push(row);
    }
    for line in logs {
        groups.entry(run.group_with(&line.topology)).or_default().push(log_row(line));
    }
    html! {
        section #journal {
            h2 { "Journal" }
            @for (name, mut rows) in groups { (journal(&name, &mut rows)) }
        }
    }
}

fn journal(name: &str, rows: &mut [Row<'_>]) -> Markup {
    rows.sort_by_key(|row| row.at_ms);
    let left_out = rows.len().saturating_sub(ROWS_MAX);
    html! {
        details {
            summary { (name) ": " (rows.len()) " events and log lines, in chronological order" }
            @if left_out > 0 { p { (left_out) " older lines are in the evidence files" } }
            ol.journal {
                @for row in &rows[left_out..] {
                    li class=(row.class) {
                        span.time { (seconds(row.at_ms)) }
                        span.source { (row.source) }
                        span.text { (shortened(&row.text)) }
                    }
                }
            }
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

fn log_row(line: &LogLine) -> Row<'_> {
    Row { at_ms: line.at_ms, class: "log", source: (&line.source).into(), text: (&line.text).into() }
}

fn row<'a>(run: &ReportedRun, event: &'a Event) -> Option<(String, Row<'a>)> {
    let at_ms = event.at_ms;
    let of_case = |case: &'a str, class, text: Cow<'a, str>| {
        let short = case.rsplit("::").next().unwrap_or(case);
        (run::group(case).to_owned(), Row { at_ms, class, source: short.into(), text })
    };
    let whole = |class: &'static str, text| (WHOLE_RUN.to_owned(), Row { at_ms, class, source: class.into(), text });
    Some(match &event.what {
        What::CaseStarted { case } => of_case(case, "case", "started".into()),
        What::CaseEnded { case, took_ms, .. } => {
            of_case(case, "case", format!("ended after {}", seconds(*took_ms)).into())
        }
        What::Fault { case, what, .. } => of_case(case, "fault", what.into()),
        What::FaultHealed { case, what } => of_case(case, "fault", format!("healed: {what}").into()),
        What::Object { namespace, object, state } => {
            let row = Row { at_ms, class: "object", source: object.into(), text: state.into() };
            (run.group_of(namespace), row)
        }
        What::Command { line, code, took_ms, .. } => {
            let code = code.map_or_else(|| "no exit code".to_owned(), |code| format!("exit {code}"));
            whole("command", format!("{line} ({code}, {})", seconds(*took_ms)).into())
        }
        What::ClusterLost { why } => whole("note", format!("ending the run: {why}").into()),
        What::Note { text } | What::LeftOut { what: text } => whole("note", text.into()),
        _ => return None,
    })
}
