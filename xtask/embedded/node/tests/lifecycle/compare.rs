//! Compares the recorded and the replayed tracks.

use std::fmt::Write;

use crate::known::Known;
use crate::normal::{Track, plain};

/// The states of objects in the order in which they were seen; objects in the order of their first state.
#[derive(Default, Clone)]
pub struct Tracks(Vec<(Track, Vec<String>)>);

impl Tracks {
    /// Adds a state, unless it equals the previous one.
    pub fn push(&mut self, track: Track, state: String) {
        match self.0.iter_mut().find(|(other, _)| *other == track) {
            Some((_, states)) if states.last() == Some(&state) => {}
            Some((_, states)) => states.push(state),
            None => self.0.push((track, vec![state])),
        }
    }

    /// Returns whether all events and the last state of each object have been seen, except for those known to
    /// be missing.
    pub fn reaches(&self, scenario: &str, expected: &Self) -> bool {
        let named = self.named();
        expected.named().iter().all(|(name, states)| {
            let seen = named.iter().find(|(other, _)| other == name).map(|(_, states)| states);
            let mut wanted = states.iter().filter(|state| !Known::has(scenario, name, '-', state));
            // A recreated object goes through the same states twice.
            let count = |states: &[String], state: &String| states.iter().filter(|other| *other == state).count();
            let is_seen = |state: &String| seen.is_some_and(|seen| count(seen, state) >= count(states, state));
            if name.starts_with("events") { wanted.all(is_seen) } else { wanted.next_back().is_none_or(is_seen) }
        })
    }

    /// Returns the tracks under names that are the same in every run: generated ones are numbered.
    fn named(&self) -> Vec<(String, &[String])> {
        let mut named: Vec<(String, &[String])> = Vec::new();
        for ((kind, object), states) in &self.0 {
            let name = format!("{kind} {}", plain(object));
            let again = named.iter().filter(|(other, _)| other.split('#').next() == Some(&name)).count();
            let name = if again == 0 { name } else { format!("{name}#{}", again + 1) };
            named.push((name, states));
        }
        named
    }
}

/// Returns the unknown differences; empty if the replay matches the recording.
pub fn differences(scenario: &str, recorded: &Tracks, replayed: &Tracks) -> String {
    let (wanted, seen) = (recorded.named(), replayed.named());
    let mut report = String::new();
    for (name, states) in &wanted {
        let got = seen.iter().find(|(other, _)| other == name).map_or(&[][..], |(_, states)| states);
        report_track(scenario, name, &diff(states, got, false), &mut report);
    }
    for (name, states) in seen.iter().filter(|(name, _)| !wanted.iter().any(|(other, _)| other == name)) {
        report_track(scenario, name, &diff(&[], states, true), &mut report);
    }
    report
}

fn report_track(scenario: &str, name: &str, diff: &[(char, &String)], report: &mut String) {
    let unknown = |(sign, state): &&(char, &String)| *sign != ' ' && !Known::has(scenario, name, *sign, state);
    if diff.iter().any(|line| unknown(&line)) {
        let _ = writeln!(report, "\n{scenario}: {name}");
        for line in diff {
            let mark = if unknown(&line) {
                line.0
            } else if line.0 == ' ' {
                ' '
            } else {
                '~'
            };
            let _ = writeln!(report, "  {mark} {}", line.1);
        }
    }
}

/// Returns the lines of both; those that only one has are marked `-` or `+`. Replayed lines after the last recorded
/// state are not a difference: recordings end at some point.
fn diff<'a>(recorded: &'a [String], replayed: &'a [String], to_the_end: bool) -> Vec<(char, &'a String)> {
    let mut lengths = vec![vec![0_usize; replayed.len() + 1]; recorded.len() + 1];
    for i in (0..recorded.len()).rev() {
        for j in (0..replayed.len()).rev() {
            lengths[i][j] = if recorded[i] == replayed[j] {
                lengths[i + 1][j + 1] + 1
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < recorded.len() || (j < replayed.len() && to_the_end) {
        if i < recorded.len() && j < replayed.len() && recorded[i] == replayed[j] {
            lines.push((' ', &recorded[i]));
            (i, j) = (i + 1, j + 1);
        } else if j < replayed.len() && (i == recorded.len() || lengths[i][j + 1] >= lengths[i + 1][j]) {
            lines.push(('+', &replayed[j]));
            j += 1;
        } else {
            lines.push(('-', &recorded[i]));
            i += 1;
        }
    }
    lines
}
