//! Values that are known to be secret: wherever they turn up, they are hidden, also in base64.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::HIDDEN;

/// Shorter values are too likely to be ordinary words.
const BYTES_MIN: usize = 6;

/// What is known so far; a process drives one run.
static KNOWN: RwLock<Known> = RwLock::new(Known { forms: Vec::new(), names: Vec::new(), public: Vec::new() });

struct Known {
    /// The values and what base64 makes of them, the longest first: one that contains another has to go first.
    forms: Vec<String>,
    /// What is no secret although a Secret holds it.
    names: Vec<String>,
    /// Values of command lines that stand in manifests outside of Secrets.
    public: Vec<String>,
}

/// These names are in every report: a Secret that holds one of them, as a user or a host, does not hide it.
pub fn exempt(names: impl IntoIterator<Item = String>) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).names.extend(names);
}

/// Lets a value of a command line be shown there.
pub fn publish(value: &str) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if !known.public.iter().any(|public| public == value) {
        known.public.push(value.to_owned());
    }
}

/// Whether a value of a command line may be shown there.
pub fn is_public(value: &str) -> bool {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.public.iter().chain(&known.names).any(|public| public == value)
}

/// Hides a value from now on.
pub fn learn(value: &str) {
    let lines = value.lines().map(str::trim).filter(|line| line.len() >= BYTES_MIN && !line.starts_with("-----"));
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    for line in lines {
        if !known.names.iter().any(|name| name == line) && !known.forms.iter().any(|form| form == line) {
            known.forms.extend(forms(line));
        }
    }
    known.forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
}

/// A text without any of them.
pub fn hide(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut text = Cow::Borrowed(text);
    for form in &known.forms {
        if text.contains(form.as_str()) {
            text = Cow::Owned(text.replace(form.as_str(), HIDDEN));
        }
    }
    text
}

/// The value, and what is left of it in base64, at whichever of three places it stands in what was encoded.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned(), STANDARD_NO_PAD.encode(value)];
    for (before, cut) in [("a", 2), ("aa", 3)] {
        forms.push(STANDARD_NO_PAD.encode([before, value].concat()).split_off(cut));
    }
    // The last characters may hold bits of what follows the value.
    for (form, before) in forms.iter_mut().skip(1).zip(0..) {
        let spill = !(value.len() + before).is_multiple_of(3);
        form.truncate(form.len() - usize::from(spill));
    }
    forms.push(STANDARD.encode(value));
    forms.retain(|form| form.len() >= BYTES_MIN);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_hidden_in_every_form() {
        learn("correct-horse-7");
        assert_eq!(hide("dsn db:correct-horse-7@host"), "dsn db:REDACTED@host");
        for around in [("", ""), ("u:", ""), ("us:", "!"), ("use:", "more")] {
            let encoded = STANDARD.encode([around.0, "correct-horse-7", around.1].concat());
            let hidden = hide(&encoded).into_owned();
            assert!(hidden.contains(HIDDEN) && hidden.len() < encoded.len(), "{encoded} becomes {hidden}");
        }
    }

    #[test]
    fn each_line_of_a_key_is_hidden_short_values_and_names_are_not() {
        learn("-----BEGIN KEY-----\nMIIEow-line-one\nline-two-of-it\n-----END KEY-----\n");
        assert_eq!(hide("MIIEow-line-one"), HIDDEN);
        assert_eq!(hide("-----BEGIN KEY-----"), "-----BEGIN KEY-----");
        learn("on");
        assert_eq!(hide("turned on"), "turned on");
        exempt(["the-release".to_owned()]);
        learn("the-release");
        assert_eq!(hide("Pod/the-release-0"), "Pod/the-release-0");
    }
}
