//! The timeline: one lane per case, pod and client, and one for the faults of each topology, on a common axis.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::run::{self, ReportedCase, ReportedRun};
use super::bar::Bar;
use super::clients::{self, Gap};
use super::{class, seconds};
use events::{Event, What};

/// The lanes of one topology, or of cases without a topology.
#[derive(Default)]
struct Group {
    lanes: Vec<(String, Vec<Bar>)>,
    gaps: Vec<Gap>,
}

/// Renders all lanes.
pub fn render(run: &ReportedRun, events: &[Event]) -> Markup {
    let total_ms = run.took_ms.max(1);
    html! {
        section #timeline {
            h2 { "Timeline" }
            p.legend {
                span.green { "passed, ready, acknowledged" } " " span.red { "failed" } " "
                span.amber { "waiting, unknown" } " " span.grey { "not run" } " "
                span.gap { "no client got through" }
            }
            @for (name, group) in groups(run, events) {
                h3 { (name) }
                (axis(total_ms))
                @for (label, bars) in &group.lanes { (lane(&name, label, bars, &group.gaps, total_ms)) }
                @if !group.gaps.is_empty() { ul.gaps { @for gap in &group.gaps { li { (words(gap)) } } } }
            }
        }
    }
}

fn axis(total_ms: u64) -> Markup {
    html! {
        div.axis aria-hidden="true" { span { "0 s" } span { (seconds(total_ms / 2)) } span { (seconds(total_ms)) } }
    }
}

fn words(gap: &Gap) -> String {
    let took = seconds(gap.to_ms - gap.from_ms);
    format!("{}: no client got through for {took}, from {} to {}", gap.case, seconds(gap.from_ms), seconds(gap.to_ms))
}

/// Renders one lane: a label, and bars that scale with the width of the page.
fn lane(group: &str, label: &str, bars: &[Bar], gaps: &[Gap], total_ms: u64) -> Markup {
    let titles: Vec<_> = bars.iter().map(|bar| bar.title.as_str()).take(12).collect();
    html! {
        div.lane {
            div.label { (label) }
            svg viewBox=(format!("0 0 {total_ms} 10")) preserveAspectRatio="none" role="img"
                aria-label=(format!("{group} {label}: {}", titles.join("; "))) {
                @for gap in gaps {
                    rect.gap x=(gap.from_ms) y="0" width=(gap.to_ms - gap.from_ms) height="10" {}
                }
                @for bar in bars {
                    rect x=(bar.from_ms) y="1.5" width=(width(bar, total_ms)) height="7" class=(bar.class) {
                        title { (bar.title) }
                    }
                }
            }
        }
    }
}

/// Returns the width of a bar: at least a 300th of the axis, so that an instant is visible.
fn width(bar: &Bar, total_ms: u64) -> u64 {
    bar.to_ms.saturating_sub(bar.from_ms).max(total_ms / 300).max(1)
}

/// Returns all groups in the order of their first cases, with cases first, then faults, pods and clients.
fn groups(run: &ReportedRun, events: &[Event]) -> Vec<(String, Group)> {
    let mut names: Vec<&str> = Vec::new();
    for case in &run.cases {
        if !names.contains(&case.group()) {
            names.push(case.group());
        }
    }
    let mut pods = pod_lanes(run, events);
    let mut operations = clients::lanes(run, events);
    let mut gaps = clients::gaps(events);
    let group = |name: &str| {
        let cases = run.cases.iter().filter(|case| case.group() == name);
        let mut lanes: Vec<_> =
            cases.filter_map(|case| Some((case.short().to_owned(), vec![bar(case, run)?]))).collect();
        let faults = faults(name, events);
        lanes.extend((!faults.is_empty()).then(|| ("faults".to_owned(), faults)));
        let example = example(name, events);
        lanes.extend((!example.is_empty()).then(|| ("example of the loss".to_owned(), example)));
        lanes.extend(pods.remove(name).unwrap_or_default());
        lanes.extend(operations.remove(name).unwrap_or_default());
        (name.to_owned(), Group { lanes, gaps: gaps.remove(name).unwrap_or_default() })
    };
    names.into_iter().map(group).collect()
}

fn bar(case: &ReportedCase, run: &ReportedRun) -> Option<Bar> {
    let from_ms = case.start_ms?;
    let to_ms = case.end.map_or(run.took_ms, |(end_ms, _)| end_ms);
    let title = format!("{} {}", case.name, seconds(to_ms.saturating_sub(from_ms)));
    Some(Bar { from_ms, to_ms, class: class(case), title })
}

/// Returns the bars of faults: one that lasts ends when it is healed.
fn faults(group: &str, events: &[Event]) -> Vec<Bar> {
    let fault = |(at, event): (usize, &Event)| match &event.what {
        What::Fault { what, case, apart } if run::group(case) == group => {
            let from_ms = event.at_ms;
            let healed_ms = healed_ms(&events[at..], case, what);
            let until = healed_ms.map(|to_ms| format!(" to {}", seconds(to_ms))).unwrap_or_default();
            let apart: Vec<_> = apart.iter().map(String::as_str).collect();
            let apart = if apart.is_empty() { String::new() } else { format!(", apart: {}", apart.join(", ")) };
            let title = format!("{}{until} {what}{apart}", seconds(from_ms));
            Some(Bar { from_ms, to_ms: healed_ms.unwrap_or(from_ms), class: "red", title })
        }
        _ => None,
    };
    events.iter().enumerate().filter_map(fault).collect()
}

/// Returns when a case's fault was healed, if it is one that lasts.
fn healed_ms(later: &[Event], of_case: &str, fault: &str) -> Option<u64> {
    let healed =
        |event: &&Event| matches!(&event.what, What::FaultHealed { case, what } if case == of_case && what == fault);
    later.iter().find(healed).map(|event| event.at_ms)
}

/// Returns the steps of the smallest example of a loss.
fn example(group: &str, events: &[Event]) -> Vec<Bar> {
    let step = |event: &Event| match &event.what {
        What::Example { what, case, happened_ms } if run::group(case) == group => {
            let title = format!("{} {what}", seconds(*happened_ms));
            Some(Bar { from_ms: *happened_ms, to_ms: *happened_ms, class: "red", title })
        }
        _ => None,
    };
    events.iter().filter_map(step).collect()
}

/// Returns the lanes of pods, coloured by state. A state lasts until the next one.
fn pod_lanes(run: &ReportedRun, events: &[Event]) -> BTreeMap<String, BTreeMap<String, Vec<Bar>>> {
    let mut lanes: BTreeMap<String, BTreeMap<String, Vec<Bar>>> = BTreeMap::new();
    for event in events {
        let What::Object { namespace, object, state } = &event.what else { continue };
        let Some(pod) = object.strip_prefix("Pod/") else { continue };
        let lane = lanes.entry(run.group_of(namespace)).or_default().entry(pod.to_owned()).or_default();
        let open = lane.last_mut().filter(|last| last.to_ms == run.took_ms);
        let class = pod_class(state);
        match (&open, class) {
            // The same state again is not a change, and the message of an event is not a state.
            (Some(last), Some(class)) if last.class == class && last.title.ends_with(&format!(": {state}")) => continue,
            (_, None) if state != "deleted" => continue,
            _ => {}
        }
        if let Some(last) = open {
            last.to_ms = event.at_ms;
        }
        // A deleted pod has no state.
        if let Some(class) = class {
            let title = format!("{pod} from {}: {state}", seconds(event.at_ms));
            lane.push(Bar { from_ms: event.at_ms, to_ms: run.took_ms, class, title });
        }
    }
    lanes
}

/// Returns the colour for a pod's status line (`kubernetes::objects::pod_line`); none for other texts.
fn pod_class(state: &str) -> Option<&'static str> {
    let phase = state.split(", ").next().unwrap_or_default();
    let trouble = ["BackOff", "Err", "exit code", "InvalidImageName"].iter().any(|sign| state.contains(sign));
    match phase {
        "Failed" => Some("red"),
        "Succeeded" => Some("green"),
        "Running" if state.starts_with("Running, ready") && !state.contains("terminating") => Some("green"),
        "Pending" | "Running" | "Unknown" => Some(if trouble { "red" } else { "amber" }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_colour_depends_on_its_status_line() {
        for (state, class) in [
            ("Running, ready", Some("green")),
            ("Running, ready, caesium: restarts=1", Some("green")),
            ("Running, ready, terminating", Some("amber")),
            ("Pending", Some("amber")),
            ("Pending, caesium: ImagePullBackOff", Some("red")),
            ("Running, caesium: Error exit code 1", Some("red")),
            ("deleted", None),
            ("Unhealthy x3: Readiness probe failed", None),
        ] {
            assert_eq!(pod_class(state), class, "{state}");
        }
    }
}
