//! Tests of `time`.

use super::*;

/// The first second of `SystemTime` on Windows.
const BEFORE_1601: i64 = -11_644_473_600;

fn at(seconds: i64) -> SystemTime {
    from_unix(seconds).expect("in range")
}

fn civil(year: i64, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Civil {
    Civil { year, month, day, hour, minute, second }
}

fn stamp(time: SystemTime) -> String {
    let mut out = Vec::new();
    write_timestamp(time, &mut out);
    String::from_utf8(out).expect("digits")
}

fn parsed(text: &str) -> SystemTime {
    parse_timestamp(text.as_bytes()).unwrap_or_else(|| panic!("{text} is a timestamp"))
}

#[test]
fn ctime_is_that_of_c() {
    // The expected texts are those of `date -u -d @... '+%a %b %e %H:%M:%S %Y'`.
    for (seconds, text) in [
        (0, "Thu Jan  1 00:00:00 1970"),
        (-1, "Wed Dec 31 23:59:59 1969"),
        (951_782_400, "Tue Feb 29 00:00:00 2000"),
        (1_793_561_400, "Sun Nov  1 19:30:00 2026"),
        (2_147_483_648, "Tue Jan 19 03:14:08 2038"),
        (-62_135_596_800, "Mon Jan  1 00:00:00 0001"),
    ] {
        let mut out = Vec::new();
        write_ctime(at(seconds), &mut out);
        assert_eq!(out, text.as_bytes());
    }
}

fn ls(time: &str, now: &str) -> String {
    let mut out = Vec::new();
    write_ls_date(parsed(time), parsed(now), &mut out);
    String::from_utf8(out).expect("ASCII")
}

fn from_ls(text: &str, now: &str) -> Option<String> {
    let mut words = text.split_whitespace().map(str::as_bytes);
    let mut word = || words.next().expect("three words");
    parse_ls_date(word(), word(), word(), parsed(now)).map(stamp)
}

/// A xorshift64 generator: the same sequence in every run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn known_moments_agree_in_both_directions() {
    // Seconds as `date -u -d ... +%s` prints them.
    for (seconds, text) in [
        (0, "19700101000000"),
        (-1, "19691231235959"),
        (951_782_400, "20000229000000"),
        (951_868_800, "20000301000000"),
        (-2_203_891_201, "19000228235959"),
        (-2_203_891_200, "19000301000000"),
        (1_709_164_800, "20240229000000"),
        (4_107_542_399, "21000228235959"),
        (4_107_542_400, "21000301000000"),
        (2_147_483_648, "20380119031408"),
        (-62_135_596_800, "00010101000000"),
        (-62_167_219_200, "00000101000000"),
        (253_402_300_799, "99991231235959"),
    ] {
        let time = from_unix(seconds);
        assert_eq!(parse_timestamp(text.as_bytes()), time, "{text}");
        if let Some(time) = time {
            assert_eq!(stamp(time), text, "{seconds}");
        } else {
            assert!(cfg!(windows) && seconds < BEFORE_1601, "{text}");
        }
    }
}

#[test]
fn a_random_walk_round_trips_and_never_goes_back() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut seconds = if cfg!(windows) { BEFORE_1601 } else { -80_000_000_000 };
    while seconds < 260_000_000_000 {
        let time = at(seconds);
        let shown = Civil::from_system(time);
        assert_eq!(shown.to_system(), Some(time), "{shown:?}");
        if (0..=9999).contains(&shown.year) {
            assert_eq!(parsed(&stamp(time)), time);
        }
        seconds += (random(&mut state) % 3_000_000) as i64 + 1;
    }
}

#[test]
fn every_day_of_four_centuries_follows_its_predecessor() {
    let mut before = date_of(days_to(1890, 12, 31));
    for days in days_to(1891, 1, 1)..days_to(2301, 1, 1) {
        let today = date_of(days);
        let (year, month, day) = before;
        let expected = if day < days_in(year, month) {
            (year, month, day + 1)
        } else if month < 12 {
            (year, month + 1, 1)
        } else {
            (year + 1, 1, 1)
        };
        assert_eq!(today, expected);
        assert_eq!(days_to(today.0, today.1, today.2), days);
        before = today;
    }
}

#[test]
fn a_fraction_before_1970_belongs_to_the_second_it_lies_in() {
    let time = UNIX_EPOCH - Duration::from_millis(1);
    assert_eq!(Civil::from_system(time), civil(1969, 12, 31, 23, 59, 59));
    let time = UNIX_EPOCH - Duration::from_millis(1000);
    assert_eq!(Civil::from_system(time), civil(1969, 12, 31, 23, 59, 59));
    let time = UNIX_EPOCH - Duration::from_millis(1001);
    assert_eq!(Civil::from_system(time), civil(1969, 12, 31, 23, 59, 58));
}

#[test]
fn impossible_dates_are_refused() {
    for impossible in [
        civil(2025, 2, 29, 0, 0, 0),
        civil(1900, 2, 29, 0, 0, 0),
        civil(2024, 2, 30, 0, 0, 0),
        civil(2025, 4, 31, 0, 0, 0),
        civil(2025, 0, 1, 0, 0, 0),
        civil(2025, 13, 1, 0, 0, 0),
        civil(2025, 1, 0, 0, 0, 0),
        civil(2025, 1, 1, 24, 0, 0),
        civil(2025, 1, 1, 0, 60, 0),
        civil(2025, 1, 1, 0, 0, 61),
        civil(i64::MAX, 1, 1, 0, 0, 0),
        civil(i64::MIN, 1, 1, 0, 0, 0),
        civil(MAX_YEAR, 12, 31, 0, 0, 0),
        civil(-MAX_YEAR, 1, 1, 0, 0, 0),
    ] {
        assert_eq!(impossible.to_system(), None, "{impossible:?}");
    }
}

#[test]
fn a_leap_second_is_the_last_second_of_its_minute() {
    assert_eq!(parsed("20161231235960"), parsed("20161231235959"));
}

#[test]
fn the_ends_of_system_time_have_dates_and_texts() {
    let mut ends = vec![UNIX_EPOCH, UNIX_EPOCH];
    for power in (0..64).rev() {
        let step = Duration::new(1 << power, 999_999_999);
        ends[0] = ends[0].checked_add(step).unwrap_or(ends[0]);
        ends[1] = ends[1].checked_sub(step).unwrap_or(ends[1]);
    }
    let first_year = if cfg!(windows) { "1601" } else { "0000" };
    for (end, year) in ends.iter().zip(["9999", first_year]) {
        let _ = Civil::from_system(*end).to_system();
        assert_eq!(&stamp(*end)[..4], year);
        for now in &ends {
            let mut out = Vec::new();
            write_ls_date(*end, *now, &mut out);
            assert_eq!(out.len(), 12, "{:?}", String::from_utf8_lossy(&out));
            let _ = parse_ls_date(b"Feb", b"29", b"10:00", *now);
        }
    }
}

#[test]
fn fractions_are_kept_to_nanoseconds() {
    let whole = parsed("20250102030405");
    for (fraction, nanos) in [
        ("5", 500_000_000),
        ("007", 7_000_000),
        ("123456789", 123_456_789),
        ("9999999999", 999_999_999),
    ] {
        let time = parsed(&format!("20250102030405.{fraction}"));
        assert_eq!(time, whole + Duration::from_nanos(nanos), "{fraction}");
    }
}

#[test]
fn years_since_1900_are_understood() {
    assert_eq!(parsed("191000229120000"), parsed("20000229120000"));
    assert_eq!(parsed("191261122134000"), parsed("20261122134000"));
}

#[test]
fn other_texts_are_no_timestamps() {
    for text in [
        "",
        ".",
        "2025",
        "2025010203040",
        "202501020304055",
        "20250102030405.",
        "20250102030405.x",
        "20250102030405.1.2",
        "2025-102030405",
        "+2025010203040",
        "20250102 30405",
        "20251302030405",
        "20250230030405",
        "20250102240000",
        "192261122134000",
        "19126112213400x",
        "1912611221340000",
        "20250102030405 ",
    ] {
        assert_eq!(parse_timestamp(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn ls_dates_show_the_time_for_half_a_year_and_then_the_year() {
    let now = "20250701120000";
    assert_eq!(ls("20250701120000", now), "Jul  1 12:00");
    assert_eq!(ls("20250102030405", now), "Jan  2 03:04");
    assert_eq!(ls("20241230120000", now), "Dec 30  2024");
    assert_eq!(ls("20250701120001", now), "Jul  1  2025");
    let edge = parsed(now) - Duration::from_secs(HALF_YEAR as u64);
    assert_eq!(ls(&stamp(edge), now), "Dec 30  2024");
    assert_eq!(ls(&stamp(edge + Duration::from_secs(1)), now), "Dec 30 21:05");
}

#[test]
fn ls_years_are_right_aligned_in_five_columns() {
    for (year, columns) in [
        (-1, "    0"),
        (9, "    9"),
        (99, "   99"),
        (100, "  100"),
        (2025, " 2025"),
        (12_345, " 9999"),
    ] {
        let mut out = Vec::new();
        write_ls_year(year, &mut out);
        assert_eq!(out, columns.as_bytes());
    }
}

#[test]
fn a_date_without_a_year_is_the_latest_possible_one() {
    let now = "20250301120000";
    assert_eq!(from_ls("Mar  1 12:00", now).as_deref(), Some("20250301120000"));
    assert_eq!(from_ls("Mar  2 12:00", now).as_deref(), Some("20250302120000"));
    assert_eq!(from_ls("Mar  2 12:01", now).as_deref(), Some("20240302120100"));
    assert_eq!(from_ls("dec 31 23:59", now).as_deref(), Some("20241231235900"));
    assert_eq!(from_ls("FEB 29 10:00", now).as_deref(), Some("20240229100000"));
    assert_eq!(from_ls("Feb 29 10:00", "21030101000000").as_deref(), Some("20960229100000"));
    assert_eq!(from_ls("Jan 1 0:30", "20241231120000").as_deref(), Some("20250101003000"));
    assert_eq!(from_ls("Jan  2  2025", now).as_deref(), Some("20250102000000"));
}

#[test]
fn other_words_are_no_ls_date() {
    for text in [
        "Foo 1 2025",
        "Jan 32 2025",
        "Jan x 2025",
        "Jan 1 20250",
        "Feb 30 10:00",
        "Jan 1 24:00",
        "Jan 1 :",
        "Jan 1 1:2:3:4",
    ] {
        assert_eq!(from_ls(text, "20250301120000"), None, "{text}");
    }
}

#[test]
fn ls_dates_are_parsed_as_they_are_written() {
    let mut state = 7;
    for _ in 0..20_000 {
        let now = at((random(&mut state) % 10_000_000_000) as i64);
        let age = Duration::from_secs(random(&mut state) % 60_000_000);
        let time = now - age;
        let mut out = Vec::new();
        write_ls_date(time, now, &mut out);
        let unit = if out.contains(&b':') { 60 } else { DAY };
        let shown = at(unix_seconds(time).div_euclid(unit) * unit);
        let text = String::from_utf8(out).expect("ASCII");
        assert_eq!(from_ls(&text, &stamp(now)), Some(stamp(shown)), "{text}");
    }
}

#[test]
fn clocks_of_twelve_and_of_twenty_four_hours_are_read() {
    for (text, clock) in [
        ("03:04", Some([3, 4, 0])),
        ("3:04:05", Some([3, 4, 5])),
        ("10:30:13.64", Some([10, 30, 13])),
        ("12:00AM", Some([0, 0, 0])),
        ("12:00pm", Some([12, 0, 0])),
        ("11:59PM", Some([23, 59, 0])),
        ("13:00PM", None),
        ("00:00AM", None),
        ("03:04:05:06", None),
        ("03", None),
        ("PM", None),
        ("", None),
    ] {
        assert_eq!(parse_clock(text.as_bytes()), clock, "{text}");
    }
}
