//! Converts the times of LIST to UTC, as far as MIRROR or the output of a listing needs them.
//!
//! LIST shows times to the minute, and for old files only the day, in an unknown time zone. MDTM returns
//! times to the second in UTC (RFC 3659 section 2.3). For each month in the listing, MDTM is sent for the
//! first and the last file. If both times of LIST have the same offset from UTC, so has the whole month.
//! A month in which daylight saving time begins or ends has two offsets, so MDTM is sent for each of its
//! files, and for each file whose time in LIST is not precise enough.
//!
//! A mirror sends MDTM only for files that are on both sides and have the same size. In output, a file of which
//! LIST shows only the day keeps that day.

use super::plan::{DAY, FileFacts, MINUTE, Node, Rules, Tree};
use super::walk::joined;
use crate::client::connection::Connection;
use crate::client::error::Error;
use crate::client::name::parse_name;
use crate::client::signals::Armed;
use crate::protocol::Name;
use crate::protocol::time::Civil;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The number of MDTM commands that are pipelined.
const BATCH: usize = 32;

const HOUR: i64 = 60 * 60;

/// The range of the offsets of time zones from UTC, which are multiples of a quarter of an hour.
const WEST: i64 = -12 * HOUR;
const EAST: i64 = 14 * HOUR;
const QUARTER: i64 = HOUR / 4;

/// Converts the times of LIST in the remote tree to UTC.
pub(super) fn settle(
    connection: &mut Connection,
    root: &[u8],
    remote: &mut Tree,
    local: &Tree,
    rules: &Rules,
    armed: &Armed,
) -> Result<(), Error> {
    let files = undecided(remote, local, rules);
    let (told, months) = ask_for_times(connection, root, &files, rules, armed)?;
    for file in &files {
        if let Some(Node::File(facts)) = remote.get_mut(&file.path) {
            match told.get(&file.path) {
                Some(time) => (facts.modified, facts.exact) = (Some(*time), true),
                None => facts.modified = months.in_utc(file),
            }
        }
    }
    Ok(())
}

/// A time of LIST that is printed.
pub(in crate::client::shell::commands) struct PrintedTime<'a> {
    /// The path below the listed directory.
    pub(in crate::client::shell::commands) path: Vec<u8>,
    /// The path is a file, so that MDTM may be sent for it.
    pub(in crate::client::shell::commands) is_file: bool,
    pub(in crate::client::shell::commands) modified: &'a mut Option<SystemTime>,
}

/// Converts times of LIST to UTC for output, if the server supports MDTM.
pub(in crate::client::shell::commands) fn settle_printed(
    connection: &mut Connection,
    root: &[u8],
    times: Vec<PrintedTime<'_>>,
    armed: &Armed,
) -> Result<(), Error> {
    let listed = |time: &PrintedTime<'_>| {
        let listed = seconds(time.modified.filter(|modified| *modified >= UNIX_EPOCH)?);
        Some(ListedFile { path: time.path.clone(), listed, compared: None })
    };
    // A name that cannot be sent, because it contains a line end, is still printed.
    let can_ask = |time: &&PrintedTime<'_>| parse_name(&joined(root, &time.path)).is_ok();
    let files = times.iter().filter(|time| time.is_file).filter(can_ask);
    let mut files: Vec<ListedFile> = files.filter_map(listed).collect();
    files.sort_by_key(|file| file.listed);
    let (told, months) = ask_for_times(connection, root, &files, &Rules::default(), armed)?;
    for time in times {
        if let Some(file) = listed(&time) {
            let told = told.get(&file.path).filter(|_| time.is_file);
            *time.modified = told.copied().or_else(|| months.in_utc(&file));
        }
    }
    Ok(())
}

/// Returns the times of MDTM, and the offsets of the other files. The files are sorted by their times.
fn ask_for_times(
    connection: &mut Connection,
    root: &[u8],
    files: &[ListedFile],
    rules: &Rules,
    armed: &Armed,
) -> Result<(BTreeMap<Vec<u8>, SystemTime>, MonthlyOffsets), Error> {
    let mut told = ask(connection, root, &samples(files), armed)?;
    let months = MonthlyOffsets::of(files, &told);
    let open = files.iter().filter(|file| !told.contains_key(&file.path));
    let open: Vec<&ListedFile> = open.filter(|file| months.leave_open(file, rules)).collect();
    told.extend(ask(connection, root, &open, armed)?);
    Ok((told, months))
}

/// A file of a listing.
struct ListedFile {
    path: Vec<u8>,
    /// The time in LIST, in seconds since 1970 of the server's time zone.
    listed: i64,
    /// The local file, if its time decides about a transfer.
    compared: Option<ComparedFile>,
}

/// A local file that a mirror compares with a remote one.
#[derive(Clone, Copy)]
struct ComparedFile {
    /// Its time, in seconds since 1970.
    local: i64,
    is_resized: bool,
}

impl ListedFile {
    /// Returns whether LIST shows only the day. A time of midnight counts as that, too.
    fn is_dated(&self) -> bool {
        self.listed.rem_euclid(DAY as i64) == 0
    }

    fn is_of_day(&self, time: i64) -> bool {
        self.listed.div_euclid(DAY as i64) == time.div_euclid(DAY as i64)
    }

    fn month(&self) -> Option<(i64, u8)> {
        let Civil { year, month, .. } = Civil::from_system(from_seconds(self.listed)?);
        Some((year, month))
    }
}

/// Returns the files on both sides whose sizes do not decide, sorted by their times in LIST.
fn undecided(remote: &Tree, local: &Tree, rules: &Rules) -> Vec<ListedFile> {
    let mut files = Vec::new();
    for (path, node) in remote {
        if let (Node::File(there), Some(Node::File(here))) = (node, local.get(path))
            && let (false, Some(listed), Some(local)) = (there.exact, there.modified, here.modified)
        {
            let is_resized = !rules.sizes_are_lost && is_resized(there, here);
            let (listed, local) = (seconds(listed), seconds(local));
            if rules.only_newer || !is_resized {
                let compared = Some(ComparedFile { local, is_resized });
                files.push(ListedFile { path: path.clone(), listed, compared });
            }
        }
    }
    files.sort_by_key(|file| file.listed);
    files
}

fn is_resized(there: &FileFacts, here: &FileFacts) -> bool {
    matches!((there.size, here.size), (Some(there), Some(here)) if there != here)
}

/// Returns the first and the last file of each month that have a time of day.
fn samples(files: &[ListedFile]) -> Vec<&ListedFile> {
    let timed: Vec<&ListedFile> = files.iter().filter(|file| !file.is_dated()).collect();
    let of_month = timed.chunk_by(|one, other| one.month() == other.month());
    of_month.flat_map(|month| month.first().into_iter().chain(month[1..].last())).copied().collect()
}

/// Returns the times of files from MDTM, without the files for which it is refused.
fn ask(
    connection: &mut Connection,
    root: &[u8],
    files: &[&ListedFile],
    armed: &Armed,
) -> Result<BTreeMap<Vec<u8>, SystemTime>, Error> {
    let mut told = BTreeMap::new();
    for batch in files.chunks(BATCH) {
        if armed.came() {
            return Err(Error::Interrupted);
        }
        connection.reconnect_if_lost()?;
        let names = batch.iter().map(|file| parse_name(&joined(root, &file.path)));
        let names: Vec<Name> = names.collect::<Result<_, _>>()?;
        for (file, time) in batch.iter().zip(connection.times_of(&names)?) {
            told.extend(time.map(|time| (file.path.clone(), time)));
        }
    }
    Ok(told)
}

/// The offset of the server's time zone from UTC in each month.
struct MonthlyOffsets(BTreeMap<(i64, u8), UtcOffset>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UtcOffset {
    /// In seconds.
    By(i64),
    /// There are several offsets, or one that no time zone has.
    Unclear,
}

impl MonthlyOffsets {
    fn of(files: &[ListedFile], told: &BTreeMap<Vec<u8>, SystemTime>) -> MonthlyOffsets {
        let mut months = BTreeMap::new();
        for file in files.iter().filter(|file| !file.is_dated()) {
            if let (Some(month), Some(time)) = (file.month(), told.get(&file.path)) {
                let ahead = UtcOffset::of(file.listed, seconds(*time));
                months
                    .entry(month)
                    .and_modify(|known| {
                        if *known != ahead {
                            *known = UtcOffset::Unclear;
                        }
                    })
                    .or_insert(ahead);
            }
        }
        MonthlyOffsets(months)
    }

    /// Returns the offset in the month of a file, or in the nearest known month.
    fn ahead(&self, file: &ListedFile) -> Option<UtcOffset> {
        let month = file.month()?;
        let before = self.0.range(..=month).next_back();
        before.or_else(|| self.0.range(month..).next()).map(|(_, ahead)| *ahead)
    }

    /// Returns whether MDTM is needed to decide if a file is the same as, or newer than, the local one. Without a
    /// local file, it is needed if the offset is unclear.
    fn leave_open(&self, file: &ListedFile, rules: &Rules) -> bool {
        let Some(ComparedFile { local, is_resized }) = file.compared else {
            return !file.is_dated() && self.ahead(file) == Some(UtcOffset::Unclear);
        };
        if file.is_dated() {
            let may_be = file.listed - EAST <= local && local < file.listed + DAY as i64 - WEST;
            return may_be && (!file.is_of_day(local) || (rules.only_newer && is_resized));
        }
        match self.ahead(file) {
            Some(UtcOffset::By(ahead)) => {
                let minute = |time: i64| time.div_euclid(MINUTE as i64);
                let is_of_minute = minute(file.listed - ahead) == minute(local);
                rules.only_newer && is_resized && is_of_minute
            }
            Some(UtcOffset::Unclear) => true,
            None => false,
        }
    }

    /// Returns the time of a file for which MDTM was not sent.
    fn in_utc(&self, file: &ListedFile) -> Option<SystemTime> {
        let ahead = match self.ahead(file) {
            Some(UtcOffset::By(ahead)) if !file.is_dated() => ahead,
            _ => 0,
        };
        from_seconds(file.listed - ahead)
    }
}

impl UtcOffset {
    fn of(listed: i64, time: i64) -> UtcOffset {
        let minute = |time: i64| time - time.rem_euclid(MINUTE as i64);
        let ahead = minute(listed) - minute(time);
        let is_zone = (WEST..=EAST).contains(&ahead) && ahead % QUARTER == 0;
        if is_zone { UtcOffset::By(ahead) } else { UtcOffset::Unclear }
    }
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn from_seconds(seconds: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-10-01 00:00.
    const OCTOBER: i64 = 1_759_276_800;
    const DAYS: i64 = DAY as i64;

    fn file(path: &str, listed: i64, local: i64) -> ListedFile {
        let compared = Some(ComparedFile { local, is_resized: false });
        ListedFile { path: path.into(), listed, compared }
    }

    fn told(times: &[(&str, i64)]) -> BTreeMap<Vec<u8>, SystemTime> {
        times
            .iter()
            .map(|(path, time)| (path.as_bytes().to_vec(), from_seconds(*time).unwrap()))
            .collect()
    }

    #[test]
    fn the_first_and_the_last_of_each_month_are_samples() {
        let times = [0, HOUR, 2 * HOUR, 40 * DAYS, 41 * DAYS + 60, 80 * DAYS + 60];
        let files: Vec<ListedFile> =
            times.iter().map(|time| file("f", OCTOBER + HOUR + time, 0)).collect();
        let found = samples(&files);
        let found: Vec<i64> = found.iter().map(|file| file.listed - OCTOBER - HOUR).collect();
        assert_eq!(found, [0, 2 * HOUR, 40 * DAYS, 41 * DAYS + 60, 80 * DAYS + 60]);
        // Midnight may be a date without a time.
        assert!(samples(&[file("f", OCTOBER, 0)]).is_empty());
    }

    #[test]
    fn a_month_with_two_offsets_is_unclear_and_its_neighbors_are_not() {
        let september = OCTOBER - 10 * DAYS + HOUR;
        let files = [
            file("a", september, september - 2 * HOUR),
            file("b", OCTOBER + HOUR, 0),
            file("c", OCTOBER + 30 * DAYS + HOUR, 0),
            file("d", OCTOBER + 90 * DAYS + HOUR, 0),
        ];
        let told = told(&[
            ("a", september - 2 * HOUR + 59),
            ("b", OCTOBER - HOUR),
            ("c", OCTOBER + 30 * DAYS),
        ]);
        let months = MonthlyOffsets::of(&files, &told);
        let ahead: Vec<_> = files.iter().map(|file| months.ahead(file)).collect();
        let unclear = Some(UtcOffset::Unclear);
        // The last month has no sample, so that of the month before applies.
        assert_eq!(ahead, [Some(UtcOffset::By(2 * HOUR)), unclear, unclear, unclear]);
        let rules = Rules::default();
        let open: Vec<bool> = files.iter().map(|file| months.leave_open(file, &rules)).collect();
        assert_eq!(open, [false, true, true, true]);
        assert_eq!(months.in_utc(&files[0]), from_seconds(september - 2 * HOUR));
    }

    #[test]
    fn only_offsets_of_time_zones_count() {
        for (listed, time, ahead) in [
            (OCTOBER, OCTOBER + 59, UtcOffset::By(0)),
            (OCTOBER, OCTOBER - 60, UtcOffset::Unclear),
            (OCTOBER + 45 * 60 + 5 * HOUR, OCTOBER, UtcOffset::By(5 * HOUR + 45 * 60)),
            (OCTOBER - 12 * HOUR, OCTOBER, UtcOffset::By(WEST)),
            (OCTOBER + 14 * HOUR, OCTOBER, UtcOffset::By(EAST)),
            (OCTOBER + 15 * HOUR, OCTOBER, UtcOffset::Unclear),
        ] {
            assert_eq!(UtcOffset::of(listed, time), ahead, "{listed} {time}");
        }
    }

    #[test]
    fn a_date_decides_unless_the_local_time_is_on_that_day_in_another_time_zone() {
        let months = MonthlyOffsets(BTreeMap::new());
        for (local, is_open) in [
            (OCTOBER, false),
            (OCTOBER + DAYS - 1, false),
            (OCTOBER - 1, true),
            (OCTOBER - 14 * HOUR, true),
            (OCTOBER - 14 * HOUR - 1, false),
            (OCTOBER + DAYS + 12 * HOUR - 1, true),
            (OCTOBER + DAYS + 12 * HOUR, false),
        ] {
            let open = months.leave_open(&file("f", OCTOBER, local), &Rules::default());
            assert_eq!(open, is_open, "{}", local - OCTOBER);
        }
    }
}
