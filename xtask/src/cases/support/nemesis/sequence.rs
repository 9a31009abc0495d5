//! The faults of a nemesis, as a suite may write them, or drawn from a seed.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::Deserialize;

/// How long a fault lasts: the shorter ones end before an election, the longer ones well after it.
const LASTS_MS: RangeInclusive<u64> = 1_000..=9_000;
/// The time from the beginning of a fault to that of the next: often shorter than the fault, so that they overlap.
const APART_MS: RangeInclusive<u64> = 2_000..=8_000;

/// One fault of a sequence: `{ at_ms = 2500, fault = "pause", on = 1, for_ms = 6000 }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When it begins, in milliseconds from the start of the sequence.
    pub at_ms: u64,
    /// What happens.
    pub fault: Kind,
    /// The replica that it happens to: its place in the list of their names, for a `StatefulSet` its ordinal. By default
    /// the one that leads when the fault begins.
    pub on: Option<u32>,
    /// How long it lasts, in milliseconds; kills end by themselves.
    #[serde(default)]
    pub for_ms: u64,
}

/// What happens to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Its pod is deleted without a grace period.
    Kill,
    /// Its container's processes are stopped, and continued later.
    Pause,
    /// It is cut off from the other replicas.
    Partition,
    /// Nothing that it sends reaches the other replicas.
    Mute,
    /// Nothing that the other replicas send reaches it.
    Deaf,
    /// What it sends to the other replicas is late, and some of it is lost.
    Slow,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Kill, Self::Pause, Self::Partition, Self::Mute, Self::Deaf, Self::Slow];

    /// Returns the kinds that mean something for this number of replicas.
    pub fn of(replicas: u32) -> &'static [Self] {
        if replicas > 1 { &Self::ALL } else { &Self::ALL[..2] }
    }

    /// Returns its name in a suite file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Mute => "mute",
            Self::Deaf => "deaf",
            Self::Slow => "slow",
        }
    }
}

/// Draws the faults of a sequence: the same for the same arguments. The last one ends within `for_ms`.
pub fn draw(seed: u64, for_ms: u64, replicas: u32, kinds: &[Kind]) -> Vec<Step> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut steps, mut at_ms) = (Vec::new(), 0);
    while at_ms + LASTS_MS.start() <= for_ms {
        let Some(fault) = random.choice(kinds.iter().copied()) else { break };
        // Leaders make decisions, so half of the faults hit them.
        let on = random.bool().then(|| random.u32(..replicas.max(1)));
        let lasts_ms = random.u64(LASTS_MS).min(for_ms - at_ms);
        steps.push(Step { at_ms, fault, on, for_ms: if fault == Kind::Kill { 0 } else { lasts_ms } });
        at_ms += random.u64(APART_MS);
    }
    steps
}

/// Checks a sequence that a suite has written.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn check(steps: &[Step], limit_s: u64, replicas: u32) -> Result<(), String> {
    if !steps.is_sorted_by_key(|step| step.at_ms) {
        return Err("`steps` have to be in the order of their `at_ms`".to_owned());
    }
    for step in steps {
        let (name, ends_ms) = (step.fault.name(), step.at_ms.saturating_add(step.for_ms));
        if let Some(on) = step.on.filter(|on| *on >= replicas) {
            return Err(format!("`on = {on}`: the replicas are 0 to {}", replicas.saturating_sub(1)));
        }
        if (step.for_ms == 0) != (step.fault == Kind::Kill) {
            let fix = if step.for_ms == 0 {
                "say for how long, in `for_ms`"
            } else {
                "remove `for_ms`: kills end by themselves"
            };
            return Err(format!("`{name}` at {} ms: {fix}", step.at_ms));
        }
        if ends_ms >= limit_s.saturating_mul(1000) {
            let at_ms = step.at_ms;
            return Err(format!("`{name}` at {at_ms} ms does not end within the case's time limit of {limit_s} s"));
        }
    }
    Ok(())
}

/// Moves a sequence so that its first fault begins at once.
pub fn from_the_start(mut steps: Vec<Step>) -> Vec<Step> {
    let first_ms = steps.first().map_or(0, |step| step.at_ms);
    for step in &mut steps {
        step.at_ms -= first_ms;
    }
    steps
}

/// Writes a sequence as a case of a suite's topology.
pub fn as_case(steps: &[Step]) -> String {
    let lines = steps.iter().map(|step| {
        let on = step.on.map(|place| format!(", on = {place}")).unwrap_or_default();
        let lasts = if step.for_ms > 0 { format!(", for_ms = {}", step.for_ms) } else { String::new() };
        format!("  {{ at_ms = {}, fault = \"{}\"{on}{lasts} }},\n", step.at_ms, step.fault.name())
    });
    format!("{{ case = \"nemesis\", steps = [\n{}] }}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_faults_and_another_seed_others() {
        let drawn = |seed| draw(seed, 60_000, 3, &Kind::ALL);
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn all_faults_begin_in_order_and_end_in_time() {
        for seed in 0..200 {
            let steps = draw(seed, 60_000, 3, &Kind::ALL);
            assert!((8..=30).contains(&steps.len()), "seed {seed}: {} faults", steps.len());
            assert!(steps.is_sorted_by_key(|step| step.at_ms));
            assert!(steps.iter().all(|step| step.at_ms + step.for_ms <= 60_000 && step.on.is_none_or(|on| on < 3)));
        }
    }

    #[test]
    fn a_few_seeds_have_every_fault_on_the_leader_and_on_every_replica_and_some_overlap() {
        let steps: Vec<_> = (0..20).map(|seed| draw(seed, 60_000, 3, &Kind::ALL)).collect();
        let hit: HashSet<_> = steps.iter().flatten().map(|step| (step.fault, step.on)).collect();
        assert_eq!(hit.len(), Kind::ALL.len() * 4);
        let overlaps = |steps: &Vec<Step>| steps.windows(2).any(|two| two[0].at_ms + two[0].for_ms > two[1].at_ms);
        assert!(steps.iter().all(overlaps));
    }

    #[test]
    fn too_short_a_time_has_no_faults() {
        assert_eq!(draw(1, 999, 3, &Kind::ALL), []);
    }

    #[test]
    fn a_sequence_that_cannot_be_is_explained() {
        let step = |at_ms, fault, on, for_ms| Step { at_ms, fault, on, for_ms };
        let refused = |steps: &[Step]| check(steps, 60, 3).unwrap_err();
        check(&draw(5, 59_000, 3, &Kind::ALL), 60, 3).unwrap();
        let two = [step(2000, Kind::Kill, None, 0), step(0, Kind::Pause, Some(2), 1000)];
        assert_eq!(refused(&two), "`steps` have to be in the order of their `at_ms`");
        assert_eq!(refused(&[step(0, Kind::Kill, Some(3), 0)]), "`on = 3`: the replicas are 0 to 2");
        assert_eq!(refused(&[step(5, Kind::Pause, None, 0)]), "`pause` at 5 ms: say for how long, in `for_ms`");
        let kill = "`kill` at 0 ms: remove `for_ms`: kills end by themselves";
        assert_eq!(refused(&[step(0, Kind::Kill, None, 1)]), kill);
        let late = "`slow` at 59000 ms does not end within the case's time limit of 60 s";
        assert_eq!(refused(&[step(59_000, Kind::Slow, None, 1000)]), late);
    }

    #[test]
    fn a_part_of_a_sequence_begins_at_once() {
        let part = from_the_start(draw(5, 60_000, 3, &Kind::ALL)[3..].to_vec());
        assert_eq!(part[0].at_ms, 0);
        assert_eq!(from_the_start(Vec::new()), []);
    }

    #[test]
    fn a_sequence_is_printed_as_a_suite_has_it() {
        #[derive(Deserialize)]
        struct Case {
            steps: Vec<Step>,
        }
        let steps = draw(3, 60_000, 3, &Kind::ALL);
        let text = as_case(&steps);
        let read: toml::Table = toml::from_str(&format!("case = {text}")).unwrap();
        let read: Case = read["case"].clone().try_into().unwrap();
        assert_eq!(read.steps, steps, "{text}");
    }
}
