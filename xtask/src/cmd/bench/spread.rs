//! Minimum, median and maximum of a repeated measurement.

use std::fmt;

/// Minimum, median and maximum of a repeated measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The number of measurements.
    pub count: usize,
    /// The minimum.
    pub min: f64,
    /// The median; for an even number of measurements, the mean of the two in the middle.
    pub median: f64,
    /// The maximum.
    pub max: f64,
}

impl Spread {
    /// Returns the spread of these numbers, or NaN if there are none.
    pub fn of(mut measured: Vec<f64>) -> Self {
        measured.sort_by(f64::total_cmp);
        let at = |index: usize| measured.get(index).copied().unwrap_or(f64::NAN);
        let count = measured.len();
        let last = count.saturating_sub(1);
        Self { count, min: at(0), median: f64::midpoint(at(last / 2), at(count / 2)), max: at(last) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, min, median, max } = self;
        write!(f, "min {min:.2}  median {median:.2}  max {max:.2}  of {count}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_two() {
        assert_eq!(Spread::of(vec![9.0, 1.0, 2.0]), Spread { count: 3, min: 1.0, median: 2.0, max: 9.0 });
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 9.0]), Spread { count: 4, min: 1.0, median: 3.0, max: 9.0 });
        assert_eq!(Spread::of(vec![5.0]).median.to_bits(), 5.0_f64.to_bits());
        assert!(Spread::of(vec![]).median.is_nan());
    }

    #[test]
    fn it_is_printed_in_one_line() {
        assert_eq!(Spread::of(vec![1.0, 2.25, 3.0]).to_string(), "min 1.00  median 2.25  max 3.00  of 3");
    }
}
