//! Writes the lines of LIST with the columns of `ls -l`.

use std::time::{SystemTime, UNIX_EPOCH};

use super::entry::{Entry, Kind, Owner};
use super::words::{is_control, push_number, push_shown};
use crate::protocol::time::write_ls_date;

impl Entry {
    /// Writes a line of `ls -l` as seen at `now`, in UTC:
    /// `-rw-r--r--   1 0        0            1234 Jan  2 03:04 name`.
    pub fn write_ls(&self, now: SystemTime, out: &mut Vec<u8>) {
        self.write_mode(out);
        out.push(b' ');
        push_right(self.links.unwrap_or(1), 3, out);
        out.push(b' ');
        push_left(self.owner.as_ref(), out);
        push_left(self.group.as_ref(), out);
        push_right(self.size.unwrap_or(0), 8, out);
        out.push(b' ');
        write_ls_date(self.modified.unwrap_or(UNIX_EPOCH), now, out);
        out.push(b' ');
        push_shown(&self.name, is_control, out);
        match &self.kind {
            Kind::Link(target) if !target.is_empty() => {
                out.extend_from_slice(b" -> ");
                push_shown(target, is_control, out);
            }
            _ => {}
        }
    }

    fn write_mode(&self, out: &mut Vec<u8>) {
        let (letter, usual) = match self.kind {
            Kind::File => (b'-', 0o644),
            Kind::Dir | Kind::CurrentDir | Kind::ParentDir => (b'd', 0o755),
            Kind::Link(_) => (b'l', 0o777),
            // Written as a pipe, because clients recognize and skip pipes, and devices have no
            // size column.
            Kind::Other => (b'p', 0o644),
        };
        let mode = self.mode.unwrap_or(usual);
        out.push(letter);
        push_triple(mode >> 6, mode & 0o4000, [b's', b'S'], out);
        push_triple(mode >> 3, mode & 0o2000, [b's', b'S'], out);
        push_triple(mode, mode & 0o1000, [b't', b'T'], out);
    }
}

/// Writes one `rwx`. If `special` is set, `letters` replace the execute letter: the first with the
/// execute bit, the second without it.
fn push_triple(bits: u32, special: u32, letters: [u8; 2], out: &mut Vec<u8>) {
    let execute = match (special != 0, bits & 1 != 0) {
        (false, false) => b'-',
        (false, true) => b'x',
        (true, true) => letters[0],
        (true, false) => letters[1],
    };
    out.push(if bits & 4 != 0 { b'r' } else { b'-' });
    out.push(if bits & 2 != 0 { b'w' } else { b'-' });
    out.push(execute);
}

/// Writes an owner, padded to eight columns, and a space.
fn push_left(owner: Option<&Owner>, out: &mut Vec<u8>) {
    let start = out.len();
    match owner {
        Some(owner) => owner.write(out),
        None => out.extend_from_slice(b"ftp"),
    }
    out.resize(out.len().max(start + 8), b' ');
    out.push(b' ');
}

/// Writes a number, right-aligned.
fn push_right(number: u64, width: usize, out: &mut Vec<u8>) {
    let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    out.resize(out.len() + width.saturating_sub(digits), b' ');
    push_number::<10>(number, 0, out);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Random, at, full, random_entry};
    use super::*;

    fn ls(entry: &Entry) -> String {
        let mut out = Vec::new();
        entry.write_ls(at("20250701000000"), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn lines_look_like_those_of_ls() {
        let file = Entry { size: Some(1234), group: Some(Owner::Id(0)), ..full() };
        assert_eq!(ls(&file), "-rw-r--r--   1 0        0            1234 Jan  2 03:04 a name");
        let old = Entry { modified: Some(at("20240102030405")), ..file };
        assert_eq!(ls(&old), "-rw-r--r--   1 0        0            1234 Jan  2  2024 a name");
        let link = Entry { mode: Some(0o777), kind: Kind::Link(b"../x y".to_vec()), ..full() };
        assert_eq!(
            ls(&link),
            "lrwxrwxrwx   1 0        wheel          12 Jan  2 03:04 a name -> ../x y"
        );
        let wide = Entry {
            size: Some(u64::MAX),
            links: Some(12345),
            owner: Some(Owner::Name(b"administrator".to_vec())),
            group: Some(Owner::Id(u32::MAX)),
            ..full()
        };
        assert_eq!(
            ls(&wide),
            "-rw-r--r-- 12345 administrator 4294967295 18446744073709551615 Jan  2 03:04 a name"
        );
        assert_eq!(
            ls(&Entry::new(".", Kind::CurrentDir)),
            "drwxr-xr-x   1 ftp      ftp             0 Jan  1  1970 ."
        );
    }

    #[test]
    fn ls_shows_all_twelve_permission_bits() {
        for (mode, shown) in [
            (0, "----------"),
            (0o777, "-rwxrwxrwx"),
            (0o7777, "-rwsrwsrwt"),
            (0o7000, "---S--S--T"),
            (0o4755, "-rwsr-xr-x"),
            (0o2640, "-rw-r-S---"),
            (0o1777, "-rwxrwxrwt"),
            (0o100644, "-rw-r--r--"),
        ] {
            assert_eq!(&ls(&Entry { mode: Some(mode), ..full() })[..10], shown, "{mode:o}");
        }
    }

    #[test]
    fn written_ls_lines_are_parsed_back() {
        let mut random = Random(3);
        let now = at("20250301000000");
        for _ in 0..50_000 {
            let mut entry = random_entry(&mut random);
            entry.name = match entry.kind {
                Kind::CurrentDir => b".".to_vec(),
                Kind::ParentDir => b"..".to_vec(),
                _ => random.pick(&["a", "two words", "  Jan 2 03:04 b", "->", "\u{e4}"]).into(),
            };
            entry.modified = Some(random.pick(&[at("20250102030400"), at("19990102000000")]));
            entry.size = Some(random.pick(&[0, 2025, u64::MAX]));
            entry.mode = Some(random.below(0o10000) as u32);
            entry.links = Some(random.pick(&[0, 1, u64::MAX]));
            entry.owner = Some(random.pick(&[Owner::Id(7), Owner::Name(b"joe".to_vec())]));
            entry.group = Some(random.pick(&[Owner::Id(2025), Owner::Name(b"may".to_vec())]));
            (entry.created, entry.unique, entry.perm) = (None, None, None);
            let mut line = Vec::new();
            entry.write_ls(now, &mut line);
            let again = Entry::parse_ls(&line, now);
            assert_eq!(again, Some(entry), "{}", String::from_utf8_lossy(&line));
        }
    }
}
