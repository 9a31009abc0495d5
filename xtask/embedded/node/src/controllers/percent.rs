//! Numbers that may be given as a percentage.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Returns the number, or the percentage of `whole` rounded up.
pub fn scaled_up(value: &IntOrString, whole: i32) -> i32 {
    scaled(value, whole, 99)
}

/// Returns the number, or the percentage of `whole` rounded down.
pub fn scaled_down(value: &IntOrString, whole: i32) -> i32 {
    scaled(value, whole, 0)
}

fn scaled(value: &IntOrString, whole: i32, round: i64) -> i32 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::String(text) => {
            let percent: i64 = text.strip_suffix('%').unwrap_or(text).parse().unwrap_or(0);
            i32::try_from((percent * i64::from(whole) + round).div_euclid(100)).unwrap_or(i32::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_rounded_up_or_down() {
        let percent = |text: &str| IntOrString::String(text.to_owned());
        assert_eq!(scaled_up(&percent("25%"), 3), 1);
        assert_eq!(scaled_down(&percent("25%"), 3), 0);
        assert_eq!(scaled_up(&percent("50%"), 4), 2);
        assert_eq!(scaled_down(&percent("100%"), 3), 3);
        assert_eq!(scaled_up(&IntOrString::Int(2), 10), 2);
    }
}
