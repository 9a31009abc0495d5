//! The stored outcomes as libtest reports them: libtest-mimic gets trials that only repeat what came.

use std::io::IsTerminal;

use libtest_mimic::{Arguments, ColorSetting, Completion, Failed, Trial};

use crate::console;
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
    render(arguments, trials.collect());
}

/// Lists the selected cases as libtest does.
pub fn list(flags: &Arguments, plan: &Plan) {
    let wanted = plan.wanted.iter().map(|index| Trial::test(plan.cases[*index].name.clone(), || Ok(())));
    let arguments = Arguments { list: true, filter: None, skip: Vec::new(), ..flags.clone() };
    render(arguments, wanted.collect());
}

/// Has libtest-mimic write to a file what is printed then: on a stdout that nobody reads any more, it would panic.
fn render(mut arguments: Arguments, trials: Vec<Trial>) {
    if arguments.logfile.is_some() {
        let _ = libtest_mimic::run(&arguments, trials);
        return;
    }
    let rendered = tempfile::NamedTempFile::new().and_then(|file| {
        arguments.logfile = Some(file.path().display().to_string());
        arguments.color = arguments.color.filter(|color| *color != ColorSetting::Auto).or(Some(color_of_stdout()));
        let _ = libtest_mimic::run(&arguments, trials);
        std::fs::read_to_string(file.path())
    });
    match rendered {
        Ok(text) => console::out_text(&text),
        Err(error) => console::err(format_args!("libtest's report can't be printed: {error}")),
    }
}

/// Colours for a terminal whose user wants them.
fn color_of_stdout() -> ColorSetting {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if std::io::stdout().is_terminal() && !plain && !dumb { ColorSetting::Always } else { ColorSetting::Never }
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
