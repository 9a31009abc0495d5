//! Known secret values: they are hidden wherever they appear, also in base64.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::HIDDEN;

/// Shorter values are too likely to be ordinary words.
const BYTES_MIN: usize = 6;

/// What is known so far; global, because a process drives only one run.
static KNOWN: RwLock<Known> = RwLock::new(Known { forms: Vec::new(), names: Vec::new(), public: Vec::new() });

struct Known {
    /// The values and their base64 forms, longest first: a value that contains another must be replaced first.
    forms: Vec<String>,
    /// Values that are not secret although a Secret contains them.
    names: Vec<String>,
    /// Values from command lines that appear in manifests outside of Secrets.
    public: Vec<String>,
}

/// Exempts names that are in every report: a Secret that contains one, as a user or a host, does not hide it.
pub fn exempt(names: impl IntoIterator<Item = String>) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).names.extend(names);
}

/// Allows a value to be shown on command lines.
pub fn publish(value: &str) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if !known.public.iter().any(|public| public == value) {
        known.public.push(value.to_owned());
    }
}

/// Returns whether a value may be shown on command lines.
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

/// Returns the text with all known values hidden.
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

/// Returns the value and its base64 forms, one for each of the three alignments in the encoded text.
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
