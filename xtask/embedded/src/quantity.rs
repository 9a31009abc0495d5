//! Resource quantities: `250m`, `1Gi`, `1e3`.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Suffixes and what they multiply by, in thousandths.
const SUFFIXES: [(&str, f64); 14] = [
    ("Ki", 1024.0 * 1e3),
    ("Mi", 1_048_576.0 * 1e3),
    ("Gi", 1_073_741_824.0 * 1e3),
    ("Ti", 1_099_511_627_776.0 * 1e3),
    ("Pi", 1_125_899_906_842_624.0 * 1e3),
    ("n", 1e-6),
    ("u", 1e-3),
    ("m", 1.0),
    ("k", 1e6),
    ("M", 1e9),
    ("G", 1e12),
    ("T", 1e15),
    ("P", 1e18),
    ("E", 1e21),
];

/// The quantity in thousandths, rounded up: what CPU is counted in.
pub fn milli(quantity: &Quantity) -> Option<i64> {
    thousandths(&quantity.0).map(ceil)
}

/// The quantity in whole units, rounded up: what bytes are counted in.
pub fn whole(quantity: &Quantity) -> Option<i64> {
    thousandths(&quantity.0).map(|n| ceil(n / 1e3))
}

fn thousandths(text: &str) -> Option<f64> {
    let suffixed = SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
    let (number, factor) = suffixed.unwrap_or((text, 1e3));
    let number: f64 = number.parse().ok()?;
    number.is_finite().then_some(number * factor)
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates: no quantity of a pod is beyond 2^63")]
fn ceil(number: f64) -> i64 {
    // What a decimal like 0.1 loses in binary must not be rounded up to a whole unit.
    (number - 1e-6).ceil() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Quantity {
        Quantity(text.to_owned())
    }

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        assert_eq!(milli(&of("250m")), Some(250));
        assert_eq!(milli(&of("0.1")), Some(100));
        assert_eq!(milli(&of("2")), Some(2000));
        assert_eq!(whole(&of("64Mi")), Some(64 << 20));
        assert_eq!(whole(&of("1e3")), Some(1000));
        assert_eq!(whole(&of("1G")), Some(1_000_000_000));
        assert_eq!(whole(&of("100m")), Some(1));
        assert_eq!(whole(&of("lots")), None);
    }
}
