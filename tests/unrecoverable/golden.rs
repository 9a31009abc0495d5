//! Expected messages with parts that differ from run to run.

/// Returns whether a message is the expected one, in which `NAMESPACE` stands for the namespace, `HASH` and `UID` for
/// generated names.
pub fn matches(golden: &str, sentence: &str, namespace: &str) -> bool {
    let golden = golden.replace("NAMESPACE", namespace).replace("UID", "HASH");
    let mut rest = sentence;
    for (index, piece) in golden.split("HASH").enumerate() {
        if index > 0 {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        }
        let Some(after) = rest.strip_prefix(piece) else { return false };
        rest = after;
    }
    rest.is_empty()
}
