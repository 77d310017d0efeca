//! Statistics: percentiles, medians, and numbers formatted for people.

use std::time::Duration;

/// Sorted durations, for percentiles.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Creates the set from durations in any order.
    pub fn new(mut all: Vec<Duration>) -> Latencies {
        all.sort_unstable();
        Latencies(all)
    }

    /// Returns the smallest duration that is at least as long as `percent` percent of them; `None`
    /// if there are none.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.0.len() * percent.min(100)).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied()
    }
}

/// Returns the median, or the mean of the two middle values; `None` if there are none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => Some(sorted[middle]),
        _ if sorted.is_empty() => None,
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// Formats a number with three significant digits and grouped thousands: `17,900`, `4.56`,
/// `0.048`. Whole numbers are counts and are shown exactly.
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    let whole = value.abs().log10().floor();
    match whole {
        _ if value.fract() == 0.0 => grouped(value),
        3.0.. => grouped((value / 10f64.powf(whole - 2.0)).round() * 10f64.powf(whole - 2.0)),
        2.0.. => format!("{value:.0}"),
        1.0.. => format!("{value:.1}"),
        0.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Formats a whole number with its digits in groups of three.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.split_at(usize::from(value < 0.0));
    let mut text = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let millis = |n| Duration::from_millis(n);
        let all = Latencies::new((1..=200).rev().map(millis).collect());
        let asked = [0, 50, 90, 99, 100].map(|percent| all.percentile(percent).unwrap());
        assert_eq!(asked, [1, 100, 180, 198, 200].map(millis));
        assert_eq!(Latencies::new(vec![millis(7)]).percentile(99), Some(millis(7)));
        assert_eq!(Latencies::default().percentile(50), None);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (0.04812, "0.048"),
            (4.556, "4.56"),
            (45.56, "45.6"),
            (455.6, "456"),
            (17_912.3, "17,900"),
            (1_234_567.8, "1,230,000"),
            (-1_234.0, "-1,234"),
            (12.0, "12"),
            (f64::NAN, "-"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
    }
}
