//! What LIST prints, read: `ls -l` in its dialects, and the forms of servers that are no Unix.
//!
//! No RFC defines any of it, so the parsers are strict about what tells a form – the letters of a
//! mode, a number and a date side by side, `<DIR>` – and do not care what stands between. A line
//! of no known form, such as `total 12`, gives `None` and is not an error.
//!
//! Times are taken for UTC; a server that shows its own zone is off by hours, and only MDTM or MLSD
//! can tell. Lines that go on on the next line (VMS) are not read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Entry, Kind, Owner, Unique, number, split_at_first};
use crate::protocol::time::{Civil, parse_clock, parse_ls_date, parse_month};

/// More columns than any server puts before the date.
const MAX_COLUMNS: usize = 10;

impl Entry {
    /// Reads a line of LIST in the form of Unix, DOS and IIS, EPLF or VMS. `now` serves to guess
    /// the year of dates that have none.
    pub fn parse_ls(line: &[u8], now: SystemTime) -> Option<Entry> {
        let mut entry = parse_eplf(line)
            .or_else(|| parse_unix(line, now))
            .or_else(|| parse_netware(line, now))
            .or_else(|| parse_dos(line))
            .or_else(|| parse_vms(line))?;
        // `ls -a` shows both, and a client that walks into them walks for ever.
        match (&entry.kind, entry.name.as_slice()) {
            (_, b"") => return None,
            (Kind::Dir, b".") => entry.kind = Kind::CurrentDir,
            (Kind::Dir, b"..") => entry.kind = Kind::ParentDir,
            _ => {}
        }
        Some(entry)
    }
}

/// Words with blanks between them; `rest` is what follows the last word taken.
#[derive(Clone, Copy)]
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|b| !is_blank(b))?;
        let word = &self.rest[start..];
        let end = word.iter().position(is_blank).unwrap_or(word.len());
        self.rest = &word[end..];
        Some(&word[..end])
    }

    /// What stands after one blank: a name may begin with more.
    fn name(self) -> Option<&'a [u8]> {
        self.rest.split_first().map(|(_, name)| name)
    }
}

fn is_blank(byte: &u8) -> bool {
    *byte == b' ' || *byte == b'\t'
}

// ---- Unix ------------------------------------------------------------------------------------

/// `-rw-r--r--   1 root     wheel        1234 Jan  2 03:04 name`
fn parse_unix(line: &[u8], now: SystemTime) -> Option<Entry> {
    let mut words = Words { rest: line };
    let mode = words.next()?;
    let (kind, bits) = parse_mode(mode)?;
    let columns = Columns::parse(words, now)?;
    let name = columns.after.name()?;
    let mut entry = columns.entry(name, kind);
    entry.mode = Some(bits);
    if matches!(entry.kind, Kind::Link(_)) {
        split_link(&mut entry);
    }
    Some(entry)
}

/// `d [R----F--] supervisor            512       Jan 16 18:53    name`, also without the first
/// blank. Novell's rights are no Unix mode, and several blanks stand before a name.
fn parse_netware(line: &[u8], now: SystemTime) -> Option<Entry> {
    let kind = match line.first()? {
        b'-' => Kind::File,
        b'd' => Kind::Dir,
        _ => return None,
    };
    let (gap, rest) = split_at_first(b'[', &line[1..])?;
    let (rights, rest) = split_at_first(b']', rest)?;
    if !gap.iter().all(is_blank) || !rights.iter().all(|b| b"RWCEAFMSD-".contains(b)) {
        return None;
    }
    let columns = Columns::parse(Words { rest }, now)?;
    Some(columns.entry(columns.after.rest.trim_ascii_start(), kind))
}

/// What stands between the mode and the name.
struct Columns<'a> {
    /// Links, owner, group or fewer of them.
    who: Vec<&'a [u8]>,
    /// `None` for a device, which has two numbers instead.
    size: Option<u64>,
    modified: SystemTime,
    after: Words<'a>,
}

impl<'a> Columns<'a> {
    /// Finds the first number that a date follows. That is what all dialects have in common.
    fn parse(mut words: Words<'a>, now: SystemTime) -> Option<Columns<'a>> {
        let mut who = Vec::new();
        while who.len() < MAX_COLUMNS {
            let word = words.next()?;
            if let Some((size, (modified, after))) = parse_size(word).zip(take_date(words, now)) {
                let size = drop_device(&mut who, size);
                return Some(Columns { who, size, modified, after });
            }
            who.push(word);
        }
        None
    }

    /// A number first is the link count; a server that shows one name shows the owner.
    fn entry(&self, name: &[u8], kind: Kind) -> Entry {
        let mut entry = Entry::new(name, kind);
        let links = self.who.first().and_then(|word| number::<10>(word));
        let owners = &self.who[usize::from(links.is_some())..];
        entry.links = links;
        entry.owner = owners.first().and_then(|word| Owner::parse(word));
        entry.group = owners.get(1..).and_then(<[_]>::last).and_then(|word| Owner::parse(word));
        entry.size = self.size;
        entry.modified = Some(self.modified);
        entry
    }
}

/// A number, or the two of a device in one word, which count as none.
fn parse_size(word: &[u8]) -> Option<Option<u64>> {
    match split_at_first(b',', word) {
        None => number::<10>(word).map(Some),
        Some((major, minor)) => number::<10>(major).and(number::<10>(minor)).map(|_| None),
    }
}

/// `8,   1` is no size but a device; its first half was taken for an owner.
fn drop_device(who: &mut Vec<&[u8]>, size: Option<u64>) -> Option<u64> {
    let major = who.last().and_then(|word| word.strip_suffix(b","));
    if major.and_then(number::<10>).is_none() {
        return size;
    }
    who.pop();
    None
}

/// `Jan  2 03:04`, `Jan  2  2025` or `2025-01-02 03:04`.
fn take_date(mut words: Words<'_>, now: SystemTime) -> Option<(SystemTime, Words<'_>)> {
    let (first, second) = (words.next()?, words.next()?);
    if let Some(date) = parse_iso_date(first) {
        return Some((moment(date, parse_clock(second)?)?, words));
    }
    let third = words.next()?;
    Some((parse_ls_date(first, second, third, now)?, words))
}

/// The kind and the permission bits of `drwxr-xr-x`, perhaps with the sign of an ACL after it.
fn parse_mode(word: &[u8]) -> Option<(Kind, u32)> {
    let kind = match word.first()? {
        b'-' => Kind::File,
        b'd' => Kind::Dir,
        b'l' => Kind::Link(Vec::new()),
        b'b' | b'c' | b'p' | b's' | b'D' | b'C' | b'M' | b'n' | b'P' => Kind::Other,
        _ => return None,
    };
    let bits = match word.get(10..)? {
        b"" | b"+" | b"." | b"@" => &word[1..10],
        _ => return None,
    };
    let user = parse_triple(&bits[..3], b's', 0o4000, 6)?;
    let group = parse_triple(&bits[3..6], b's', 0o2000, 3)?;
    let other = parse_triple(&bits[6..], b't', 0o1000, 0)?;
    Some((kind, user | group | other))
}

fn parse_triple(letters: &[u8], special: u8, special_bit: u32, shift: u32) -> Option<u32> {
    let flag = |letter, expected, bit: u32| match letter {
        b'-' => Some(0),
        _ if letter == expected => Some(bit << shift),
        _ => None,
    };
    let execute = match letters[2] {
        letter if letter == special => special_bit | 1 << shift,
        letter if letter == special.to_ascii_uppercase() => special_bit,
        // Solaris: mandatory locking, the same bit as setgid without execute.
        b'l' | b'L' if special_bit == 0o2000 => special_bit,
        letter => flag(letter, b'x', 1)?,
    };
    Some(flag(letters[0], b'r', 4)? | flag(letters[1], b'w', 2)? | execute)
}

/// Splits `name -> target` at the first arrow that has something on both sides.
fn split_link(entry: &mut Entry) {
    const ARROW: &[u8] = b" -> ";
    let end = entry.name.len().saturating_sub(ARROW.len());
    if let Some(at) = (1..end).find(|&at| entry.name[at..].starts_with(ARROW)) {
        let target = entry.name.split_off(at + ARROW.len());
        entry.name.truncate(at);
        entry.kind = Kind::Link(target);
    }
}

// ---- others ----------------------------------------------------------------------------------

/// `01-02-25  03:04PM       <DIR>          name` of IIS and other servers on Windows, whose year
/// may have four digits and come first.
fn parse_dos(line: &[u8]) -> Option<Entry> {
    let mut words = Words { rest: line };
    let date = words.next()?;
    let date = parse_iso_date(date).or_else(|| parse_american_date(date))?;
    let modified = moment(date, parse_clock(words.next()?)?)?;
    let what = words.next()?;
    let mut entry = match what {
        [b'<', middle @ .., b'>'] => {
            let kind = if middle == b"DIR" { Kind::Dir } else { Kind::Other };
            Entry::new(after_padding(words.rest), kind)
        }
        _ => {
            let mut entry = Entry::new(words.name()?, Kind::File);
            entry.size = Some(number_with_commas(what)?);
            entry
        }
    };
    entry.modified = Some(modified);
    Some(entry)
}

/// `<DIR>` is padded with ten blanks; what is beyond them belongs to the name.
fn after_padding(text: &[u8]) -> &[u8] {
    let padding = text.iter().take(10).take_while(|b| is_blank(b)).count();
    &text[padding..]
}

fn number_with_commas(word: &[u8]) -> Option<u64> {
    let digits: Vec<u8> = word.iter().copied().filter(|&b| b != b',').collect();
    number::<10>(&digits)
}

/// `+i8388621.48594,m825718503,r,s280,<tab>name`: Bernstein's easily parsed LIST format, spoken by
/// publicfile and anonftpd. `/` says that CWD works, `r` that RETR does.
fn parse_eplf(line: &[u8]) -> Option<Entry> {
    let (facts, name) = split_at_first(b'\t', line.strip_prefix(b"+")?)?;
    let mut entry = Entry::new(name, Kind::Other);
    for fact in facts.split(|&b| b == b',') {
        match fact {
            b"/" => entry.kind = Kind::Dir,
            b"r" => entry.kind = Kind::File,
            [b'u', b'p', mode @ ..] => entry.mode = number::<8>(mode).map(|m| (m & 0o7777) as u32),
            [b's', size @ ..] => entry.size = number::<10>(size),
            [b'm', seconds @ ..] => entry.modified = number::<10>(seconds).and_then(since_1970),
            [b'i', id @ ..] if !id.is_empty() => {
                entry.unique = Some(Unique::Opaque(id.to_vec()));
            }
            _ => {}
        }
    }
    Some(entry)
}

/// `README.TXT;4  1/2  2-JAN-2025 03:04:05 [SYSTEM] (RWED,RE,RE,)`
///
/// The version goes, since RETR without it fetches the newest, and so does `.DIR`, since CWD does
/// not want it. Sizes are in blocks and thus not known.
fn parse_vms(line: &[u8]) -> Option<Entry> {
    let mut words = Words { rest: line };
    let (name, version) = split_at_first(b';', words.next()?)?;
    number::<10>(version)?;
    let blocks = words.next()?;
    number::<10>(split_at_first(b'/', blocks).map_or(blocks, |(used, _)| used))?;
    let mut entry = match name.strip_suffix(b".DIR").or(name.strip_suffix(b".dir")) {
        Some(name) => Entry::new(name, Kind::Dir),
        None => Entry::new(name, Kind::File),
    };
    let date = parse_vms_date(words.next()?)?;
    let mut after_date = words;
    let clock = after_date.next().and_then(parse_clock).unwrap_or([0, 0, 0]);
    entry.modified = Some(moment(date, clock)?);
    (entry.group, entry.owner) = parse_uic(words.rest);
    Some(entry)
}

/// `[OWNER]` or `[GROUP,OWNER]`
fn parse_uic(text: &[u8]) -> (Option<Owner>, Option<Owner>) {
    let inside = split_at_first(b'[', text).and_then(|(_, rest)| split_at_first(b']', rest));
    let Some((inside, _)) = inside else { return (None, None) };
    match split_at_first(b',', inside) {
        Some((group, owner)) => (Owner::parse(group), Owner::parse(owner)),
        None => (None, Owner::parse(inside)),
    }
}

// ---- dates -----------------------------------------------------------------------------------

/// Year, month and day, not yet checked.
type Date = (i64, u8, u8);

fn moment((year, month, day): Date, [hour, minute, second]: [u8; 3]) -> Option<SystemTime> {
    Civil { year, month, day, hour, minute, second }.to_system()
}

fn since_1970(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// `2025-01-02`
fn parse_iso_date(word: &[u8]) -> Option<Date> {
    let [year, month, day] = three_parts(word)?;
    let year = number::<10>(year).filter(|_| year.len() == 4)?;
    Some((i64::try_from(year).ok()?, small(month)?, small(day)?))
}

/// `01-02-25` or `01-02-2025`. Two digits are the years from 1970 to 2069; three are those since
/// 1900, from servers that did not expect to see 2000.
fn parse_american_date(word: &[u8]) -> Option<Date> {
    let [month, day, year] = three_parts(word)?;
    let year = match number::<10>(year).and_then(|year| i64::try_from(year).ok())? {
        year @ 0..70 => year + 2000,
        year @ 70..1000 => year + 1900,
        year => year,
    };
    Some((year, small(month)?, small(day)?))
}

/// `2-JAN-2025`
fn parse_vms_date(word: &[u8]) -> Option<Date> {
    let [day, month, year] = three_parts(word)?;
    let year = i64::try_from(number::<10>(year)?).ok()?;
    Some((year, parse_month(month)?, small(day)?))
}

fn three_parts(word: &[u8]) -> Option<[&[u8]; 3]> {
    let mut parts = word.split(|b| matches!(b, b'-' | b'/'));
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

fn small(digits: &[u8]) -> Option<u8> {
    number::<10>(digits).and_then(|number| u8::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::super::Facts;
    use super::super::tests::{Random, assert_shown_safely, at};
    use super::*;

    const NOW: &str = "20250301120000";

    fn parsed(line: &str) -> Entry {
        try_parse(line).unwrap_or_else(|| panic!("{line:?} is an entry"))
    }

    fn try_parse(line: &str) -> Option<Entry> {
        Entry::parse_ls(line.as_bytes(), at(NOW))
    }

    /// Who prints it, the line, and what it says as facts.
    const LINES: &[(&str, &str, &str)] = &[
        (
            "vsftpd",
            "drwxr-xr-x    2 1000     1000         4096 Jan 15 10:22 in coming",
            "type=dir;modify=20250115102200; in coming",
        ),
        (
            "vsftpd",
            "-rw-------    1 ftp      ftp      5368709120 Sep 30  2023 image.iso",
            "type=file;size=5368709120;modify=20230930000000; image.iso",
        ),
        (
            "proftpd",
            "-rw-rw-r--   1 ftpadmin ftpusers     8817 Feb 28 23:59 ls-lR.gz",
            "type=file;size=8817;modify=20250228235900; ls-lR.gz",
        ),
        (
            "proftpd",
            "drwxrwsr-t  14 (?)      (?)          4096 Dec 24 18:00 ..",
            "type=pdir;modify=20241224180000; ..",
        ),
        (
            "pure-ftpd",
            "-rw-r--r--    1 500        500                 12 Mar  2 09:00  leading blank",
            "type=file;size=12;modify=20250302090000;  leading blank",
        ),
        (
            "wu-ftpd without a group",
            "dr-xr-xr-x   2 root     512 Apr  8  1994 etc",
            "type=dir;modify=19940408000000; etc",
        ),
        (
            "GNU ls with an ACL",
            "-rwxr-xr-x+ 1 joe users 77 2025-01-02 03:04 run.sh",
            "type=file;size=77;modify=20250102030400; run.sh",
        ),
        (
            "GNU ls under SELinux",
            "-rw-r--r--. 1 joe users 77 2025-01-02 03:04:05 notes",
            "type=file;size=77;modify=20250102030405; notes",
        ),
        (
            "macOS",
            "drwxr-xr-x@  5 joe  staff  160 Nov  5 07:08 Photos Library",
            "type=dir;modify=20241105070800; Photos Library",
        ),
        (
            "a Windows server with a domain",
            "-rw-r--r--   1 group domain user 531 Jan 29 03:26 report.doc",
            "type=file;size=531;modify=20250129032600; report.doc",
        ),
        (
            "neither links nor owner",
            "-rw-r--r-- 531 Jan 29 03:26 bare",
            "type=file;size=531;modify=20250129032600; bare",
        ),
        (
            "a block device",
            "brw-rw----   1 root disk     8,   1 Jan 29 03:26 sda1",
            "type=OS.unix=other;modify=20250129032600; sda1",
        ),
        (
            "a character device in one word",
            "crw-rw-rw-   1 root root 1,3 Jan 29 03:26 null",
            "type=OS.unix=other;modify=20250129032600; null",
        ),
        (
            "a socket",
            "srwxrwxrwx   1 root root 0 Jan 29 03:26 log",
            "type=OS.unix=other;modify=20250129032600; log",
        ),
        (
            "NetWare",
            "d [RWCEAFMS] supervisor            512       Jan 16 18:53    login",
            "type=dir;modify=20250116185300; login",
        ),
        (
            "NetWare",
            "- [R----F--] rhesus             214059       Oct 20 15:27    cx.exe",
            "type=file;size=214059;modify=20241020152700; cx.exe",
        ),
        (
            "NetWare without a blank",
            "d[RWCEAFMS] admin    512 Oct 20  2003 SYS",
            "type=dir;modify=20031020000000; SYS",
        ),
        (
            "IIS",
            "01-02-25  03:04PM       <DIR>          aspnet client",
            "type=dir;modify=20250102150400; aspnet client",
        ),
        (
            "IIS",
            "12-31-99  12:00AM                 1204  two  blanks.txt",
            "type=file;size=1204;modify=19991231000000;  two  blanks.txt",
        ),
        (
            "IIS with long years",
            "01-02-2025  03:04AM                    0 empty",
            "type=file;size=0;modify=20250102030400; empty",
        ),
        (
            "a DOS server with the year first",
            "2025-01-02  18:48                9,730 commas.zip",
            "type=file;size=9730;modify=20250102184800; commas.zip",
        ),
        (
            "a junction",
            "01-02-25  03:04PM       <JUNCTION>     there",
            "type=OS.unix=other;modify=20250102150400; there",
        ),
        (
            "publicfile",
            "+i8388621.48594,m825718503,r,s280,\tdjb.html",
            "type=file;size=280;modify=19960301221503; djb.html",
        ),
        (
            "publicfile",
            "+i8388621.50690,m824255907,/,\t514 and a tab\t",
            "type=dir;modify=19960213235827; 514 and a tab?",
        ),
        (
            "VMS",
            "README.TXT;4  1/2  2-JAN-2025 03:04:05 [SYSTEM] (RWED,RE,RE,)",
            "type=file;modify=20250102030405; README.TXT",
        ),
        (
            "VMS",
            "PUB.DIR;1  1 19-NOV-2001 21:41 [ftp,root] (RWE,RWE,RE,RE)",
            "type=dir;modify=20011119214100; PUB",
        ),
        (
            "VMS without a time",
            "A.B;12    2/8    15-JAN-2000    [IV2_XXX]   (RWED,RWED,RE,)",
            "type=file;modify=20000115000000; A.B",
        ),
    ];

    #[test]
    fn lines_of_real_servers_are_read() {
        for (server, line, facts) in LINES {
            let mut shown = Vec::new();
            parsed(line).write_mlsx(Facts::parse(b"type;size;modify"), &mut shown);
            assert_eq!(String::from_utf8_lossy(&shown), *facts, "{server}: {line}");
        }
    }

    #[test]
    fn directories_and_names_are_kept_as_they_are() {
        assert_eq!(parsed("drwxr-xr-x 2 a b 4096 Jan 15 10:22 x").size, Some(4096));
        assert_eq!(parsed("+r,\ta\tb\u{e4} ").name, "a\tb\u{e4} ".as_bytes());
    }

    #[test]
    fn links_have_targets() {
        for (shown, name, target) in [
            ("ltconfig -> /usr/share/lt", "ltconfig", "/usr/share/lt"),
            ("a -> b -> c", "a", "b -> c"),
            ("no target", "no target", ""),
            ("odd -> ", "odd -> ", ""),
            (" -> x", " -> x", ""),
            ("->", "->", ""),
        ] {
            let entry = parsed(&format!("lrwxrwxrwx   1 root root 7 Jan 25 00:17 {shown}"));
            assert_eq!(entry.name, name.as_bytes());
            assert_eq!(entry.kind, Kind::Link(target.into()));
        }
        assert_eq!(parsed("-rw-r--r-- 1 a b 7 Jan 25 00:17 x -> y").name, b"x -> y");
    }

    #[test]
    fn links_owner_and_group_are_told_apart() {
        let name = |name: &str| Some(Owner::Name(name.into()));
        for (columns, links, owner, group) in [
            ("3 root wheel", Some(3), name("root"), name("wheel")),
            ("3 0 1000", Some(3), Some(Owner::Id(0)), Some(Owner::Id(1000))),
            ("3 root", Some(3), name("root"), None),
            ("root wheel", None, name("root"), name("wheel")),
            ("3", Some(3), None, None),
            ("", None, None, None),
            ("1 Domain Power Users", Some(1), name("Domain"), name("Users")),
        ] {
            let entry = parsed(&format!("-rw-r--r-- {columns} 77 Jan 25 00:17 x"));
            assert_eq!((entry.links, entry.owner, entry.group), (links, owner, group), "{columns}");
            assert_eq!(entry.size, Some(77));
        }
    }

    #[test]
    fn devices_keep_their_owners() {
        for numbers in ["8, 1", "8,   1", "8,1"] {
            let entry = parsed(&format!("brw-rw---- 1 root disk {numbers} Jan 29 03:26 sda1"));
            assert_eq!(entry.owner, Some(Owner::Name(b"root".to_vec())));
            assert_eq!(entry.group, Some(Owner::Name(b"disk".to_vec())), "{numbers}");
        }
    }

    #[test]
    fn modes_have_twelve_bits() {
        for (shown, mode) in [
            ("----------", 0),
            ("-rwxrwxrwx", 0o777),
            ("-rwsrwsrwt", 0o7777),
            ("---S--S--T", 0o7000),
            ("-rw-r-l---", 0o2640),
            ("-rw-r--r--+", 0o644),
        ] {
            let entry = parsed(&format!("{shown} 1 a b 7 Jan 25 00:17 x"));
            assert_eq!(entry.mode, Some(mode), "{shown}");
        }
    }

    #[test]
    fn eplf_facts_are_kept() {
        let entry = parsed("+i8.50690,up644,unknown,,m824255907,\tx");
        assert_eq!((entry.mode, entry.kind), (Some(0o644), Kind::Other));
        assert_eq!(entry.unique, Some(Unique::Opaque(b"8.50690".to_vec())));
        assert_eq!(parsed("+m18446744073709551615,r,\tx").modified, None);
    }

    #[test]
    fn vms_owners_are_in_brackets() {
        let entry = parsed("PUB.DIR;1  1 19-NOV-2001 21:41 [ftp,root] (RWE,RWE,RE,RE)");
        assert_eq!(entry.owner, Some(Owner::Name(b"root".to_vec())));
        assert_eq!(entry.group, Some(Owner::Name(b"ftp".to_vec())));
    }

    #[test]
    fn years_of_two_and_three_digits_are_completed() {
        for (date, modified) in [
            ("01-02-69", "20690102000000"),
            ("01-02-70", "19700102000000"),
            ("01-02-103", "20030102000000"),
        ] {
            let entry = parsed(&format!("{date}  12:00AM  <DIR>  x"));
            assert_eq!(entry.modified, Some(at(modified)), "{date}");
        }
    }

    #[test]
    fn the_directory_itself_and_its_parent_are_marked() {
        assert_eq!(parsed("drwxr-xr-x 2 a b 7 Jan 25 00:17 .").kind, Kind::CurrentDir);
        assert_eq!(parsed("01-02-25  03:04PM       <DIR>          ..").kind, Kind::ParentDir);
        assert_eq!(parsed("drwxr-xr-x 2 a b 7 Jan 25 00:17 ...").kind, Kind::Dir);
    }

    #[test]
    fn other_lines_are_no_entries() {
        for line in [
            "",
            " ",
            "total 12",
            "total 0",
            "a name",
            "-rw-r--r--",
            "-rw-r--r--   1 a b 7 Jan 25 00:17",
            "-rw-r--r--   1 a b 7 Jan 25 00:17 ",
            "-rw-r--r--   1 a b 7 Foo 25 00:17 x",
            "-rw-r--r--   1 a b 7 Jan 32 00:17 x",
            "-rw-r--r--   1 a b x Jan 25 00:17 x",
            "-rw-r--r--!  1 a b 7 Jan 25 00:17 x",
            "-rw-r--q--   1 a b 7 Jan 25 00:17 x",
            "?rw-r--r--   1 a b 7 Jan 25 00:17 x",
            "d [RWQ] a 512 Jan 16 18:53 x",
            "d x [RWC] a 512 Jan 16 18:53 x",
            "13-02-25  03:04PM       <DIR>          x",
            "01-02-25  13:04PM       <DIR>          x",
            "01-02-25  03:04PM       <DIR>",
            "01-02-25  03:04PM       <DIR>          ",
            "01-02-25  03:04PM                 12x4 x",
            "+i1,r,no tab",
            "+\t",
            "Directory DISK$USER:[ANONYMOUS]",
            "Total of 3 files, 8/16 blocks",
            "LONGNAME.TXT;1",
            "A.B;x 1/2  2-JAN-2025 03:04",
            "A.B;1 1/2  2-JAN 03:04",
            ";1 1/2  2-JAN-2025 03:04",
            "type=file;size=1; x",
            "226 Transfer complete",
        ] {
            assert_eq!(try_parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn no_bytes_break_the_parser_or_what_is_made_of_them() {
        let mut random = Random(4);
        let moments = [at(NOW), UNIX_EPOCH, at("20240229120000"), at("99991231235959")];
        for round in 0..200_000 {
            let (_, line, _) = LINES[random.below(LINES.len())];
            let line = random.mutate(line.as_bytes());
            if let Some(entry) = Entry::parse_ls(&line, moments[round % moments.len()]) {
                assert_shown_safely(&entry, round);
            }
        }
    }
}
