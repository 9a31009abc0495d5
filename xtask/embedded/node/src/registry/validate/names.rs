//! The grammars of names, labels and keys, and the messages about violations.

/// `a lowercase RFC 1123 subdomain …`
pub const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' \
    or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
/// `a lowercase RFC 1123 label …`
pub const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and \
    must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
/// `a DNS-1035 label …`
pub const DNS_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with \
    an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
    validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
    '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex \
    used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const NAME_PART: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end \
    with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const QUALIFIED: &str = "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start \
    and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation \
    is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. \
    'example.com/MyName')";
const DATA_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. \
    'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// The violations of a grammar, in the API's words.
pub type Violations = Vec<String>;

fn too_long(text: &str, bytes_max: usize) -> Option<String> {
    (text.len() > bytes_max).then(|| format!("must be no more than {bytes_max} bytes"))
}

fn is_label(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends(text.chars().next())
        && ends(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn faults(text: &str, bytes_max: usize, fits: bool, why: &str) -> Violations {
    too_long(text, bytes_max).into_iter().chain((!fits).then(|| why.to_owned())).collect()
}

/// Checks a DNS subdomain: `a.b.c`.
pub fn subdomain(text: &str) -> Violations {
    faults(text, 253, text.split('.').all(is_label), SUBDOMAIN)
}

/// Checks a DNS label: `a-b`.
pub fn label(text: &str) -> Violations {
    faults(text, 63, is_label(text), LABEL)
}

/// Checks a DNS label that begins with a letter: `a-b`.
pub fn dns_1035(text: &str) -> Violations {
    faults(text, 63, is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase()), DNS_1035)
}

/// Checks a segment of a URL's path, such as the name of a role.
pub fn path_segment(text: &str) -> Violations {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    ["/", "%"].iter().filter(|part| text.contains(**part)).map(|part| format!("may not contain '{part}'")).collect()
}

fn is_name_part(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    ends(text.chars().next())
        && ends(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Checks a key of labels or annotations: `example.com/name`.
pub fn qualified(text: &str) -> Violations {
    let mut found = Violations::new();
    let name = match text.split_once('/') {
        Some((_, rest)) if rest.contains('/') => return vec![QUALIFIED.to_owned()],
        Some((prefix, name)) => {
            if prefix.is_empty() {
                found.push("prefix part must be non-empty".to_owned());
            } else {
                found.extend(subdomain(prefix).into_iter().map(|fault| format!("prefix part {fault}")));
            }
            name
        }
        None => text,
    };
    if name.is_empty() {
        found.push("name part must be non-empty".to_owned());
    } else {
        found.extend(too_long(name, 63).map(|fault| format!("name part {fault}")));
    }
    if !is_name_part(name) {
        found.push(NAME_PART.to_owned());
    }
    found
}

/// Checks the value of a label.
pub fn label_value(text: &str) -> Violations {
    faults(text, 63, text.is_empty() || is_name_part(text), LABEL_VALUE)
}

/// Checks a key of a config map or secret.
pub fn data_key(text: &str) -> Violations {
    let fits = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let mut found = faults(text, 253, fits, DATA_KEY);
    found.extend(match text {
        "." | ".." => Some(format!("must not be '{text}'")),
        _ if text.starts_with("..") => Some("must not start with '..'".to_owned()),
        _ => None,
    });
    found
}

/// Checks a path below a volume.
pub fn descending_path(text: &str) -> Violations {
    let mut found = Violations::new();
    if text.starts_with('/') {
        found.push("must be a relative path".to_owned());
    }
    if text.split('/').any(|part| part == "..") {
        found.push("must not contain '..'".to_owned());
    }
    found
}

/// Checks a file of a volume; names that begin with two dots are reserved for kubelet.
pub fn volume_file(text: &str) -> Violations {
    let mut found = descending_path(text);
    if text.starts_with("..") && !text.starts_with("../") && text != ".." {
        found.push("must not start with '..'".to_owned());
    }
    found
}

/// Checks the name of a port: a short label that contains a letter.
pub fn port(text: &str) -> Violations {
    let mut found: Violations =
        (text.len() > 15).then(|| "must be no more than 15 characters".to_owned()).into_iter().collect();
    if !text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        found.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.chars().any(|c| c.is_ascii_lowercase()) {
        found.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        found.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        found.push("must not begin or end with a hyphen".to_owned());
    }
    found
}
