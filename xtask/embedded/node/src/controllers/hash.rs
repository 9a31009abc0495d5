//! Hashes and random suffixes in names, in Kubernetes' alphabet.

/// No vowels and no easily confused characters: no name becomes a word.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// FNV-1a, 64 bits.
pub fn fnv64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Returns the hash of a template, as it appears in the names of revisions and replica sets: `55fb785456`. `collisions`
/// changes it if another template has the name.
pub fn of_template(template: &serde_json::Value, collisions: i32) -> String {
    let mut text = template.to_string();
    if collisions > 0 {
        text.push_str(&collisions.to_string());
    }
    let hash = fnv64(text.as_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "a name contains 32 bits")]
    let folded = (hash ^ (hash >> 32)) as u32;
    safe(&folded.to_string())
}

fn safe(text: &str) -> String {
    text.bytes().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hash_is_stable_and_valid_in_a_name() {
        let template = json!({"spec": {"containers": [{"name": "main", "image": "one"}]}});
        let hash = of_template(&template, 0);
        assert_eq!(hash, of_template(&template, 0));
        assert_ne!(hash, of_template(&template, 1));
        assert!(hash.len() <= 10 && hash.bytes().all(|b| ALPHABET.contains(&b)), "{hash}");
    }
}
