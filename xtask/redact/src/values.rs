//! Values as helm's `--set` takes them. Each may be secret, whatever its name, until rendered manifests show it outside of
//! Secrets.

use serde_json::Value;

use crate::{HIDDEN, known, secrets};

/// The flags that take values.
const FLAGS: [&str; 5] = ["--set", "--set-string", "--set-json", "--set-literal", "--set-file"];

/// Returns whether a word is such a flag; the next word contains the values.
pub fn is_flag(word: &str) -> bool {
    FLAGS.contains(&word)
}

/// Returns `a.b=c,d=e` without values that may be secret.
pub fn shown(assigned: &str) -> String {
    let shown = |part: &str| match part.split_once('=') {
        Some((name, value)) if is_hidden(name, value) => format!("{name}={HIDDEN}"),
        _ => part.to_owned(),
    };
    split(assigned).into_iter().map(shown).collect::<Vec<_>>().join(",")
}

fn is_hidden(name: &str, value: &str) -> bool {
    if crate::is_secret_name(name) {
        known::learn(&plain(value));
        return true;
    }
    let inner = value.strip_prefix('{').and_then(|value| value.strip_suffix('}')).unwrap_or(value);
    let is_harmless = |value: &str| matches!(value, "" | "true" | "false" | "null") || known::is_public(&plain(value));
    !split(inner).into_iter().all(is_harmless)
}

/// Splits at commas, except those that are escaped or inside braces or brackets.
pub fn split(assigned: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut is_escaped) = (Vec::new(), 0, 0_usize, false);
    for (at, character) in assigned.char_indices() {
        match character {
            _ if is_escaped => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&assigned[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    parts.push(&assigned[start..]);
    parts
}

/// Returns a value without its escapes.
pub fn plain(value: &str) -> String {
    let mut kept = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        let escaped = if character == '\\' { characters.next() } else { Some(character) };
        kept.extend(escaped);
    }
    kept
}

/// Finds out from the output of `helm template` which values on its command line are not secret: those that appear
/// outside of Secrets. A value that appears only in Secrets is known to be secret from then on.
pub fn settle(words: &[String], rendered: &str) {
    let flags = words.iter().zip(words.iter().skip(1)).filter(|(flag, _)| is_flag(flag));
    let parts = flags.flat_map(|(_, assigned)| split(assigned)).filter_map(|part| part.split_once('='));
    let values = parts.filter(|(name, _)| !crate::is_secret_name(name)).flat_map(|(_, value)| {
        let inner = value.strip_prefix('{').and_then(|value| value.strip_suffix('}'));
        split(inner.unwrap_or(value)).into_iter().map(plain)
    });
    let values: Vec<_> = values.filter(|value| !value.is_empty()).collect();
    let objects = if values.is_empty() { None } else { serde_saphyr::from_multiple::<Value>(rendered).ok() };
    let Some(mut objects) = objects else { return };
    let held: Vec<_> = objects.iter().flat_map(secrets::held).collect();
    objects.iter_mut().for_each(secrets::hide);
    let mut outside = Vec::new();
    for object in &objects {
        scalars(object, &mut outside);
    }
    for value in values {
        if outside.iter().any(|text| stands_in(text, &value)) {
            known::publish(&value);
        } else if held.iter().any(|secret| secret.contains(&value)) {
            known::learn(&value);
        }
    }
}

fn scalars(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|value| scalars(value, found)),
        Value::Array(values) => values.iter().for_each(|value| scalars(value, found)),
        Value::String(text) => found.push(text.clone()),
        other => found.push(other.to_string()),
    }
}

/// Returns whether a value appears in a text as a separate word, such as a tag in an image reference.
fn stands_in(text: &str, value: &str) -> bool {
    let is_apart = |around: Option<char>| around.is_none_or(|around| !around.is_alphanumeric());
    text.match_indices(value)
        .any(|(at, _)| is_apart(text[..at].chars().next_back()) && is_apart(text[at + value.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_as_helm_splits_them() {
        assert_eq!(split(r"a=x\,y,b={1,2},c="), [r"a=x\,y", "b={1,2}", "c="]);
        assert_eq!(split(r"a=x\\,b=2"), [r"a=x\\", "b=2"]);
        assert_eq!(plain(r"x\,y\\"), r"x,y\");
    }

    #[test]
    fn the_rendered_manifests_decide_which_values_are_shown() {
        let rendered = "kind: Deployment\nspec:\n  image: \"registry/tool:v7-of-it\"\n  replicas: 41\n  env:\n  - name: \
                        DB_PASSWORD\n    value: owl-of-the-night\n---\nkind: Secret\nstringData:\n  url: db://me:heron,of-the-lake@host\n";
        let set =
            r"tag=v7-of-it,replicas=41,db.word=heron\,of-the-lake,db.env=owl-of-the-night,unused=crane-of-the-marsh";
        let words = ["helm", "template", "x", "--set", set].map(str::to_owned);
        settle(&words, rendered);
        let shown = shown(set);
        assert_eq!(shown, "tag=v7-of-it,replicas=41,db.word=REDACTED,db.env=REDACTED,unused=REDACTED");
        assert_eq!(
            crate::text("the word is heron,of-the-lake"),
            "the word is REDACTED",
            "Secrets hold it, and nothing else"
        );
        assert_eq!(crate::text("a crane-of-the-marsh"), "a crane-of-the-marsh", "nothing holds it");
    }
}
