//! Resource quantities (`250m`, `1Gi`, `1e3`): parsing, comparison, and the canonical form of the API.

use k8s_openapi::apimachinery::pkg::api::resource;

/// The API server's message for a malformed quantity.
pub const MALFORMED: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

const BINARY: &[(&str, u32)] = &[("Ei", 60), ("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
const DECIMAL: &[(&str, i32)] =
    &[("E", 18), ("P", 15), ("T", 12), ("G", 9), ("M", 6), ("k", 3), ("", 0), ("m", -3), ("u", -6), ("n", -9)];

/// A quantity in billionths, and the format in which it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    nanos: i128,
    binary: bool,
    exponent: bool,
}

/// Returns the quantity in thousandths, rounded up: the unit for CPU.
pub fn milli(quantity: &resource::Quantity) -> Option<i64> {
    saturated(scaled(parse(&quantity.0)?.nanos, -6)?)
}

/// Returns the quantity in whole units, rounded up: the unit for bytes.
pub fn whole(quantity: &resource::Quantity) -> Option<i64> {
    saturated(parse(&quantity.0)?.value())
}

/// Returns the sum; a single quantity keeps its format.
pub fn sum(quantities: &[&resource::Quantity]) -> resource::Quantity {
    if let [single] = quantities {
        return (*single).clone();
    }
    let parsed = || quantities.iter().filter_map(|quantity| parse(&quantity.0));
    let nanos = parsed().fold(0, |total: i128, quantity| total.saturating_add(quantity.nanos));
    let binary = parsed().any(|quantity| quantity.binary);
    resource::Quantity(Quantity { nanos, binary, exponent: false }.canonical())
}

fn saturated(number: i128) -> Option<i64> {
    i64::try_from(number).ok().or(Some(i64::MAX))
}

/// Parses a quantity.
pub fn parse(text: &str) -> Option<Quantity> {
    let end = text.char_indices().skip(usize::from(text.starts_with(['+', '-'])));
    let end = end.clone().find(|(_, c)| !c.is_ascii_digit() && *c != '.').map_or(text.len(), |(at, _)| at);
    let (number, suffix) = text.split_at(end);
    let nanos = nanos(number)?;
    if let Some((_, shift)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Some(Quantity { nanos: nanos.checked_mul(1 << shift)?, binary: true, exponent: false });
    }
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some(Quantity { nanos: scaled(nanos, *power)?, binary: false, exponent: false });
    }
    let power = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some(Quantity { nanos: scaled(nanos, power)?, binary: false, exponent: true })
}

/// Returns billionths in the API's canonical form.
pub fn shown(nanos: i128) -> String {
    Quantity { nanos, binary: nanos % (1024 * 1_000_000_000) == 0, exponent: false }.canonical()
}

fn nanos(number: &str) -> Option<i128> {
    let (negative, digits) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || fraction.len() > 9 {
        return None;
    }
    let joined: i128 = format!("{whole}{fraction:0<9}").parse().ok()?;
    Some(if negative { -joined } else { joined })
}

/// Returns the product with a power of ten; fractions of a billionth are rounded up.
fn scaled(nanos: i128, power: i32) -> Option<i128> {
    let factor = 10_i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 {
        nanos.checked_mul(factor)
    } else {
        Some(nanos.div_euclid(factor) + i128::from(nanos % factor != 0))
    }
}

impl Quantity {
    /// Returns the quantity rounded up to a whole number.
    pub fn value(self) -> i128 {
        scaled(self.nanos, -9).unwrap_or(0)
    }

    /// Returns the quantity in billionths, for comparisons.
    pub fn nanos(self) -> i128 {
        self.nanos
    }

    /// Returns the API's canonical form, with the largest suffix that leaves a whole number.
    pub fn canonical(self) -> String {
        let whole = self.nanos % 1_000_000_000 == 0;
        if self.binary && whole && self.nanos.abs() >= 1024 * 1_000_000_000 {
            let value = self.nanos / 1_000_000_000;
            let fits = BINARY.iter().find(|(_, shift)| value % (1 << shift) == 0);
            return fits.map_or(value.to_string(), |(name, shift)| format!("{}{name}", value >> shift));
        }
        if self.nanos == 0 {
            return "0".to_owned();
        }
        let fits = DECIMAL.iter().find(|(_, power)| self.nanos % 10_i128.pow((power + 9).unsigned_abs()) == 0);
        let (name, power) = fits.copied().unwrap_or(("n", -9));
        let number = self.nanos / 10_i128.pow((power + 9).unsigned_abs());
        if self.exponent && power != 0 { format!("{number}e{power}") } else { format!("{number}{name}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        let of = |text: &str| resource::Quantity(text.to_owned());
        assert_eq!(milli(&of("250m")), Some(250));
        assert_eq!(milli(&of("0.1")), Some(100));
        assert_eq!(milli(&of("2")), Some(2000));
        assert_eq!(whole(&of("64Mi")), Some(64 << 20));
        assert_eq!(whole(&of("1e3")), Some(1000));
        assert_eq!(whole(&of("1G")), Some(1_000_000_000));
        assert_eq!(whole(&of("100m")), Some(1));
        assert_eq!(whole(&of("lots")), None);
    }

    #[test]
    fn quantities_are_written_as_kube_apiserver_writes_them() {
        let table = [
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("16Mi", "16Mi"),
            ("1.5Gi", "1536Mi"),
            ("100", "100"),
            ("1000", "1k"),
            ("1e3", "1e3"),
            ("0", "0"),
            ("512Ki", "512Ki"),
            ("1500m", "1500m"),
        ];
        for (written, wanted) in table {
            assert_eq!(parse(written).unwrap().canonical(), wanted, "{written}");
        }
        for malformed in ["12Q!", "", "Mi", "1.2.3", "1 Mi"] {
            assert_eq!(parse(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn sums_are_written_in_canonical_form() {
        let of = |text: &str| resource::Quantity(text.to_owned());
        assert_eq!(sum(&[&of("24Mi")]).0, "24Mi");
        assert_eq!(sum(&[&of("512Mi"), &of("512Mi")]).0, "1Gi");
        assert_eq!(sum(&[&of("250m"), &of("500m")]).0, "750m");
        assert_eq!(sum(&[&of("500m"), &of("500m")]).0, "1");
    }
}
