//! Histories known to be bad, one file per way in which a system loses or corrupts data, with the message that each must
//! cause; and good twins that must pass.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::path::{Path, PathBuf};

use history::failures;

fn judged(file: &Path) -> Vec<String> {
    let text = std::fs::read(file).unwrap();
    let history = history::file::read(text.as_slice()).unwrap_or_else(|e| panic!("{}: {e:#}", file.display()));
    failures(&history, &history::judge(&history))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The beginning of the message that each bad history must cause.
const REFUSALS: [(&str, &str); 19] = [
    ("agreement-differs", "final agreement: replicas disagree on key a: r0 has 1, r1 has nothing"),
    ("agreement-not-read", "final agreement: key a was not read back through r1"),
    ("agreement-read-before-recovery", "final agreement: key a was not read back through r1"),
    (
        "eventual-register-forgotten",
        "no acknowledged write lost after delete Pod/r0: 2 violations, the first: key a: r0 returns nothing, though 2 was acknowledged (lost)",
    ),
    ("eventual-register-never-read", "final agreement: key b was not read back through r0"),
    (
        "eventual-register-overwritten",
        "no acknowledged write lost after delete Pod/r0: key a: r1 returns 1, though 2 was written later and acknowledged (lost)",
    ),
    (
        "eventual-register-unwritten",
        "no acknowledged write lost after delete Pod/r0: key a: r1 returns 9, which was never written",
    ),
    ("eventual-set-lost", "1 of 1 acknowledged writes lost"),
    (
        "register-both-current",
        "linearizability after delete Pod/r0: key a: value 1 and value 2 were current at the same time",
    ),
    (
        "register-came-and-went",
        "linearizability after delete Pod/r0: key a: value 2, written through r0 at 0.0 s and acknowledged after 0 ms, was gone: a read through r1 at 0.0 s returned value 1",
    ),
    (
        "register-read-before-write",
        "linearizability after delete Pod/r0: key a: c1 read value 1 before its write began",
    ),
    ("register-unwritten", "linearizability after delete Pod/r0: key a: c1 read 9, which was never written"),
    ("register-written-twice", "linearizability after delete Pod/r0: undecided: key a: value 1 was written twice"),
    ("set-lost", "1 of 1 acknowledged writes lost"),
    ("set-never-read", "no acknowledged record lost: 1 acknowledged record never read back: b"),
    ("set-phantom", "no acknowledged record lost: 1 record read that was never written: b"),
    ("set-resurrected", "no acknowledged record lost: 1 deleted record reappeared: b"),
    ("set-stale", "no acknowledged record lost: 1 acknowledged record missed by a later read (stale): a"),
    ("vacuous", "enough activity: no evidence that the fault happened: delete Pod/r0"),
];

#[test]
fn every_bad_history_causes_the_right_message() {
    let names: Vec<_> = files("bad").iter().map(|f| f.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(
        names,
        REFUSALS.map(|(name, _)| name.to_owned()),
        "a file without a message, or a message without a file"
    );
    for (file, (name, words)) in files("bad").iter().zip(REFUSALS) {
        let failures = judged(file);
        assert!(failures.iter().any(|line| line.starts_with(words)), "{name}: {failures:#?}");
    }
}

#[test]
fn every_good_history_holds() {
    for file in files("good") {
        assert_eq!(judged(&file), Vec::<String>::new(), "{}", file.display());
    }
}
