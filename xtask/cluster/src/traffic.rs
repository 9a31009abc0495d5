//! Traffic that is lost or late, as changes.

use embedded::changes::NodeChange;
pub use embedded::traffic::{Direction, DisturbedTraffic, Effect, Others};

use super::lease::Change;

/// Both directions.
pub const BOTH: [Direction; 2] = [Direction::Sends, Direction::Receives];

/// Returns the change that loses or delays traffic of a pod on this node.
pub fn disturb(node: &str, traffic: DisturbedTraffic) -> Change {
    Change::OnNode { node: node.to_owned(), change: NodeChange::Traffic(traffic) }
}

/// Returns the change that cuts a node off from the others.
pub fn cut_off(node: &str) -> Change {
    Change::OnNode { node: node.to_owned(), change: NodeChange::CutOff }
}
