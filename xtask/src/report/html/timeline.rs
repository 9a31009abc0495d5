//! The timeline: a lane per group of cases, per pod, for the faults and per client, on one axis.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::run::{Case, Run};
use super::{class, seconds};
use crate::events::{Event, What};

/// A coloured stretch of a lane, in milliseconds of the run.
struct Bar {
    from_ms: u64,
    to_ms: u64,
    class: &'static str,
    title: String,
}

/// Renders all lanes.
pub fn render(run: &Run, events: &[Event]) -> Markup {
    let total_ms = run.took_ms.max(1);
    html! {
        section #timeline {
            h2 { "Timeline" }
            (axis(total_ms))
            @for (name, bars) in case_lanes(run) { (lane(&name, &bars, total_ms)) }
            (lane("faults", &faults(events), total_ms))
            @for (name, bars) in pod_lanes(events, total_ms) { (lane(&name, &bars, total_ms)) }
            @for (name, bars) in client_lanes(events) { (lane(&name, &bars, total_ms)) }
            p.legend {
                span.green { "passed, ready, acknowledged" } " " span.red { "failed" } " "
                span.amber { "waiting, unknown" } " " span.grey { "gone, not run" }
            }
        }
    }
}

fn axis(total_ms: u64) -> Markup {
    html! {
        div.axis aria-hidden="true" { span { "0 s" } span { (seconds(total_ms / 2)) } span { (seconds(total_ms)) } }
    }
}

/// One lane: a label, and bars that stretch with the page's width.
fn lane(name: &str, bars: &[Bar], total_ms: u64) -> Markup {
    html! {
        @if !bars.is_empty() {
            div.lane {
                div.label { (name) }
                svg viewBox=(format!("0 0 {total_ms} 10")) preserveAspectRatio="none" role="img"
                    aria-label=(format!("{name}: {}", bars.iter().map(|b| b.title.as_str()).take(12).collect::<Vec<_>>().join("; "))) {
                    @for bar in bars {
                        rect x=(bar.from_ms) y="0" width=(width(bar, total_ms)) height="10" class=(bar.class) {
                            title { (bar.title) }
                        }
                    }
                }
            }
        }
    }
}

/// No narrower than a 150th of the axis, so that an instant can be seen.
fn width(bar: &Bar, total_ms: u64) -> u64 {
    bar.to_ms.saturating_sub(bar.from_ms).max(total_ms / 150).max(1)
}

fn case_lanes<'a>(run: &'a Run) -> BTreeMap<String, Vec<Bar>> {
    let mut lanes: BTreeMap<String, Vec<Bar>> = BTreeMap::new();
    let begun = run.cases.iter().filter_map(|case: &'a Case| Some((case, case.start_ms?)));
    for (case, from_ms) in begun {
        let to_ms = case.end.map_or(run.took_ms, |(end_ms, _)| end_ms);
        let took = seconds(to_ms.saturating_sub(from_ms));
        let bar = Bar { from_ms, to_ms, class: class(case), title: format!("{} {took}", case.name) };
        lanes.entry(case.lane().to_owned()).or_default().push(bar);
    }
    lanes
}

fn faults(events: &[Event]) -> Vec<Bar> {
    let fault = |event: &Event| match &event.what {
        What::Fault { what, .. } => {
            Some(Bar { from_ms: event.at_ms, to_ms: event.at_ms, class: "red", title: what.clone() })
        }
        _ => None,
    };
    events.iter().filter_map(fault).collect()
}

/// A pod's lane changes colour with its state; a state lasts until the next.
fn pod_lanes(events: &[Event], total_ms: u64) -> BTreeMap<String, Vec<Bar>> {
    let mut lanes: BTreeMap<String, Vec<Bar>> = BTreeMap::new();
    for event in events {
        let What::Object { namespace, object, state } = &event.what else { continue };
        let Some(pod) = object.strip_prefix("Pod/") else { continue };
        let lane = lanes.entry(format!("{namespace}/{pod}")).or_default();
        if let Some(last) = lane.last_mut() {
            last.to_ms = event.at_ms;
        }
        let title = format!("{pod} from {}: {state}", seconds(event.at_ms));
        lane.push(Bar { from_ms: event.at_ms, to_ms: total_ms, class: pod_class(state), title });
    }
    lanes
}

fn pod_class(state: &str) -> &'static str {
    if state.contains("ready=true") || state.contains("Succeeded") {
        "green"
    } else if state.contains("deleted") {
        "grey"
    } else if state.contains("Failed") || state.contains("BackOff") || state.contains("Err") {
        "red"
    } else {
        "amber"
    }
}

/// A client's lane: one mark per operation, red where it failed.
fn client_lanes(events: &[Event]) -> BTreeMap<String, Vec<Bar>> {
    let mut lanes: BTreeMap<String, Vec<Bar>> = BTreeMap::new();
    for event in events {
        let What::Operation { case, client, operation, outcome, took_ms } = &event.what else { continue };
        let class = match outcome.as_str() {
            "ok" => "green",
            "failed" => "red",
            _ => "amber",
        };
        let title = format!("{operation} {outcome} in {took_ms} ms");
        let bar = Bar { from_ms: event.at_ms.saturating_sub(*took_ms), to_ms: event.at_ms, class, title };
        lanes.entry(format!("{case} {client}")).or_default().push(bar);
    }
    lanes
}
