//! Takes secrets out of command lines and outputs before anything is shown or stored.
//!
//! It knows names and shapes of secrets, and the values that were learnt during the run. It must not know who prints.

pub mod known;
pub mod secrets;
pub mod values;

/// What stands where a secret stood.
pub const HIDDEN: &str = "REDACTED";

/// Parts of names whose values are secrets.
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

/// Ends of names whose values are secrets: `auth.pass`, `DB_PWD`.
const SECRET_ENDS: [&str; 3] = ["pass", "pwd", "dsn"];

/// Fields of a kubeconfig whose names do not say it.
const SECRET_FIELDS: [&str; 1] = ["client-key-data"];

/// What charts call the value that names a Secret.
const NAMES_OF_SECRETS: [&str; 3] = ["name", "existingsecret", "secretref"];

/// Whether a value under this name has to be hidden. The name of a secret is not one.
pub fn is_secret_name(name: &str) -> bool {
    let flat: String = name.chars().filter(|c| !matches!(c, '-' | '_')).collect::<String>().to_ascii_lowercase();
    let last = flat.rsplit('.').next().unwrap_or_default();
    let tells =
        SECRET_NAMES.iter().any(|secret| flat.contains(secret)) || SECRET_ENDS.iter().any(|end| last.ends_with(end));
    tells && !NAMES_OF_SECRETS.iter().any(|name| last.ends_with(name)) || SECRET_FIELDS.contains(&name)
}

/// A command line's words without their secrets, which are known from then on, and without values of helm's of which
/// nobody knows whether they are secret.
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

/// `--token`, whose value is the next word.
fn is_flag_of_secret(word: &str) -> bool {
    word.starts_with('-') && !word.contains('=') && is_secret_name(word.trim_start_matches('-'))
}

/// `--token=x`, `auth.password=x,replicas=3`, `https://user:x@host`, `Authorization: Bearer x`.
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

/// Text without what is known or can be told to be a secret: `name: value` lines, `name=value`, bearer tokens, JSON web
/// tokens, passwords in addresses.
pub fn text(text: &str) -> String {
    known::hide(text).split_inclusive('\n').map(line).collect()
}

/// Words without which a line holds no secret that could be told: most lines are spared the closer look.
const SIGNS: [&str; 12] =
    ["token", "pass", "pwd", "dsn", "connection", "secret", "credential", "auth", "key", "bearer", "eyj", "://"];

fn line(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    if !SIGNS.iter().any(|sign| lower.contains(sign)) {
        return line.to_owned();
    }
    if let Some((before, rest)) = line.split_once(": ")
        && let name = before.split(char::is_whitespace).next_back().unwrap_or_default()
        // Neither an object's name nor a command's last word says anything of what is told of it.
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

/// Whether a value can be a secret: a switch is none, nor is a reference to a variable.
fn holds_something(value: &str) -> bool {
    let plain = value.trim_end_matches(',');
    !matches!(plain, "" | "true" | "false" | "null" | "{}" | "[]" | "|" | "|-" | ">") && !plain.starts_with('$')
}

/// Hides the value in `name=value`, `"name":"value"`, `{name: value}`, wherever it stands in the line.
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
        // Quotes are escaped where one language stands in another.
        let value = rest[spaces..].trim_start_matches('\\');
        let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
        // Prose goes on after a colon and a space.
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

/// `… "db.password":`, up to and with the sign.
fn names_a_secret(before: &str) -> bool {
    let name = before[..before.len() - 1].trim_end_matches(['"', '\'', '\\']);
    let start = name.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c))).map_or(0, |at| at + 1);
    name.is_char_boundary(start) && is_secret_name(name[start..].trim_start_matches('-'))
}

/// Whether a name stands first in braces, or after a comma.
fn in_braces(before: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "_-.:\"'".contains(c);
    before.trim_end_matches(word).trim_end().ends_with(['{', ','])
}

/// A JSON web token: three parts of base64, the first a JSON object.
fn is_web_token(word: &str) -> bool {
    word.starts_with("eyJ") && word.len() > 40 && word.matches('.').count() == 2
}

/// `https://user:password@host` without the password.
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
    fn names_that_tell_of_secrets_are_known() {
        for name in ["auth.pass", "encryptionKey", "DB_PWD", "database.dsn", "jwt.signing-key", "PGPASS"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["bypassed", "passthrough", "compass.port", "auth.existingSecret", "keyboard", "connections"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
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
    fn lines_of_logs_lose_what_is_assigned_to_a_telling_name() {
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
