//! A chart of the last minutes, as SVG within the page.
//!
//! The drawing is stretched to the available width, so it contains no text: the scale and the
//! legend are beside it, and a label describes it to screen readers.

use crate::server::monitor::http::history::MAX_SAMPLES;
use std::fmt::Write as _;

/// The height of the drawing in its own units.
const HEIGHT: f64 = 100.0;

/// One quantity over time, with one value per second; the last value is the current one.
pub struct Series {
    /// The class in the style sheet.
    pub class: &'static str,
    /// The values, oldest first.
    pub values: Vec<f64>,
}

impl Series {
    /// Returns the largest value.
    pub fn peak(&self) -> f64 {
        self.values.iter().copied().fold(0.0, f64::max)
    }
}

/// Returns the top of the scale: the power of two above all values, so that half of it is a round
/// number too.
pub fn top(lines: &[Series], least: u64) -> u64 {
    let peak = lines.iter().map(Series::peak).fold(0.0, f64::max);
    // The largest power of two; larger values are clamped to it.
    (peak.ceil() as u64).clamp(least, 1 << 62).next_power_of_two()
}

/// Returns the drawing. `label` describes it and must already be escaped.
pub fn svg(label: &str, lines: &[Series], top: u64) -> String {
    let mut out = format!(
        "<svg viewBox=\"0 0 {MAX_SAMPLES} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{label}\">"
    );
    for y in [0.0, HEIGHT / 2.0] {
        let _ = write!(out, "<path class=\"grid\" d=\"M0 {y}H{MAX_SAMPLES}\"/>");
    }
    for Series { class, values } in lines.iter().filter(|line| !line.values.is_empty()) {
        let start = MAX_SAMPLES.saturating_sub(values.len());
        let mut path = String::new();
        for (at, value) in values.iter().enumerate() {
            let y = HEIGHT - value / top as f64 * HEIGHT;
            let _ = write!(path, "{}{} {y:.1}", if at == 0 { 'M' } else { 'L' }, start + at + 1);
        }
        let first = start + 1;
        let _ = write!(
            out,
            "<path class=\"area {class}\" d=\"{path}V{HEIGHT}H{first}Z\"/>\
             <path class=\"line {class}\" d=\"{path}\"/>"
        );
    }
    out.push_str("</svg>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_at_the_right_and_the_largest_below_the_top() {
        let lines = [Series { class: "in", values: vec![0.0, 3.0] }];
        let top = top(&lines, 1);
        assert_eq!(top, 4);
        assert!(svg("x", &lines, top).contains("d=\"M299 100.0L300 25.0\""));
    }

    #[test]
    fn huge_values_and_no_values_are_drawn() {
        let lines = [Series { class: "in", values: vec![f64::MAX, f64::INFINITY] }];
        assert_eq!(top(&lines, 1), 1 << 62);
        assert_eq!(top(&[], 1000), 1024);
        assert!(!svg("x", &[Series { class: "in", values: vec![] }], 2).contains("line"));
    }
}
