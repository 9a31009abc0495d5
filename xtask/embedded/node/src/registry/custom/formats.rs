//! The formats of texts that a schema can require.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate};
use resources::quantity;

/// Returns whether a text has a format; a format that is not checked is fulfilled by every text.
pub fn fits(format: &str, text: &str) -> bool {
    match format.replace('-', "").as_str() {
        "datetime" => DateTime::parse_from_rfc3339(text).is_ok(),
        "date" => NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
        "duration" => is_duration(text),
        "uuid" => is_uuid(text, None),
        "uuid3" => is_uuid(text, Some('3')),
        "uuid4" => is_uuid(text, Some('4')),
        "uuid5" => is_uuid(text, Some('5')),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "mac" => is_mac(text),
        "byte" => STANDARD.decode(text).is_ok(),
        "uri" => text.starts_with('/') || text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)),
        "hostname" => is_hostname(text),
        "email" => text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()),
        "hexcolor" => {
            let digits = text.strip_prefix('#').unwrap_or(text);
            matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        "quantity" => quantity::parse(text).is_some(),
        _ => true,
    }
}

/// Returns whether Go parses a text as a duration: `1h30m`, `-1.5s`.
fn is_duration(text: &str) -> bool {
    let mut rest = text.trim_start_matches(['+', '-']);
    if rest == "0" {
        return true;
    }
    let is_set = !rest.is_empty();
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let unit = ["ns", "us", "µs", "ms", "s", "m", "h"].iter().filter(|unit| rest[number..].starts_with(**unit));
        let Some(unit) = unit.max_by_key(|unit| unit.len()).filter(|_| rest[..number].parse::<f64>().is_ok()) else {
            return false;
        };
        rest = &rest[number + unit.len()..];
    }
    is_set
}

fn is_uuid(text: &str, version: Option<char>) -> bool {
    let digits: Vec<char> = text.chars().filter(|c| *c != '-').collect();
    let is_plain = digits.len() == 32 && digits.iter().all(char::is_ascii_hexdigit);
    is_plain && version.is_none_or(|version| digits[12] == version)
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let length_max = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse::<u8>().is_ok_and(|length| length <= length_max)
}

fn is_mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    matches!(parts.len(), 6 | 8 | 20)
        && parts.iter().all(|part| part.len() == 2 && u8::from_str_radix(part, 16).is_ok())
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 255 && text.trim_end_matches('.').split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_a_format_or_not() {
        let table = [
            ("date-time", "2026-11-21T10:00:00Z", "2026-11-21"),
            ("date", "2026-11-21", "2026-13-21"),
            ("duration", "1h30m0.5s", "1 hour"),
            ("duration", "0", ""),
            ("uuid", "9d5e3a1c-1111-4222-8333-444455556666", "9d5e3a1c"),
            ("uuid4", "9d5e3a1c-1111-4222-8333-444455556666", "9d5e3a1c-1111-3222-8333-444455556666"),
            ("ipv4", "192.0.2.1", "192.0.2"),
            ("ipv6", "2001:db8::1", "192.0.2.1"),
            ("cidr", "192.0.2.0/24", "192.0.2.0/33"),
            ("mac", "00:00:5e:00:53:01", "00:00:5e"),
            ("byte", "eA==", "e"),
            ("uri", "https://example.com", "example"),
            ("hostname", "a.example.com", "-a.example.com"),
            ("email", "a@example.com", "a"),
            ("hexcolor", "#ff00AA", "#ff00A"),
            ("quantity", "10Gi", "ten"),
        ];
        for (format, right, wrong) in table {
            assert!(fits(format, right), "{format}: {right}");
            assert!(!fits(format, wrong), "{format}: {wrong}");
        }
        assert!(fits("password", "anything"));
    }
}
