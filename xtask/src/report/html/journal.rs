//! The journal: faults, commands, objects and log lines side by side, in the order of time.

use maud::{Markup, html};

use super::seconds;
use crate::events::{Event, What};

/// The newest lines that are shown; older ones stand in the evidence files.
const ROWS_MAX: usize = 2000;

/// One line of a container's log.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// When, on the run's clock.
    pub at_ms: u64,
    /// `namespace/pod/container`.
    pub source: String,
    /// What it said.
    pub text: String,
}

struct Row {
    at_ms: u64,
    class: &'static str,
    source: String,
    text: String,
}

/// Renders the journal.
pub fn render(events: &[Event], logs: &[LogLine]) -> Markup {
    let mut rows: Vec<Row> = events.iter().filter_map(row).chain(logs.iter().map(log_row)).collect();
    rows.sort_by_key(|row| row.at_ms);
    let left_out = rows.len().saturating_sub(ROWS_MAX);
    html! {
        section #journal {
            h2 { "Journal" }
            details {
                summary { (rows.len()) " events and log lines, in the order of time" }
                @if left_out > 0 { p { (left_out) " older lines stand in the evidence files" } }
                ol.journal {
                    @for row in &rows[left_out..] {
                        li class=(row.class) {
                            span.time { (seconds(row.at_ms)) }
                            span.source { (row.source) }
                            span.text { (row.text) }
                        }
                    }
                }
            }
        }
    }
}

fn log_row(line: &LogLine) -> Row {
    Row { at_ms: line.at_ms, class: "log", source: line.source.clone(), text: line.text.clone() }
}

fn row(event: &Event) -> Option<Row> {
    let (class, source, text) = match &event.what {
        What::CaseStarted { case } => ("case", case.clone(), "began".to_owned()),
        What::CaseEnded { case, took_ms, .. } => ("case", case.clone(), format!("ended after {}", seconds(*took_ms))),
        What::Command { line, code, took_ms, .. } => {
            let code = code.map_or_else(|| "no exit code".to_owned(), |code| format!("exit {code}"));
            ("command", "command".to_owned(), format!("{line} ({code}, {})", seconds(*took_ms)))
        }
        What::Object { namespace, object, state } => ("object", format!("{namespace}/{object}"), state.clone()),
        What::Fault { case, what } => ("fault", case.clone(), what.clone()),
        What::Note { text } => ("note", "note".to_owned(), text.clone()),
        _ => return None,
    };
    Some(Row { at_ms: event.at_ms, class, source, text })
}
