//! Text for HTML: escapes text from outside, and formats numbers for people.

use crate::protocol::digest::Sha256;
use crate::protocol::time::Civil;
use crate::text::{self, is_hidden};
use std::fmt::Display;
use std::time::{Duration, SystemTime};

/// The longest text that is shown, in characters.
const LONGEST: usize = 160;

/// Returns `value` for use in HTML, with markup escaped and hidden characters shown as escapes. A
/// long text is cut at its beginning, because paths differ at the end.
pub fn text(value: impl Display) -> String {
    let value = value.to_string();
    let length = value.chars().count();
    let mut out = String::with_capacity(value.len());
    if length > LONGEST {
        out.push('…');
    }
    for c in value.chars().skip(length.saturating_sub(LONGEST)) {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Formats `1.5 MiB`.
pub fn bytes(number: f64) -> String {
    let (number, unit) = text::scaled(number);
    let digits = usize::from(number < 9.95 && unit != "B");
    format!("{number:.digits$} {unit}")
}

/// Formats `1.5 MiB/s`.
pub fn rate(number: f64) -> String {
    format!("{}/s", bytes(number))
}

/// Formats `4 min 3 s`, with at most the two largest units.
pub fn duration(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3600 % 24),
    }
}

/// Formats `4 min`, with one unit.
pub fn short(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min", s / 60),
        3600..86_400 => format!("{} h", s / 3600),
        _ => format!("{} d", s / 86_400),
    }
}

/// Formats the duration of an operation, which may be very short.
pub fn precise_duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 9.995 => format!("{seconds:.2} s"),
        _ => self::duration(duration),
    }
}

/// Formats the time since `then`; the exact time is in the markup, for programs and as a tooltip.
pub fn ago(then: SystemTime, now: SystemTime) -> String {
    let moment = text::rfc3339(then);
    let since = now.duration_since(then).unwrap_or_default();
    format!("<time datetime=\"{moment}\" title=\"{moment}\">{} ago</time>", short(since))
}

/// Formats `19:26 UTC`, or `2026-11-22` for another day.
pub fn since(then: SystemTime, now: SystemTime) -> String {
    let (t, today) = (Civil::from_system(then), Civil::from_system(now));
    match (t.year, t.month, t.day) == (today.year, today.month, today.day) {
        true => format!("{:02}:{:02} UTC", t.hour, t.minute),
        false => format!("{:04}-{:02}-{:02}", t.year, t.month, t.day),
    }
}

/// Formats `1 session` or `2 sessions`.
pub fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Returns the hash that identifies an inline script or style in a Content-Security-Policy.
pub fn csp_hash(text: &str) -> String {
    format!("sha256-{}", text::base64(&Sha256::of(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_contains_markup_or_hidden_characters() {
        assert_eq!(text("<script>alert('\"&')</script>").matches(['<', '>', '"', '\'']).count(), 0);
        assert_eq!(text("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
        assert_eq!(text("für 日本 😀 e\u{301}"), "für 日本 😀 e\u{301}");
        for c in ['\0', '\n', '\u{1b}', '\u{7f}', '\u{85}', '\u{202e}', '\u{2066}', '\u{200b}'] {
            assert_eq!(text(c), c.escape_unicode().to_string());
        }
    }

    #[test]
    fn a_long_text_is_cut_at_its_beginning() {
        let shown = text(format!("{}<end", "x".repeat(5000)));
        assert!(shown.starts_with('…') && shown.ends_with("x&lt;end"), "{shown}");
        assert_eq!(text("x".repeat(LONGEST)).len(), LONGEST);
    }

    #[test]
    fn numbers_are_short() {
        for (number, shown) in [
            (0.0, "0 B"),
            (1023.0, "1023 B"),
            (1023.6, "1.0 KiB"),
            (1536.0, "1.5 KiB"),
            (10.0 * 1024.0, "10 KiB"),
            (1048575.0, "1.0 MiB"),
            (u64::MAX as f64, "16 EiB"),
        ] {
            assert_eq!(bytes(number), shown);
        }
        for (seconds, long, one) in [
            (0, "0 s", "0 s"),
            (61, "1 min 1 s", "1 min"),
            (7260, "2 h 1 min", "2 h"),
            (90_000, "1 d 1 h", "1 d"),
        ] {
            let time = Duration::from_secs(seconds);
            assert_eq!((duration(time), short(time)), (long.to_string(), one.to_string()));
        }
        assert_eq!(precise_duration(Duration::from_millis(1234)), "1.23 s");
        assert_eq!(
            (count(1, "session"), count(2, "session")),
            ("1 session".into(), "2 sessions".into())
        );
    }

    #[test]
    fn another_day_is_shown_as_a_date() {
        let (then, day) = (SystemTime::UNIX_EPOCH, Duration::from_secs(86_400));
        assert_eq!(since(then, then), "00:00 UTC");
        assert_eq!(since(then, then + day), "1970-01-01");
    }

    #[test]
    fn the_hash_is_base64() {
        // printf '' | openssl dgst -sha256 -binary | base64
        assert_eq!(csp_hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
