//! Removes secrets from command lines and output before anything is shown or stored.
//!
//! It knows the names and formats of secrets and the values learnt during the run. It must not know who prints.

pub mod known;
pub mod secrets;
pub mod values;

/// The replacement for a secret.
pub const HIDDEN: &str = "REDACTED";

/// A name that contains one of these has a secret value.
const SECRET_NAMES: [&str; 15] = [
    "token",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "authorization",
    "apikey",
    "accesskey",
    "privatekey",
    "encryptionkey",
    "signingkey",
    "masterkey",
    "connectionstring",
    "cookiekey",
];

/// A name that ends in one of these has a secret value: `auth.pass`, `DB_PWD`.
const SECRET_ENDS: [&str; 3] = ["pass", "pwd", "dsn"];

/// Secret fields of a kubeconfig whose names match none of the above.
const SECRET_FIELDS: [&str; 1] = ["client-key-data"];

/// How charts name the value that refers to a Secret by its name.
const NAMES_OF_SECRETS: [&str; 3] = ["name", "existingsecret", "secretref"];

/// Returns whether a value with this name has to be hidden. The name of a Secret is not secret.
pub fn is_secret_name(name: &str) -> bool {
    let flat: String = name.chars().filter(|c| !matches!(c, '-' | '_')).collect::<String>().to_ascii_lowercase();
    let last = flat.rsplit('.').next().unwrap_or_default();
    let is_secret =
        SECRET_NAMES.iter().any(|secret| flat.contains(secret)) || SECRET_ENDS.iter().any(|end| last.ends_with(end));
    is_secret && !NAMES_OF_SECRETS.iter().any(|name| last.ends_with(name)) || SECRET_FIELDS.contains(&name)
}

/// Returns the words of a command line without secrets, which are known from then on, and without helm values that may
/// be secret.
pub fn words(words: &[String]) -> Vec<String> {
    let before = std::iter::once("").chain(words.iter().map(String::as_str));
    words.iter().zip(before).map(|(word, before)| without_secret(word, before)).collect()
}

fn without_secret(word: &str, before: &str) -> String {
    if is_flag_of_secret(before) {
        known::learn(word);
        return HIDDEN.to_owned();
    }
    if values::is_flag(before) {
        return text(&values::shown(word));
    }
    match word.split_once('=').filter(|(flag, _)| values::is_flag(flag)) {
        Some((flag, assigned)) => format!("{flag}={}", text(&values::shown(assigned))),
        None => assignments(word),
    }
}

/// Returns whether this is a flag such as `--token`, whose secret value is the next word.
fn is_flag_of_secret(word: &str) -> bool {
    word.starts_with('-') && !word.contains('=') && is_secret_name(word.trim_start_matches('-'))
}

/// Hides the secrets in `--token=x`, `auth.password=x,replicas=3`, `https://user:x@host`, `Authorization: Bearer x`.
fn assignments(word: &str) -> String {
    let hidden = |part: &str| match part.split_once('=') {
        Some((name, value)) if is_secret_name(name.trim_start_matches('-')) => {
            known::learn(&values::plain(value));
            format!("{name}={HIDDEN}")
        }
        _ => part.to_owned(),
    };
    text(&values::split(word).into_iter().map(hidden).collect::<Vec<_>>().join(","))
}

/// Returns text without known or recognisable secrets: `name: value` lines, `name=value`, bearer tokens, JSON web
/// tokens, passwords in URLs.
pub fn text(text: &str) -> String {
    known::hide(text).split_inclusive('\n').map(line).collect()
}

/// A line without any of these contains no recognisable secret. Most lines are ruled out this way.
const SIGNS: [&str; 12] =
    ["token", "pass", "pwd", "dsn", "connection", "secret", "credential", "auth", "key", "bearer", "eyj", "://"];

fn line(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    if !SIGNS.iter().any(|sign| lower.contains(sign)) {
        return line.to_owned();
    }
    if let Some((before, rest)) = line.split_once(": ")
        && let name = before.split(char::is_whitespace).next_back().unwrap_or_default()
        // The name of an object, or the last word of a command, does not make what follows it secret.
        && !name.contains(['/', '(', '=', '`'])
        && is_secret_name(name.trim_matches(['-', '"', '\'']))
        && holds_something(rest.trim())
    {
        return format!("{before}: {HIDDEN}{}", if line.ends_with('\n') { "\n" } else { "" });
    }
    let mut after_bearer = false;
    assigned(line)
        .split_inclusive([' ', '\t', '\n', '"', '\'', ','])
        .map(|piece| {
            let word = piece.trim_end_matches([' ', '\t', '\n', '"', '\'', ',']);
            let hide = std::mem::replace(&mut after_bearer, word.eq_ignore_ascii_case("bearer")) || is_web_token(word);
            if hide && !word.is_empty() { piece.replacen(word, HIDDEN, 1) } else { address(piece) }
        })
        .collect()
}

/// Returns whether a value can be a secret. A boolean can't, and neither can a reference to a variable.
fn holds_something(value: &str) -> bool {
    let plain = value.trim_end_matches(',');
    !matches!(plain, "" | "true" | "false" | "null" | "{}" | "[]" | "|" | "|-" | ">") && !plain.starts_with('$')
}

/// Hides the value in `name=value`, `"name":"value"` and `{name: value}` anywhere in the line.
fn assigned(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['=', ':']) {
        let (before, after) = rest.split_at(at + 1);
        kept.push_str(before);
        rest = after;
        if !names_a_secret(before) {
            continue;
        }
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        // Quotes are escaped if one language is embedded in another.
        let value = rest[spaces..].trim_start_matches('\\');
        let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
        // In prose, a colon and a space don't introduce a value.
        let is_prose = spaces > 0 && quote.is_none() && !in_braces(before);
        let inner = &value[quote.map_or(0, char::len_utf8)..];
        let end = match quote {
            Some(quote) => inner.find(quote),
            None => inner.find(|c: char| c.is_whitespace() || ",;&)}]\"'`".contains(c)),
        };
        let (secret, behind) = inner.split_at(end.unwrap_or(inner.len()));
        if !is_prose && holds_something(secret) {
            kept.push_str(&rest[..rest.len() - inner.len()]);
            kept.push_str(HIDDEN);
            rest = behind;
        }
    }
    kept + rest
}

/// Returns whether text such as `… "db.password":`, up to and including the sign, ends with the name of a secret.
fn names_a_secret(before: &str) -> bool {
    let name = before[..before.len() - 1].trim_end_matches(['"', '\'', '\\']);
    let start = name.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c))).map_or(0, |at| at + 1);
    name.is_char_boundary(start) && is_secret_name(name[start..].trim_start_matches('-'))
}

/// Returns whether the text ends with a name that follows a brace or a comma.
fn in_braces(before: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "_-.:\"'".contains(c);
    before.trim_end_matches(word).trim_end().ends_with(['{', ','])
}

/// Returns whether this is a JSON web token: three base64 parts, the first a JSON object.
fn is_web_token(word: &str) -> bool {
    word.starts_with("eyJ") && word.len() > 40 && word.matches('.').count() == 2
}

/// Returns `https://user:password@host` without the password.
fn address(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    let Some((user, password)) = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) else {
        return word.to_owned();
    };
    word.replacen(&format!("{scheme}://{user}:{password}@"), &format!("{scheme}://{user}:{HIDDEN}@"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(line: &[&str]) -> String {
        words(&line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).join(" ")
    }

    #[test]
    fn secrets_of_flags_and_values_are_hidden() {
        assert_eq!(redacted(&["kubectl", "--token", "abc", "get", "pods"]), "kubectl --token REDACTED get pods");
        assert_eq!(redacted(&["kubectl", "--token=abc"]), "kubectl --token=REDACTED");
        assert_eq!(redacted(&["run", "db.password=x\\,y,replicas=3"]), "run db.password=REDACTED,replicas=3");
        assert_eq!(redacted(&["curl", "-H", "Authorization: Bearer abc"]), "curl -H Authorization: REDACTED");
        assert_eq!(redacted(&["helm", "pull", "https://me:pw@host/x"]), "helm pull https://me:REDACTED@host/x");
    }

    #[test]
    fn values_of_helm_are_hidden_unless_they_are_known_to_be_shown() {
        assert_eq!(
            redacted(&["helm", "--set", "db.login=x\\,y,enabled=true"]),
            "helm --set db.login=REDACTED,enabled=true"
        );
        assert_eq!(redacted(&["helm", "--set-string=a=x"]), "helm --set-string=a=REDACTED");
        assert_eq!(redacted(&["helm", "--set-json", r#"a={"b":1,"c":2},d=null"#]), "helm --set-json a=REDACTED,d=null");
        known::publish("warn-of-all");
        assert_eq!(redacted(&["helm", "--set", "level=warn-of-all"]), "helm --set level=warn-of-all");
        assert_eq!(redacted(&["helm", "--set", "auth.pass=warn-of-all"]), "helm --set auth.pass=REDACTED");
    }

    #[test]
    fn names_of_secrets_are_recognised() {
        for name in ["auth.pass", "encryptionKey", "DB_PWD", "database.dsn", "jwt.signing-key", "PGPASS"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["bypassed", "passthrough", "compass.port", "auth.existingSecret", "keyboard", "connections"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn other_words_stay() {
        for line in [
            vec!["docker", "pull", "localhost:5000/a:b@sha256:abc"],
            vec!["kubectl", "get", "secrets", "-n", "token"],
            vec!["tool", "imagePullSecrets[0].name=regcred", "auth.existingSecret=db-credentials"],
        ] {
            assert_eq!(redacted(&line), line.join(" "));
        }
    }

    #[test]
    fn output_loses_its_tokens() {
        let token = format!("eyJ{}.{}.{}", "a".repeat(30), "b".repeat(30), "c".repeat(30));
        assert_eq!(text(&format!("got {token} from x\nok\n")), "got REDACTED from x\nok\n");
        assert_eq!(text("  token: abc\n  client-key-data: AAA=\nuser: me\n"), {
            "  token: REDACTED\n  client-key-data: REDACTED\nuser: me\n"
        });
        assert_eq!(text("authorization bearer abc"), "authorization bearer REDACTED");
    }

    #[test]
    fn log_lines_lose_values_assigned_to_secret_names() {
        for (said, kept) in [
            ("connecting password=hunter2 user=me", "connecting password=REDACTED user=me"),
            (r#"{"level":"info","dbPassword":"hunter 2","n":1}"#, r#"{"level":"info","dbPassword":"REDACTED","n":1}"#),
            ("auth: {user: me, password: hunter2}", "auth: {user: me, password: REDACTED}"),
            (r#"echo "{\"dbPassword\":\"hunter2\"}""#, r#"echo "{\"dbPassword\":\"REDACTED"}""#),
            ("GET /v1?apiKey=hunter2&n=1", "GET /v1?apiKey=REDACTED&n=1"),
            ("the password: hunter2 is old", "the password: REDACTED"),
            ("sh -c 'run --token=hunter2 --n=1'", "sh -c 'run --token=REDACTED --n=1'"),
        ] {
            assert_eq!(text(said), kept);
        }
    }

    #[test]
    fn prose_about_secrets_stays() {
        for said in [
            "Pod/token-server-0 can't start: container main is not ready",
            "Pod/token-0: Pending",
            "MountVolume.SetUp failed for volume \"secrets\" : secret \"none\" not found",
            "automountServiceAccountToken: false",
            "error looking up secret (token: not found)",
            "--set imagePullSecrets[0].name=regcred",
            "echo password=$PASSWORD",
            "`helm template x --set auth.password=REDACTED`: exit code 1 after 0.1 s",
        ] {
            assert_eq!(text(said), said);
        }
    }
}
