//! libtest's report of a run, by libtest-mimic: started with the run and printed at its end, so that it shows the run's
//! duration.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, PipeReader, Write, pipe};
use std::os::fd::AsRawFd as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context as _, ensure};
use libtest_mimic::{Arguments, ColorSetting, Completion, Failed, Trial};

use super::run::{CaseStatus, ReportedRun};
use events::CaseName;

/// The report of a current run: each trial waits for the verdict of its case.
pub struct Libtest {
    verdicts: BTreeMap<CaseName, Sender<CaseStatus>>,
    text: PipeReader,
    printer: JoinHandle<()>,
}

impl Libtest {
    /// Starts the report of `all` cases, of which those in `left_out` do not run. Nothing is printed yet: stdout may be the
    /// terminal that shows the run.
    ///
    /// # Errors
    /// If no pipe can be created.
    pub fn begin(flags: &Arguments, all: &[CaseName], left_out: Vec<CaseName>) -> anyhow::Result<Self> {
        let (text, into) = pipe().context("creating a pipe for libtest's report")?;
        let arguments = Arguments {
            filter: None,
            exact: true,
            skip: left_out,
            // All verdicts are known at the end: threads would only change the order.
            test_threads: flags.test_threads.or(Some(1)),
            logfile: Some(format!("/dev/fd/{}", into.as_raw_fd())),
            color: Some(color(flags.color)),
            ..flags.clone()
        };
        let mut verdicts = BTreeMap::new();
        let trials = all.iter().map(|case| {
            let (sender, receiver) = channel();
            verdicts.insert(case.clone(), sender);
            trial(case, receiver)
        });
        let trials = trials.collect();
        let printer = std::thread::spawn(move || {
            let _ = libtest_mimic::run(&arguments, trials);
            drop(into);
        });
        Ok(Self { verdicts, text, printer })
    }

    /// Prints the report of a completed run.
    ///
    /// # Errors
    /// If `out` can't be written.
    pub fn print(mut self, run: &ReportedRun, out: &mut impl Write) -> anyhow::Result<()> {
        for case in &run.cases {
            if let Some(verdict) = self.verdicts.get(case.name) {
                drop(verdict.send(case.shown.clone()));
            }
        }
        // Ends the trials of cases without a verdict.
        self.verdicts.clear();
        let printed = std::io::copy(&mut self.text, out).and_then(|_| out.flush());
        // The thread that writes the report must end even if the reader has gone.
        drop(std::io::copy(&mut self.text, &mut std::io::sink()));
        let ended = self.printer.join();
        printed.context("printing libtest's report")?;
        ensure!(ended.is_ok(), "libtest's report ended early");
        Ok(())
    }
}

/// Lists the selected cases as libtest does.
pub fn list(flags: &Arguments, wanted: &[CaseName]) {
    let wanted = wanted.iter().map(|case| Trial::test(case.clone(), || Ok(())));
    let arguments = Arguments { list: true, filter: None, skip: Vec::new(), ..flags.clone() };
    render(arguments, wanted.collect());
}

/// Makes libtest-mimic write to a file, which is then printed: with a closed stdout, it would panic.
fn render(mut arguments: Arguments, trials: Vec<Trial>) {
    if arguments.logfile.is_some() {
        let _ = libtest_mimic::run(&arguments, trials);
        return;
    }
    let rendered = tempfile::NamedTempFile::new().and_then(|file| {
        arguments.logfile = Some(file.path().display().to_string());
        arguments.color = Some(color(arguments.color));
        let _ = libtest_mimic::run(&arguments, trials);
        std::fs::read_to_string(file.path())
    });
    match rendered {
        Ok(text) => console::out_text(&text),
        Err(error) => console::err(format_args!("printing libtest's report: {error}")),
    }
}

/// Returns whether stdout is a terminal that should be coloured.
fn color_of_stdout() -> ColorSetting {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if std::io::stdout().is_terminal() && !plain && !dumb { ColorSetting::Always } else { ColorSetting::Never }
}

fn trial(name: &str, verdict: Receiver<CaseStatus>) -> Trial {
    Trial::ignorable_test(name, move || match verdict.recv() {
        Ok(CaseStatus::Passed) => Ok(Completion::Completed),
        Ok(CaseStatus::Skipped(why)) => Ok(Completion::ignored_with(why)),
        Ok(CaseStatus::Failed(message) | CaseStatus::CutShort(message)) => Err(Failed::from(message)),
        Err(_) => Err(Failed::from("no verdict")),
    })
}

/// Decides on colours here, because libtest-mimic only sees a pipe.
fn color(requested: Option<ColorSetting>) -> ColorSetting {
    requested.filter(|color| *color != ColorSetting::Auto).unwrap_or_else(color_of_stdout)
}

#[cfg(test)]
#[path = "libtest_tests.rs"]
mod tests;
