//! The stored outcomes as libtest reports them: libtest-mimic gets trials that only repeat what came.

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::outcome::{Outcome, Shown};
use crate::plan::Plan;

/// Prints the report to stdout. The drive is over: only what ran is shown, the rest counts as filtered out.
pub fn print(flags: &Arguments, plan: &Plan, outcomes: &[Outcome]) {
    let ran = |name: &str| outcomes.iter().any(|outcome| outcome.case == name);
    let left_out = plan.cases.iter().filter(|case| !ran(&case.name)).map(|case| case.name.clone());
    let arguments = Arguments {
        filter: None,
        exact: true,
        skip: left_out.collect(),
        // A report that is as good as instant gains nothing from threads, and reads better in order.
        test_threads: flags.test_threads.or(Some(1)),
        ..flags.clone()
    };
    let trials = plan.cases.iter().map(|case| trial(&case.name, outcomes));
    let _ = libtest_mimic::run(&arguments, trials.collect());
}

/// Lists the selected cases as libtest does.
pub fn list(flags: &Arguments, plan: &Plan) {
    let wanted = plan.wanted.iter().map(|index| Trial::test(plan.cases[*index].name.clone(), || Ok(())));
    let arguments = Arguments { list: true, filter: None, skip: Vec::new(), ..flags.clone() };
    let _ = libtest_mimic::run(&arguments, wanted.collect());
}

fn trial(name: &str, outcomes: &[Outcome]) -> Trial {
    let outcome = outcomes.iter().find(|outcome| outcome.case == name);
    let shown = outcome.map_or(Shown::Failed("it has no outcome".to_owned()), |outcome| outcome.shown(outcomes));
    Trial::ignorable_test(name, move || match shown {
        Shown::Passed => Ok(Completion::Completed),
        Shown::Ignored(reason) => Ok(Completion::ignored_with(reason)),
        Shown::Failed(message) => Err(Failed::from(message)),
    })
}

#[cfg(test)]
#[path = "libtest_tests.rs"]
mod tests;
