//! What a directory holds, as lines: [`Entry`] to and from the facts of MLST and MLSD (RFC 3659
//! section 7), and to and from what LIST prints.
//!
//! A line comes and goes without its end, and [`Entry::parse_mlsx`] and [`Entry::parse_ls`] take
//! any bytes without panicking. Names are bytes.
//! What is written is always one line of the right number of columns: CR, LF, NUL and the other
//! ASCII control characters of names appear as `?`, so that no file name can forge a line or move
//! a terminal's cursor. Such a file is seen, but cannot be fetched by the name shown.
//! What is read is what the peer said: a name may hold `/` or be `..`, and whoever makes a local
//! file of it has to refuse that.
//!
//! LIST has no standard. What is written are the columns of `ls -l`, which every client reads; what
//! is read is in `forms`. Columns cannot be left out, so what is not known is filled in: mode 644
//! (755 for directories, 777 for links), owner and group `ftp`, one link, size 0, the year 1970.
//! The mode is not 000, since clients go by it: lftp can pass over what it takes for unreadable.

mod forms;

use std::ops::BitOr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::time::{parse_timestamp, write_ls_date, write_timestamp};

/// What an entry is (the fact `type`, RFC 3659 section 7.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A plain file.
    File,
    /// A directory.
    Dir,
    /// The directory that is listed.
    CurrentDir,
    /// The directory above it.
    ParentDir,
    /// A symbolic link and its target; empty: the target is not known.
    Link(Vec<u8>),
    /// Anything else: a device, a socket, what only the peer understands.
    Other,
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// By number.
    Id(u32),
    /// By name.
    Name(Vec<u8>),
}

/// What is the same for two names of one file (the fact `unique`, RFC 3659 section 7.5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unique {
    /// Written `{device:x}U{inode:x}`, as other servers do.
    Node {
        /// The file system.
        device: u64,
        /// The file in it.
        inode: u64,
    },
    /// A text that only its server understands.
    Opaque(Vec<u8>),
}

/// What the user may do with an entry (the fact `perm`, RFC 3659 section 7.5.5): a set of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Perm(u16);

/// Which facts a line carries: what OPTS MLST chooses (RFC 3659 section 7.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts(u16);

/// One name in a directory and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As the peer or the disk has it, unchecked.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// In bytes.
    pub size: Option<u64>,
    /// When its content last changed.
    pub modified: Option<SystemTime>,
    /// When it came into being.
    pub created: Option<SystemTime>,
    /// The permission bits, `0o7777`.
    pub mode: Option<u32>,
    /// Who has it.
    pub owner: Option<Owner>,
    /// Which group has it.
    pub group: Option<Owner>,
    /// How many names it has.
    pub links: Option<u64>,
    /// What tells it from any other file.
    pub unique: Option<Unique>,
    /// What the user may do with it.
    pub perm: Option<Perm>,
}

impl Entry {
    /// An entry of which no more is known.
    pub fn new(name: impl Into<Vec<u8>>, kind: Kind) -> Entry {
        Entry {
            name: name.into(),
            kind,
            size: None,
            modified: None,
            created: None,
            mode: None,
            owner: None,
            group: None,
            links: None,
            unique: None,
            perm: None,
        }
    }
}

// ---- MLSx ------------------------------------------------------------------------------------

/// The facts that are written, in the order of [`FACT_NAMES`]; a fact's bit in [`Facts`] is its
/// place.
#[derive(Debug, Clone, Copy)]
enum Fact {
    Type,
    Size,
    Modify,
    Create,
    Perm,
    Unique,
    UnixMode,
    UnixOwner,
    UnixGroup,
}

/// Every fact and its name on the wire, in the order in which FEAT and every line show them.
const FACT_NAMES: [(Fact, &str); 9] = [
    (Fact::Type, "type"),
    (Fact::Size, "size"),
    (Fact::Modify, "modify"),
    (Fact::Create, "create"),
    (Fact::Perm, "perm"),
    (Fact::Unique, "unique"),
    (Fact::UnixMode, "UNIX.mode"),
    (Fact::UnixOwner, "UNIX.owner"),
    (Fact::UnixGroup, "UNIX.group"),
];

impl Facts {
    /// Every fact.
    pub const ALL: Facts = Facts((1 << FACT_NAMES.len()) - 1);
    /// No fact: a line is a blank and the name.
    pub const NONE: Facts = Facts(0);

    /// Reads the argument of `OPTS MLST`. As RFC 3659 section 7.9 demands, case does not matter and
    /// facts that are not known are left out without a complaint.
    pub fn parse(text: &[u8]) -> Facts {
        let known = text.split(|&b| b == b';').filter_map(|wanted| {
            FACT_NAMES
                .iter()
                .find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(wanted.trim_ascii()))
        });
        known.fold(Facts::NONE, |facts, &(fact, _)| Facts(facts.0 | Facts::bit(fact)))
    }

    /// Writes the chosen facts, `type;size;`, as the reply to `OPTS MLST` shows them.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (_, name) in FACT_NAMES.iter().filter(|(fact, _)| self.has(*fact)) {
            out.extend_from_slice(name.as_bytes());
            out.push(b';');
        }
    }

    /// Writes every fact with a `*` after the chosen ones, `type*;size;`, as FEAT shows them (RFC
    /// 3659 section 7.8).
    pub fn write_features(&self, out: &mut Vec<u8>) {
        for &(fact, name) in &FACT_NAMES {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(if self.has(fact) { b"*;" } else { b";" });
        }
    }

    fn has(&self, fact: Fact) -> bool {
        self.0 & Facts::bit(fact) != 0
    }

    const fn bit(fact: Fact) -> u16 {
        1 << fact as u16
    }
}

impl Perm {
    const LETTERS: &[u8; 10] = b"acdeflmprw";

    /// No permission at all.
    pub const NONE: Perm = Perm(0);
    /// `a`: APPE may be applied to the file.
    pub const APPEND: Perm = Perm(1);
    /// `c`: files may be created in the directory.
    pub const CREATE: Perm = Perm(1 << 1);
    /// `d`: it may be deleted.
    pub const DELETE: Perm = Perm(1 << 2);
    /// `e`: the directory may be entered.
    pub const ENTER: Perm = Perm(1 << 3);
    /// `f`: it may be renamed.
    pub const RENAME: Perm = Perm(1 << 4);
    /// `l`: the directory may be listed.
    pub const LIST: Perm = Perm(1 << 5);
    /// `m`: directories may be created in the directory.
    pub const MAKE_DIR: Perm = Perm(1 << 6);
    /// `p`: what the directory holds may be deleted.
    pub const PURGE: Perm = Perm(1 << 7);
    /// `r`: RETR may be applied to the file.
    pub const RETRIEVE: Perm = Perm(1 << 8);
    /// `w`: STOR may be applied to the file.
    pub const STORE: Perm = Perm(1 << 9);

    /// Reads letters in any case and order. Letters that are not known are skipped, for RFC 3659
    /// section 7.5.5 keeps them for the future.
    pub fn parse(text: &[u8]) -> Perm {
        let known = text.iter().filter_map(|letter| {
            Perm::LETTERS.iter().position(|known| known.eq_ignore_ascii_case(letter))
        });
        known.fold(Perm::NONE, |perm, place| perm | Perm(1 << place))
    }

    /// Writes the letters in alphabetical order, save that `r` comes before `w`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let chosen = Perm::LETTERS.iter().enumerate().filter(|(place, _)| self.0 >> place & 1 == 1);
        out.extend(chosen.map(|(_, letter)| letter));
    }

    /// Whether every letter of `wanted` is in the set.
    pub fn contains(&self, wanted: Perm) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

impl BitOr for Perm {
    type Output = Perm;

    fn bitor(self, other: Perm) -> Perm {
        Perm(self.0 | other.0)
    }
}

impl Unique {
    /// Reads the value of the fact. What would not be written in the very same way is opaque, so
    /// that two values are equal only if their texts are.
    pub fn parse(text: &[u8]) -> Unique {
        parse_node(text)
            .filter(|node| {
                let mut again = Vec::new();
                node.write(&mut again);
                again == text
            })
            .unwrap_or_else(|| Unique::Opaque(text.to_vec()))
    }

    /// Writes the value of the fact.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Unique::Node { device, inode } => {
                push_number::<16>(*device, 0, out);
                out.push(b'U');
                push_number::<16>(*inode, 0, out);
            }
            Unique::Opaque(text) => push_shown(text, breaks_fact, out),
        }
    }
}

fn parse_node(text: &[u8]) -> Option<Unique> {
    let middle = text.iter().position(|&b| b == b'U')?;
    let device = number::<16>(&text[..middle])?;
    let inode = number::<16>(&text[middle + 1..])?;
    Some(Unique::Node { device, inode })
}

impl Owner {
    /// Digits are a number if they are written as numbers are; anything else is a name.
    fn parse(text: &[u8]) -> Option<Owner> {
        let id = number::<10>(text).and_then(|id| u32::try_from(id).ok());
        match id.filter(|_| text.len() == 1 || text.first() != Some(&b'0')) {
            Some(id) => Some(Owner::Id(id)),
            None if text.is_empty() => None,
            None => Some(Owner::Name(text.to_vec())),
        }
    }

    /// Writes a word: a blank in a name would split the line, in facts as in columns.
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Owner::Id(id) => push_number::<10>(u64::from(*id), 0, out),
            Owner::Name(name) if name.is_empty() => out.push(b'?'),
            Owner::Name(name) => push_shown(name, breaks_fact, out),
        }
    }
}

impl Kind {
    /// Writes the value of the fact `type`.
    ///
    /// A link is `OS.unix=slink:target`, as in the example of RFC 3659 section 7.7.4, and
    /// `OS.unix=symlink` where there is no target to show, as erratum 1500 has it: FileZilla and
    /// WinSCP read both, and there are clients that read `slink` only with a target after it. A
    /// target that a fact cannot hold is not shown at all, since one that is changed leads
    /// elsewhere; a blank is of that sort, for FileZilla ends the facts at the first.
    fn write_type(&self, out: &mut Vec<u8>) {
        match self {
            Kind::File => out.extend_from_slice(b"file"),
            Kind::Dir => out.extend_from_slice(b"dir"),
            Kind::CurrentDir => out.extend_from_slice(b"cdir"),
            Kind::ParentDir => out.extend_from_slice(b"pdir"),
            Kind::Link(target) if target.is_empty() || target.iter().any(|&b| breaks_fact(b)) => {
                out.extend_from_slice(b"OS.unix=symlink");
            }
            Kind::Link(target) => {
                out.extend_from_slice(b"OS.unix=slink:");
                out.extend_from_slice(target);
            }
            // FileZilla shows a type that it does not know as a file, lftp passes it over.
            Kind::Other => out.extend_from_slice(b"OS.unix=other"),
        }
    }

    /// Reads the value of the fact `type`; a type that is not known is `Other`.
    fn parse_type(text: &[u8]) -> Kind {
        let (word, target) = split_at_first(b':', text).unwrap_or((text, b""));
        match word.to_ascii_lowercase().as_slice() {
            b"file" => Kind::File,
            b"dir" => Kind::Dir,
            b"cdir" => Kind::CurrentDir,
            b"pdir" => Kind::ParentDir,
            b"os.unix=slink" | b"os.unix=symlink" => Kind::Link(target.to_vec()),
            _ => Kind::Other,
        }
    }
}

impl Entry {
    /// Writes `fact=value;fact=value; name` (RFC 3659 section 7.2). A fact that is not known is
    /// left out, and so is the size of all but files: no RETR would send so many bytes.
    pub fn write_mlsx(&self, facts: Facts, out: &mut Vec<u8>) {
        for &(fact, name) in FACT_NAMES.iter().filter(|(fact, _)| facts.has(*fact)) {
            let start = out.len();
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            match self.write_value(fact, out) {
                Some(()) => out.push(b';'),
                None => out.truncate(start),
            }
        }
        out.push(b' ');
        push_shown(&self.name, is_control, out);
    }

    fn write_value(&self, fact: Fact, out: &mut Vec<u8>) -> Option<()> {
        match fact {
            Fact::Type => self.kind.write_type(out),
            Fact::Size if self.kind != Kind::File => return None,
            Fact::Size => push_number::<10>(self.size?, 0, out),
            Fact::Modify => write_timestamp(self.modified?, out),
            Fact::Create => write_timestamp(self.created?, out),
            Fact::Perm => self.perm?.write(out),
            Fact::Unique => self.unique.as_ref()?.write(out),
            Fact::UnixMode => {
                out.push(b'0');
                push_number::<8>(u64::from(self.mode? & 0o7777), 3, out);
            }
            Fact::UnixOwner => self.owner.as_ref()?.write(out),
            Fact::UnixGroup => self.group.as_ref()?.write(out),
        }
        Some(())
    }

    /// Reads a line of MLSD, or one of MLST without its leading blank. Facts may come in any case
    /// and order; those that are not known or make no sense are skipped. `None` if there is no
    /// name, or nothing that says what it is.
    pub fn parse_mlsx(line: &[u8]) -> Option<Entry> {
        let (facts, name) = split_at_first(b' ', line).filter(|(_, name)| !name.is_empty())?;
        let mut entry = Entry::new(name, Kind::Other);
        let mut kind = None;
        for fact in facts.split(|&b| b == b';') {
            if let Some((key, value)) = split_at_first(b'=', fact) {
                kind = entry.take_fact(&key.to_ascii_lowercase(), value).or(kind);
            }
        }
        // Some servers drop `type` when OPTS did not name it, but only files have a size.
        entry.kind = kind.or(entry.size.map(|_| Kind::File))?;
        Some(entry)
    }

    /// Stores a fact, or returns it if it is the type. An empty value says nothing, save that
    /// `perm=` forbids everything.
    fn take_fact(&mut self, key: &[u8], value: &[u8]) -> Option<Kind> {
        match key {
            b"type" if !value.is_empty() => return Some(Kind::parse_type(value)),
            b"size" => self.size = number::<10>(value),
            b"modify" => self.modified = parse_timestamp(value),
            b"create" => self.created = parse_timestamp(value),
            b"perm" => self.perm = Some(Perm::parse(value)),
            b"unique" if !value.is_empty() => self.unique = Some(Unique::parse(value)),
            // Some servers add the bits of the file type.
            b"unix.mode" => self.mode = number::<8>(value).map(|mode| (mode & 0o7777) as u32),
            // ProFTPD adds names, which say more; Pure-FTPd calls the numbers uid and gid.
            b"unix.ownername" => self.owner = Owner::parse(value).or(self.owner.take()),
            b"unix.groupname" => self.group = Owner::parse(value).or(self.group.take()),
            b"unix.owner" | b"unix.uid" => self.owner = self.owner.take().or(Owner::parse(value)),
            b"unix.group" | b"unix.gid" => self.group = self.group.take().or(Owner::parse(value)),
            _ => {}
        }
        None
    }
}

// ---- ls -l -----------------------------------------------------------------------------------

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
            // A pipe, for clients know it and pass it over, and devices have no size column.
            Kind::Other => (b'p', 0o644),
        };
        let mode = self.mode.unwrap_or(usual);
        out.push(letter);
        push_triple(mode >> 6, mode & 0o4000, [b's', b'S'], out);
        push_triple(mode >> 3, mode & 0o2000, [b's', b'S'], out);
        push_triple(mode, mode & 0o1000, [b't', b'T'], out);
    }
}

/// One `rwx`; where `special` is set, its letters stand for an execute bit that is set or not.
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

/// An owner, padded to eight columns, and a blank.
fn push_left(owner: Option<&Owner>, out: &mut Vec<u8>) {
    let start = out.len();
    match owner {
        Some(owner) => owner.write(out),
        None => out.extend_from_slice(b"ftp"),
    }
    out.resize(out.len().max(start + 8), b' ');
    out.push(b' ');
}

/// A number, right-aligned.
fn push_right(number: u64, width: usize, out: &mut Vec<u8>) {
    let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    out.resize(out.len() + width.saturating_sub(digits), b' ');
    push_number::<10>(number, 0, out);
}

// ---- words -----------------------------------------------------------------------------------

/// Appends a number in base 8, 10 or 16, with zeros before it up to `width` digits.
fn push_number<const BASE: u64>(number: u64, width: usize, out: &mut Vec<u8>) {
    // 2^64 has 22 digits in base 8.
    let mut digits = [b'0'; 22];
    let (mut start, mut rest) = (digits.len(), number);
    while rest > 0 || start == digits.len() {
        start -= 1;
        digits[start] = b"0123456789abcdef"[(rest % BASE) as usize];
        rest /= BASE;
    }
    out.extend_from_slice(&digits[start.min(digits.len() - width)..]);
}

/// Reads digits and nothing else; `None` also if they are too many.
fn number<const BASE: u64>(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |number, &byte| {
        let digit = char::from(byte).to_digit(BASE as u32)?;
        number.checked_mul(BASE)?.checked_add(u64::from(digit))
    })
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control()
}

/// Whether a byte would end a fact or the facts.
fn breaks_fact(byte: u8) -> bool {
    is_control(byte) || byte == b';' || byte == b' '
}

/// Appends a text with `?` for every byte that must not be in it.
fn push_shown(text: &[u8], refused: fn(u8) -> bool, out: &mut Vec<u8>) {
    out.extend(text.iter().map(|&byte| if refused(byte) { b'?' } else { byte }));
}

fn split_at_first(byte: u8, text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&b| b == byte)?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn at(stamp: &str) -> SystemTime {
        parse_timestamp(stamp.as_bytes()).unwrap_or_else(|| panic!("{stamp} is a time"))
    }

    /// xorshift64: the same numbers on every run.
    pub(super) struct Random(pub(super) u64);

    impl Random {
        pub(super) fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as usize % limit
        }

        fn pick<T: Clone>(&mut self, choice: &[T]) -> T {
            choice[self.below(choice.len())].clone()
        }

        fn maybe<T>(&mut self, value: T) -> Option<T> {
            (self.below(4) > 0).then_some(value)
        }

        /// A line with a few bytes changed, lost, doubled or cut off.
        pub(super) fn mutate(&mut self, line: &[u8]) -> Vec<u8> {
            const NASTY: &[u8] = b" \t;,=:/-+<>[].\0\r\n\x7f\xff09azZdlU";
            let mut line = line.to_vec();
            for _ in 0..=self.below(4) {
                let place = self.below(line.len() + 1);
                match self.below(5) {
                    0 => line.truncate(place),
                    1 => line.insert(place, self.pick(NASTY)),
                    2 if place < line.len() => line[place] = self.pick(NASTY),
                    3 if place < line.len() => drop(line.remove(place)),
                    _ => line.extend_from_within(place..),
                }
            }
            line
        }
    }

    fn mlsx(entry: &Entry, facts: Facts) -> String {
        let mut out = Vec::new();
        entry.write_mlsx(facts, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    fn ls(entry: &Entry) -> String {
        let mut out = Vec::new();
        entry.write_ls(at("20250701000000"), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    fn parsed(line: &str) -> Entry {
        Entry::parse_mlsx(line.as_bytes()).unwrap_or_else(|| panic!("{line:?} is an entry"))
    }

    fn full() -> Entry {
        Entry {
            size: Some(12),
            modified: Some(at("20250102030405")),
            created: Some(at("20240229000000")),
            mode: Some(0o644),
            owner: Some(Owner::Id(0)),
            group: Some(Owner::Name(b"wheel".to_vec())),
            links: Some(1),
            unique: Some(Unique::Node { device: 0x806, inode: 0x246e0b1 }),
            perm: Some(Perm::RETRIEVE | Perm::STORE | Perm::APPEND | Perm::DELETE | Perm::RENAME),
            ..Entry::new("a name", Kind::File)
        }
    }

    fn random_kind(random: &mut Random) -> Kind {
        let target = random.pick(&[b"".as_slice(), b"x", b"../a=b:c", b"\xc3\xa4\xff"]).to_vec();
        random.pick(&[
            Kind::File,
            Kind::Dir,
            Kind::CurrentDir,
            Kind::ParentDir,
            Kind::Link(target),
            Kind::Other,
        ])
    }

    fn random_owner(random: &mut Random) -> Option<Owner> {
        let owners = [Owner::Id(0), Owner::Id(u32::MAX), Owner::Name(b"007".to_vec())];
        let owner = random.pick(&owners);
        random.maybe(owner)
    }

    fn random_entry(random: &mut Random) -> Entry {
        let kind = random_kind(random);
        let size = random.pick(&[0, 1, 99, 12_345_678, u64::MAX]);
        let node = Unique::Node { device: random.0, inode: random.pick(&[0, 1, u64::MAX]) };
        let opaque = Unique::Opaque(random.pick(&["keVO1+4G4", "0U01", "1U2U3", "AU1"]).into());
        let unique = random.pick(&[node, opaque]);
        let times = [at("20250102030405"), at("19991231235959"), at("20991231235959")];
        Entry {
            size: random.maybe(size).filter(|_| kind == Kind::File),
            modified: Some(random.pick(&times)),
            created: Some(random.pick(&times)).filter(|_| size > 0),
            mode: Some(random.below(0o10000) as u32).filter(|mode| mode % 7 > 0),
            owner: random_owner(random),
            group: random_owner(random),
            unique: random.maybe(unique),
            perm: Some(Perm(random.below(1 << 10) as u16)).filter(|perm| perm.0 % 5 > 0),
            ..Entry::new(random.pick(&["a", "two words", "  a;b=c", "-> x ", "\u{e4}"]), kind)
        }
    }

    #[test]
    fn every_fact_has_its_place_in_the_line() {
        assert_eq!(
            mlsx(&full(), Facts::ALL),
            "type=file;size=12;modify=20250102030405;create=20240229000000;perm=adfrw;\
             unique=806U246e0b1;UNIX.mode=0644;UNIX.owner=0;UNIX.group=wheel; a name"
        );
        assert_eq!(mlsx(&full(), Facts::NONE), " a name");
        assert_eq!(
            mlsx(&full(), Facts::parse(b"UNIX.MODE;Size;")),
            "size=12;UNIX.mode=0644; a name"
        );
        assert_eq!(mlsx(&Entry::new("a", Kind::Dir), Facts::ALL), "type=dir; a");
    }

    #[test]
    fn every_kind_has_its_type() {
        for (kind, line) in [
            (Kind::File, "type=file;size=7; a"),
            (Kind::Dir, "type=dir; a"),
            (Kind::CurrentDir, "type=cdir; a"),
            (Kind::ParentDir, "type=pdir; a"),
            (Kind::Link(b"/b".to_vec()), "type=OS.unix=slink:/b; a"),
            (Kind::Link(b"".to_vec()), "type=OS.unix=symlink; a"),
            (Kind::Other, "type=OS.unix=other; a"),
        ] {
            let entry = Entry { size: Some(7), ..Entry::new("a", kind) };
            assert_eq!(mlsx(&entry, Facts::ALL), line);
        }
    }

    #[test]
    fn a_target_that_would_break_the_line_is_not_shown() {
        for target in ["a b", "a;b", "a\r\nb", "a\0", "\x7f"] {
            let link = Entry::new("l", Kind::Link(target.into()));
            assert_eq!(mlsx(&link, Facts::ALL), "type=OS.unix=symlink; l");
        }
    }

    #[test]
    fn no_name_forges_a_line() {
        let entry = Entry {
            owner: Some(Owner::Name(b"Domain Users;x\n".to_vec())),
            unique: Some(Unique::Opaque(b"a; b\r".to_vec())),
            ..Entry::new("a\r\ntype=dir; b\0\x1b[2J\x7f;\u{e4}", Kind::Link(b"c\r\nd".to_vec()))
        };
        let name = "a??type=dir; b??[2J?;\u{e4}";
        assert_eq!(
            mlsx(&entry, Facts::ALL),
            format!("type=OS.unix=symlink;unique=a??b?;UNIX.owner=Domain?Users?x?; {name}")
        );
        assert_eq!(
            ls(&entry),
            format!("lrwxrwxrwx   1 Domain?Users?x? ftp             0 Jan  1  1970 {name} -> c??d")
        );
    }

    #[test]
    fn what_mlsx_writes_it_reads() {
        let mut random = Random(1);
        for _ in 0..50_000 {
            let entry = random_entry(&mut random);
            let mut line = Vec::new();
            entry.write_mlsx(Facts::ALL, &mut line);
            let again = Entry::parse_mlsx(&line);
            assert_eq!(again, Some(entry), "{}", String::from_utf8_lossy(&line));
        }
    }

    #[test]
    fn facts_come_in_any_case_and_order_and_may_be_empty_or_foreign() {
        let entry =
            parsed("SIZE=5;x.y=z;Modify=;perm=;unique=;nonsense;;create=x;TYPE=File;  a=b; c ");
        let expected =
            Entry { size: Some(5), perm: Some(Perm::NONE), ..Entry::new(" a=b; c ", Kind::File) };
        assert_eq!(entry, expected);
        assert_eq!(parsed("type=dir x").kind, Kind::Dir);
        assert_eq!(parsed("size=3; x").kind, Kind::File);
        assert_eq!(parsed("type=;size=3; x").kind, Kind::File);
        assert_eq!(parsed("type=file;size=18446744073709551616; x").size, None);
    }

    #[test]
    fn lines_without_a_name_or_a_type_are_no_entries() {
        for line in [
            "",
            " ",
            " x",
            "x",
            "type=file;",
            "type=file; ",
            "modify=20250102030405; x",
            "total 12",
            "=; x",
        ] {
            assert_eq!(Entry::parse_mlsx(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn lines_of_other_servers_are_read() {
        // The forms of RFC 3659 section 7.7.4, Pure-FTPd, ProFTPD, FileZilla Server and xlight.
        let link = parsed("Type=OS.unix=slink:/foobar;Perm=;Unique=keVO1+4G4; foobar");
        assert_eq!(link.kind, Kind::Link(b"/foobar".to_vec()));
        assert_eq!(link.perm, Some(Perm::NONE));
        assert_eq!(link.unique, Some(Unique::Opaque(b"keVO1+4G4".to_vec())));
        assert_eq!(parsed("Type=OS.unix=chr-13/29;Perm=; device").kind, Kind::Other);
        assert_eq!(parsed("type=OS.unix=slink:;size=32; logs").kind, Kind::Link(Vec::new()));

        let pure = parsed(
            "type=dir;sizd=4096;modify=20250102030405;UNIX.mode=0755;UNIX.uid=1000;\
             UNIX.gid=1001;unique=fd01g1220c04; pub",
        );
        assert_eq!((pure.size, pure.mode), (None, Some(0o755)));
        assert_eq!((pure.owner, pure.group), (Some(Owner::Id(1000)), Some(Owner::Id(1001))));

        let pro = parsed(
            "modify=20250102030405;perm=adfrw;size=6;type=OS.unix=symlink;unique=801U5AA227;\
             UNIX.group=1000;UNIX.groupname=users;UNIX.mode=0120777;UNIX.ownername=joe;\
             UNIX.owner=1000; link",
        );
        assert_eq!((pro.kind, pro.mode), (Kind::Link(Vec::new()), Some(0o777)));
        assert_eq!(pro.owner, Some(Owner::Name(b"joe".to_vec())));
        assert_eq!(pro.group, Some(Owner::Name(b"users".to_vec())));
        assert_eq!(pro.unique, Some(Unique::Opaque(b"801U5AA227".to_vec())));

        let filezilla = parsed("type=file;modify=20250102030405.123;size=9;perm=awrfd; a  b.txt");
        assert_eq!(filezilla.name, b"a  b.txt");
        assert_eq!(filezilla.modified, Some(at("20250102030405.123")));

        let xlight = parsed("size=1089207168;type=file;modify=20250102030405; a [b].avi");
        assert_eq!((xlight.size, xlight.kind), (Some(1_089_207_168), Kind::File));
    }

    #[test]
    fn no_bytes_break_the_mlsx_parser_or_what_is_made_of_them() {
        let mut random = Random(2);
        for round in 0..200_000 {
            let mut line = Vec::new();
            random_entry(&mut random).write_mlsx(Facts::ALL, &mut line);
            let line = random.mutate(&line);
            if let Some(entry) = Entry::parse_mlsx(&line) {
                assert_shown_safely(&entry, round);
            }
        }
    }

    /// Whatever a peer claimed, what is written of it is one line that reads as it was meant.
    pub(super) fn assert_shown_safely(entry: &Entry, round: usize) {
        let mut line = Vec::new();
        entry.write_mlsx(Facts::ALL, &mut line);
        let again = Entry::parse_mlsx(&line).unwrap_or_else(|| panic!("round {round}: {entry:?}"));
        let mut second = Vec::new();
        again.write_mlsx(Facts::ALL, &mut second);
        assert_eq!(line, second, "round {round}: {entry:?}");
        entry.write_ls(UNIX_EPOCH, &mut line);
        assert!(!line.iter().any(u8::is_ascii_control), "round {round}: {entry:?}");
    }

    #[test]
    fn features_show_every_fact_and_mark_the_chosen() {
        let shown = |facts: Facts| {
            let mut out = Vec::new();
            facts.write_features(&mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(
            shown(Facts::ALL),
            "type*;size*;modify*;create*;perm*;unique*;UNIX.mode*;UNIX.owner*;UNIX.group*;"
        );
        assert_eq!(
            shown(Facts::parse(b"modify;TYPE;")),
            "type*;size;modify*;create;perm;unique;UNIX.mode;UNIX.owner;UNIX.group;"
        );
    }

    #[test]
    fn chosen_facts_are_read_as_they_are_written() {
        for set in 0..=Facts::ALL.0 {
            let mut out = Vec::new();
            Facts(set).write(&mut out);
            assert_eq!(Facts::parse(&out), Facts(set));
        }
        assert_eq!(Facts::parse(b"media-type;Unix.Mode;SIZE"), Facts::parse(b"size;UNIX.mode;"));
        assert_eq!(Facts::parse(b""), Facts::NONE);
        assert_eq!(Facts::parse(b";;typ;types;"), Facts::NONE);
    }

    #[test]
    fn the_table_of_facts_is_in_the_order_of_the_bits() {
        for (place, (fact, _)) in FACT_NAMES.iter().enumerate() {
            assert_eq!(Facts::bit(*fact), 1 << place);
        }
    }

    #[test]
    fn permissions_are_read_as_they_are_written() {
        for set in 0..1 << 10 {
            let mut out = Vec::new();
            Perm(set).write(&mut out);
            assert_eq!(Perm::parse(&out), Perm(set));
        }
        assert_eq!(Perm::parse(b"WzR1"), Perm::RETRIEVE | Perm::STORE);
        assert!(Perm::parse(b"el").contains(Perm::LIST));
        assert!(!Perm::parse(b"el").contains(Perm::LIST | Perm::PURGE));
        let letters = [
            (Perm::APPEND, "a"),
            (Perm::CREATE, "c"),
            (Perm::DELETE, "d"),
            (Perm::ENTER, "e"),
            (Perm::RENAME, "f"),
            (Perm::LIST, "l"),
            (Perm::MAKE_DIR, "m"),
            (Perm::PURGE, "p"),
            (Perm::RETRIEVE, "r"),
            (Perm::STORE, "w"),
        ];
        for (perm, letter) in letters {
            assert_eq!(Perm::parse(letter.as_bytes()), perm, "{letter}");
        }
    }

    #[test]
    fn unique_values_are_written_as_they_were_read() {
        let node = Unique::Node { device: 0x806, inode: 0x246e0b1 };
        assert_eq!(Unique::parse(b"806U246e0b1"), node);
        assert_eq!(Unique::parse(b"0U0"), Unique::Node { device: 0, inode: 0 });
        for text in ["806U246E0B1", "0806U1", "U1", "1U", "1U2U", "10000000000000000U1", "keVO1+?3"]
        {
            assert_eq!(Unique::parse(text.as_bytes()), Unique::Opaque(text.into()));
            let mut out = Vec::new();
            Unique::parse(text.as_bytes()).write(&mut out);
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn ls_lines_are_those_of_ls() {
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
    fn what_ls_writes_it_reads() {
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

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for number in [0, 1, 7, 8, 15, 16, 255, 0o7777, u64::MAX] {
            let mut out = [Vec::new(), Vec::new(), Vec::new()];
            push_number::<8>(number, 0, &mut out[0]);
            push_number::<10>(number, 0, &mut out[1]);
            push_number::<16>(number, 0, &mut out[2]);
            let expected = [format!("{number:o}"), format!("{number}"), format!("{number:x}")];
            assert_eq!(out, expected.map(String::into_bytes));
        }
    }
}
