//! Client operations, folded into sections, and the periods in which no client got through.

use std::collections::BTreeMap;

use history::Outcome;

use super::super::run::{self, ReportedRun};
use super::bar::Bar;
use events::{Event, What};

/// The shortest pause between acknowledged operations that is shaded, if a client sent requests meanwhile.
const GAP_MS_MIN: u64 = 1000;

/// A period in which no client of a case got through.
pub struct Gap {
    /// The case.
    pub case: String,
    /// When the last operation before it was acknowledged.
    pub from_ms: u64,
    /// When the first operation after it was acknowledged.
    pub to_ms: u64,
}

/// One operation.
struct Operation<'a> {
    client: &'a str,
    outcome: Outcome,
    start_ms: u64,
    end_ms: u64,
}

/// Returns a lane per client of each group. Similar consecutive operations form one bar: a run has tens of thousands.
pub fn lanes(run: &ReportedRun, events: &[Event]) -> BTreeMap<String, BTreeMap<String, Vec<Bar>>> {
    let apart_ms = run.took_ms / 300;
    let mut lanes: BTreeMap<String, BTreeMap<String, Vec<Bar>>> = BTreeMap::new();
    for (case, operations) in by_case(events) {
        let group = lanes.entry(run::group(case).to_owned()).or_default();
        let mut by_client: BTreeMap<String, Vec<&Operation>> = BTreeMap::new();
        for operation in &operations {
            by_client.entry(short(run, operation.client)).or_default().push(operation);
        }
        for (client, operations) in by_client {
            let stretches = operations.chunk_by(|a, b| a.outcome == b.outcome && b.start_ms <= a.end_ms + apart_ms);
            group.entry(client).or_default().extend(stretches.map(|stretch| bar(case, stretch)));
        }
    }
    lanes
}

fn bar(case: &str, operations: &[&Operation]) -> Bar {
    let (class, word) = match operations.first().map(|operation| operation.outcome) {
        Some(Outcome::Ok) => ("green", "ok"),
        Some(Outcome::Failed) => ("red", "failed"),
        _ => ("amber", "unknown"),
    };
    let slowest = operations.iter().map(|operation| operation.end_ms - operation.start_ms).max().unwrap_or(0);
    let title = format!("{case}: {} operations {word}, the slowest in {slowest} ms", operations.len());
    Bar {
        from_ms: operations.iter().map(|operation| operation.start_ms).min().unwrap_or(0),
        to_ms: operations.iter().map(|operation| operation.end_ms).max().unwrap_or(0),
        class,
        title,
    }
}

/// Returns a client's name without the prefix that makes it unique in the run: part of the run's id, and two numbers.
fn short(run: &ReportedRun, client: &str) -> String {
    let mut parts = client.splitn(4, '-');
    let is_own = parts.next().is_some_and(|id| !id.is_empty() && run.run_id.starts_with(id));
    let is_number = |part: Option<&str>| part.is_some_and(|part| part.parse::<usize>().is_ok());
    let has_prefix = is_own && is_number(parts.next()) && is_number(parts.next());
    let name = if has_prefix { parts.next().unwrap_or("of the case") } else { client };
    format!("client {name}")
}

/// Returns the periods in which operations were requested and none was acknowledged, by group.
pub fn gaps(events: &[Event]) -> BTreeMap<String, Vec<Gap>> {
    let mut gaps: BTreeMap<String, Vec<Gap>> = BTreeMap::new();
    for (case, mut operations) in by_case(events) {
        operations.sort_by_key(|operation| operation.end_ms);
        let first_ms = operations.iter().map(|operation| operation.start_ms).min();
        let last_ms = operations.iter().map(|operation| operation.end_ms).max();
        let acknowledged = operations.iter().filter(|operation| operation.outcome == Outcome::Ok).map(|o| o.end_ms);
        let marks: Vec<u64> = first_ms.into_iter().chain(acknowledged).chain(last_ms).collect();
        for pair in marks.windows(2) {
            let (from_ms, to_ms) = (pair[0], pair[1]);
            // It is only a gap if a client tried: without success, or for that long.
            let tried = |o: &Operation| {
                let failed = o.outcome != Outcome::Ok && o.end_ms > from_ms && o.start_ms < to_ms;
                failed || (o.end_ms == to_ms && o.start_ms <= from_ms + GAP_MS_MIN / 2)
            };
            if to_ms.saturating_sub(from_ms) >= GAP_MS_MIN && operations.iter().any(tried) {
                gaps.entry(run::group(case).to_owned()).or_default().push(Gap {
                    case: case.to_owned(),
                    from_ms,
                    to_ms,
                });
            }
        }
    }
    gaps
}

fn by_case(events: &[Event]) -> BTreeMap<&str, Vec<Operation<'_>>> {
    let mut cases: BTreeMap<&str, Vec<Operation>> = BTreeMap::new();
    for event in events {
        let What::Operation { case, client, outcome, took_ms, .. } = &event.what else { continue };
        let (start_ms, end_ms) = (event.at_ms.saturating_sub(*took_ms), event.at_ms);
        cases.entry(case).or_default().push(Operation { client, outcome: *outcome, start_ms, end_ms });
    }
    cases
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn operation(at_ms: u64, took_ms: u64, outcome: Outcome) -> Event {
        let what = What::Operation {
            case: "c::r3::pod_kill".to_owned(),
            client: "a-0".to_owned(),
            operation: history::OperationKind::Write,
            outcome,
            took_ms,
        };
        Event::new(Duration::from_millis(at_ms), what)
    }

    #[test]
    fn a_client_is_shown_without_the_prefix_of_its_records() {
        let run = ReportedRun { run_id: "e2897974", ..ReportedRun::default() };
        assert_eq!(short(&run, "e289-0-12-caesium-0-kept"), "client caesium-0-kept");
        assert_eq!(short(&run, "e289-0-12"), "client of the case");
        assert_eq!(short(&run, "caesium-0-kept"), "client caesium-0-kept");
    }

    fn found(events: &[Event]) -> Vec<(u64, u64)> {
        gaps(events).into_values().flatten().map(|gap| (gap.from_ms, gap.to_ms)).collect()
    }

    #[test]
    fn a_pause_is_a_gap_only_if_a_client_sent_requests() {
        let quiet = [operation(100, 10, Outcome::Ok), operation(5000, 10, Outcome::Ok)];
        assert_eq!(found(&quiet), []);
        let refused =
            [operation(100, 10, Outcome::Ok), operation(200, 10, Outcome::Failed), operation(5000, 10, Outcome::Ok)];
        assert_eq!(found(&refused), [(100, 5000)]);
        let hanging = [operation(100, 10, Outcome::Ok), operation(3000, 2900, Outcome::Ok)];
        assert_eq!(found(&hanging), [(100, 3000)]);
        let never_again = [operation(100, 10, Outcome::Ok), operation(4000, 2000, Outcome::Unknown)];
        assert_eq!(found(&never_again), [(100, 4000)]);
        let brief =
            [operation(100, 10, Outcome::Ok), operation(400, 200, Outcome::Failed), operation(900, 10, Outcome::Ok)];
        assert_eq!(found(&brief), []);
    }

    #[test]
    fn similar_operations_are_one_bar_and_a_failure_is_separate() {
        let mut events: Vec<_> = (1..=100).map(|n| operation(n * 10, 8, Outcome::Ok)).collect();
        events.push(operation(1010, 8, Outcome::Failed));
        events.push(operation(300_000, 8, Outcome::Ok));
        let run = ReportedRun::of(&events);
        let lanes = lanes(&run, &events);
        let bars: Vec<_> = lanes.into_values().flat_map(BTreeMap::into_values).flatten().collect();
        assert_eq!(bars.iter().map(|bar| bar.class).collect::<Vec<_>>(), ["green", "red", "green"]);
        assert_eq!((bars[0].from_ms, bars[0].to_ms), (2, 1000));
        assert!(bars[0].title.contains("100 operations ok"), "{}", bars[0].title);
    }
}
