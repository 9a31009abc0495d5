//! The recordings: created objects, requests and watch events, line by line.

use serde_json::Value;

macro_rules! recordings {
    ($($name:literal),* $(,)?) => {
        /// Every recorded scenario.
        pub const SCENARIOS: &[&str] = &[$($name),*];

        fn text(scenario: &str) -> &'static str {
            match scenario {
                $($name => include_str!(concat!("../fixtures/lifecycle/", $name, ".jsonl")),)*
                _ => panic!("{scenario} was not recorded"),
            }
        }
    };
}

recordings!(
    "ok-init",
    "crash-loop",
    "image-never",
    "image-pull",
    "not-ready",
    "startup-fails",
    "liveness-fails",
    "oom",
    "unschedulable",
    "config-error",
    "run-as-non-root",
    "mount-missing-secret",
    "pvc-no-class",
    "init-fails",
    "sigterm-ignored",
    "statefulset",
    "deployment-stuck",
    "job-ok",
    "job-fails",
    "eviction-budget",
);

/// One line of a recording.
#[derive(Debug, Clone)]
pub enum Line {
    /// An object was created.
    Create(Value),
    /// A request was sent: method, path (with `NS` for the namespace), body; and the response's code.
    Request(String, String, Value, u64),
    /// A watch event, in the recording's own form.
    Seen(Value),
}

/// Returns the lines of a recording; the effects of a request may come before it.
pub fn lines(scenario: &str) -> Vec<Line> {
    text(scenario).lines().map(|line| parse(serde_json::from_str(line).unwrap())).collect()
}

fn parse(line: Value) -> Line {
    if line.get("create").is_some() {
        return Line::Create(line["create"].clone());
    }
    let Some((method, path)) = line["request"].as_str().and_then(|request| request.split_once(' ')) else {
        return Line::Seen(line);
    };
    Line::Request(method.to_owned(), path.to_owned(), line["body"].clone(), line["code"].as_u64().unwrap())
}
