//! The valid values of numbers and releases on the command line.

use clap::builder::{PossibleValuesParser, RangedU64ValueParser};
use tools::pins;

/// The replicas of a topology, as in the suite file.
pub fn replicas() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=100)
}

/// Seconds, up to a day, as in the suite file.
pub fn seconds() -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(1..=86_400)
}

/// The releases of Kubernetes that have a pinned node image.
pub fn kubernetes() -> PossibleValuesParser {
    PossibleValuesParser::new(pins::releases())
}

/// A seed.
pub fn seed() -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(0..=u64::from(u32::MAX))
}

/// A number of parallel or repeated actions.
pub fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=1000)
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;
    use clap::{Arg, Command, Subcommand as _};

    /// Whether a flag accepts a value, even if the command line lacks something else.
    fn takes(way: &[String], flag: &str, value: &str) -> bool {
        let program = crate::cmd::Command::augment_subcommands(Command::default());
        let words = [&["xtask".to_owned()], way, &[format!("--{flag}={value}")]].concat();
        let refused = |error: clap::Error| error.kind() == ErrorKind::ValueValidation;
        !program.try_get_matches_from(words).is_err_and(refused)
    }

    /// Every flag that takes a number, with its subcommand.
    fn numbers(command: &Command, way: &[String], found: &mut Vec<(Vec<String>, String)>) {
        let flags = command.get_arguments().filter(|arg| arg.get_action().takes_values()).filter_map(Arg::get_long);
        found.extend(
            flags
                .filter(|flag| takes(way, flag, "3") && !takes(way, flag, "x"))
                .map(|flag| (way.to_vec(), flag.to_owned())),
        );
        for sub in command.get_subcommands() {
            numbers(sub, &[way, &[sub.get_name().to_owned()]].concat(), found);
        }
    }

    #[test]
    fn every_number_of_the_command_line_has_a_range() {
        let mut found = Vec::new();
        numbers(&crate::cmd::Command::augment_subcommands(Command::default()), &[], &mut found);
        let names: Vec<_> = found.iter().map(|(way, flag)| format!("{} --{flag}", way.join(" "))).collect();
        for known in ["e2e --jobs", "e2e --timeout", "e2e --replicas", "helm-test --timeout", "bench soak --runs"] {
            assert!(names.iter().any(|one| one == known), "{known} is missing in {names:?}");
        }
        // A seed may be any number of its range.
        assert!(!takes(&["e2e".to_owned()], "seed", "4294967296"));
        for (way, flag) in found.iter().filter(|(_, flag)| *flag != "seed") {
            for value in ["0", "-1", "1.5", "86401", "18446744073709551615", "18446744073709551616"] {
                assert!(!takes(way, flag, value), "{} --{flag}={value} is accepted", way.join(" "));
            }
        }
    }
}
