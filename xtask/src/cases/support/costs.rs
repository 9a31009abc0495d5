//! What faults cost, for the line of a case.

use history::availability::{self, Availability};

/// Formats what was acknowledged on each side while a fault lasted.
fn sides(availability: &Availability) -> Option<String> {
    let sides = availability.sides?;
    let (apart, others) = (sides.apart.acknowledged, sides.others.acknowledged);
    Some(format!("while it lasted, {apart} acknowledged through the replicas apart and {others} through the others"))
}

/// Formats the worst costs of all faults, such as `longest gap 1200 ms (new), 900 ms
/// (reused); errors 7 (new), 5 (reused); new leader after 900 ms`.
pub fn note(each: &[Availability]) -> String {
    let availability = availability::worst(each);
    let mut parts: Vec<_> = each.iter().filter_map(sides).collect();
    let gaps = availability.by_connection.iter();
    let gaps: Vec<_> = gaps.map(|(over, figures)| format!("{} ms ({over})", figures.longest_gap_ms)).collect();
    parts.push(format!("longest gap {}", gaps.join(", ")));
    let errors = availability.by_connection.iter();
    let errors: Vec<_> = errors.map(|(over, figures)| format!("{} ({over})", figures.errors)).collect();
    parts.push(format!("errors {}", errors.join(", ")));
    parts.extend(availability.new_leader_ms.map(|ms| format!("new leader after {ms} ms")));
    parts.extend(availability.recovered_ms.map(|ms| format!("recovered after {ms} ms")));
    parts.join("; ")
}
