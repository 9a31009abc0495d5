//! Reports in the tools that show them: the HTML report in a real headless browser, the last run in the real nextest.
//! If a tool is missing, its cases are reported as ignored, with the reason.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't continue fails")]
#![expect(dead_code, reason = "the scene is shared with tests/e2e, which uses all of it")]

mod browser;
#[path = "../command.rs"]
mod command;
mod nextest;
#[path = "../e2e/scene.rs"]
mod scene;

use browser::Browser;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use scene::{Ended, Scene};

/// The widths of a phone and a laptop.
const WIDTHS: [u32; 2] = [390, 1400];

fn main() -> std::process::ExitCode {
    let trials = vec![
        in_browser("a_passed_run_shows_every_lane", a_passed_run_shows_every_lane),
        in_browser(
            "a_failed_run_shows_its_first_cause_and_its_evidence",
            a_failed_run_shows_its_first_cause_and_its_evidence,
        ),
        trial("nextest::repeats_what_was_proved_and_nothing_else", nextest::missing(), nextest::repeats),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn in_browser(name: &str, test: fn(&Browser)) -> Trial {
    let browser = Browser::find();
    let missing = browser.is_none().then_some("no chromium, chromium-browser or google-chrome on PATH");
    trial(name, missing, move || test(&browser.expect("it is not missing")))
}

/// Returns a test, and what is missing here to run it.
fn trial(name: &str, missing: Option<&'static str>, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || match missing {
        // As in any other test, only a panic is a failure.
        None => match std::panic::catch_unwind(std::panic::AssertUnwindSafe(test)) {
            Ok(()) => Ok(Completion::Completed),
            Err(_) => Err(Failed::without_message()),
        },
        Some(why) => Ok(Completion::ignored_with(why)),
    })
}

fn ran(flags: &[&str], code: i32) -> (Scene, Ended) {
    let scene = Scene::new();
    let ended = scene.run(&scene.embedded(flags));
    assert_eq!(ended.code, code, "{}", ended.told());
    (scene, ended)
}

/// Loads the report at each width, fully unfolded; checks that nothing scrolls sideways. Returns its text.
fn text(browser: &Browser, scene: &Scene) -> String {
    let pages = WIDTHS.map(|width| {
        let page = browser.open(&scene.report().join("report.html"), width);
        assert_eq!(page.width, width, "the page is laid out for this width");
        assert!(page.scroll_width <= width, "at {width} pixels it scrolls to {}", page.scroll_width);
        assert!(page.height > 1000, "something is laid out: {} pixels", page.height);
        page.text
    });
    let [phone, laptop] = pages;
    assert_eq!(phone, laptop, "a phone shows everything that a laptop does");
    laptop
}

fn shows(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not shown in:\n{text}");
    }
}

fn a_passed_run_shows_every_lane(browser: &Browser) {
    let (scene, _) = ran(&["r1::pod_kill"], 0);
    let text = text(browser, &scene);
    assert!(!text.contains("First failure"), "{text}");
    shows(&text, &[" passed, 0 failed", "caesium::r1\n", "pod_kill", "faults", "caesium-0", "client caesium-0-new-0"]);
    shows(&text, &["caesium-0/caesium", "delete Pod/caesium-0", "logs of caesium-r1"]);
}

fn a_failed_run_shows_its_first_cause_and_its_evidence(browser: &Browser) {
    let fault = ["--set", "config.extraEnv[0].name=STANDIN_FAULT", "--set", "config.extraEnv[0].value=crash-loop"];
    let (scene, _) = ran(&[&["r1::health"], fault.as_slice()].concat(), 101);
    let text = text(browser, &scene);
    shows(&text, &["1 failed", "First failure", "caesium::r1::ready", "container caesium ended 3 times"]);
    shows(
        &text,
        &[
            "evidence: caesium-r1/failed/ready",
            "not run: caesium::r1::ready",
            "state at the failure of caesium-r1::ready",
        ],
    );
    assert!(scene.report().join("caesium-r1/failed/ready/describe.txt").exists(), "the linked file exists");
}
