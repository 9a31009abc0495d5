//! The HTML report of a red and of a green run in a real headless browser. Without one the cases are reported as
//! ignored, with the reason.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]
#![expect(dead_code, reason = "the scene is shared with tests/e2e, which uses all of it")]

mod browser;
#[path = "../e2e/scene.rs"]
mod scene;

use browser::Browser;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use scene::{Ended, Scene};

/// A phone and a laptop.
const WIDTHS: [u32; 2] = [390, 1400];

fn main() -> std::process::ExitCode {
    let trials = vec![
        trial("a_green_run_shows_every_lane", a_green_run_shows_every_lane),
        trial("a_red_run_shows_its_first_cause_and_its_evidence", a_red_run_shows_its_first_cause_and_its_evidence),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, test: fn(&Browser)) -> Trial {
    Trial::ignorable_test(name, move || match Browser::find() {
        Some(browser) => {
            // Only a panic fails a test here, as in any other.
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&browser)));
            outcome.map(|()| Completion::Completed).map_err(|_| Failed::without_message())
        }
        None => Ok(Completion::ignored_with("no chromium, chromium-browser or google-chrome on PATH")),
    })
}

fn ran(flags: &[&str], code: i32) -> (Scene, Ended) {
    let scene = Scene::new();
    let ended = scene.run(&scene.embedded(flags));
    assert_eq!(ended.code, code, "{}", ended.told());
    (scene, ended)
}

/// Loads the report at each width, everything unfolded; checks that nothing scrolls sideways. Answers its text.
fn text(browser: &Browser, scene: &Scene) -> String {
    let pages = WIDTHS.map(|width| {
        let page = browser.open(&scene.report().join("report.html"), width);
        assert_eq!(page.width, width, "the page is laid out for this width");
        assert!(page.scroll_width <= width, "at {width} pixels it scrolls to {}", page.scroll_width);
        assert!(page.height > 1000, "something is laid out: {} pixels", page.height);
        page.text
    });
    let [phone, laptop] = pages;
    assert_eq!(phone, laptop, "a phone shows all that a laptop does");
    laptop
}

fn shows(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not shown in:\n{text}");
    }
}

fn a_green_run_shows_every_lane(browser: &Browser) {
    let (scene, _) = ran(&["r1::pod_kill"], 0);
    let text = text(browser, &scene);
    assert!(!text.contains("First cause"), "{text}");
    shows(&text, &[" passed, 0 failed", "caesium::r1\n", "pod_kill", "faults", "caesium-0", "client caesium-0-new-0"]);
    shows(&text, &["caesium-0/caesium", "delete Pod/caesium-0", "logs of r1"]);
}

fn a_red_run_shows_its_first_cause_and_its_evidence(browser: &Browser) {
    let fault = ["--set", "config.extraEnv[0].name=STANDIN_FAULT", "--set", "config.extraEnv[0].value=crash-loop"];
    let (scene, _) = ran(&[&["r1::health"], fault.as_slice()].concat(), 101);
    let text = text(browser, &scene);
    shows(&text, &["1 failed", "First cause", "caesium::r1::ready", "container caesium ended 3 times"]);
    shows(
        &text,
        &["evidence: caesium-r1/failed/ready", "not run: caesium::r1::ready", "state at the failure of r1::ready"],
    );
    assert!(scene.report().join("caesium-r1/failed/ready/describe.txt").exists(), "what is linked is there");
}
