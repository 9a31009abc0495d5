//! Quoting of command lines for a POSIX shell.

/// Returns whether a character has no special meaning in a shell.
fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character)
}

/// Returns a word, quoted if the shell would change it.
pub fn quote(word: &str) -> String {
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Returns a command line, each word quoted if necessary.
pub fn quote_line<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    words.into_iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_as_they_are() {
        assert_eq!(quote_line(["kind", "create", "--image", "kindest/node:v1.36.1@sha256:ab"]), {
            "kind create --image kindest/node:v1.36.1@sha256:ab"
        });
    }

    #[test]
    fn what_a_shell_would_change_is_quoted() {
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("$HOME"), "'$HOME'");
        assert_eq!(quote("a\nb"), "'a\nb'");
        assert_eq!(quote("{{.Id}}"), "'{{.Id}}'");
        assert_eq!(quote("~"), "'~'");
    }
}
