//! The facts of MLST and MLSD, parsed and written (RFC 3659 section 7).

use super::entry::{Entry, Kind, Owner, Perm, Unique};
use super::words::{
    breaks_fact, is_blank, is_control, number, push_number, push_shown, split_at_first,
};
use crate::protocol::time::{parse_timestamp, write_timestamp};

/// A set of facts, as OPTS MLST selects it (RFC 3659 section 7.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts(pub(super) u16);

/// The supported facts in the order of [`FACT_NAMES`]; the bit of a fact in [`Facts`] is its
/// position.
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

/// Each fact and its name on the wire, in the order of FEAT and of every line.
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
    /// All facts.
    pub const ALL: Facts = Facts((1 << FACT_NAMES.len()) - 1);
    /// No facts: a line is a space and the name.
    pub const NONE: Facts = Facts(0);

    /// Parses the argument of `OPTS MLST`. As RFC 3659 section 7.9 requires, case does not matter
    /// and unknown facts are ignored.
    pub fn parse(text: &[u8]) -> Facts {
        let known = text.split(|&b| b == b';').filter_map(|wanted| {
            FACT_NAMES
                .iter()
                .find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(wanted.trim_ascii()))
        });
        known.fold(Facts::NONE, |facts, &(fact, _)| Facts(facts.0 | Facts::bit(fact)))
    }

    /// Writes the selected facts, `type;size;`, as the reply to `OPTS MLST` shows them.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (_, name) in FACT_NAMES.iter().filter(|(fact, _)| self.has(*fact)) {
            out.extend_from_slice(name.as_bytes());
            out.push(b';');
        }
    }

    /// Writes all facts with a `*` after the selected ones, `type*;size;`, as FEAT shows them (RFC
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

impl Kind {
    /// Writes the value of the fact `type`.
    ///
    /// A link is written as `OS.unix=slink:target`, as in the example of RFC 3659 section 7.7.4,
    /// or as `OS.unix=symlink` (erratum 1500) if no target can be shown. FileZilla and WinSCP read
    /// both, and some clients read `slink` only with a target. A target that a fact cannot hold is
    /// omitted, since a modified target would lead elsewhere; this includes a target with a space,
    /// because FileZilla ends the facts at the first space.
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
            // FileZilla shows an unknown type as a file; lftp skips it.
            Kind::Other => out.extend_from_slice(b"OS.unix=other"),
        }
    }

    /// Parses the value of the fact `type`; an unknown type is `Other`.
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
    /// Writes `fact=value;fact=value; name` (RFC 3659 section 7.2). Unknown facts are omitted, and
    /// so is the size of everything except files, because RETR would not send that many bytes.
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

    /// Parses a line of MLSD, or one of MLST without its leading space. Facts may come in any case
    /// and order; unknown and invalid ones are skipped. Returns `None` if the name or the kind is
    /// missing.
    pub fn parse_mlsx(line: &[u8]) -> Option<Entry> {
        // Some servers write a tab instead of a space.
        let (facts, name) = line.split_at(line.iter().position(is_blank)?);
        let mut entry = Entry::new(name.get(1..).filter(|name| !name.is_empty())?, Kind::Other);
        let mut kind = None;
        for fact in facts.split(|&b| b == b';') {
            if let Some((key, value)) = split_at_first(b'=', fact) {
                kind = entry.take_fact(&key.to_ascii_lowercase(), value).or(kind);
            }
        }
        // Some servers omit `type` if OPTS did not select it, but only files have a size.
        entry.kind = kind.or(entry.size.map(|_| Kind::File))?;
        Some(entry)
    }

    /// Stores a fact, or returns it if it is the type. Empty values are ignored, except that
    /// `perm=` denies all permissions.
    fn take_fact(&mut self, key: &[u8], value: &[u8]) -> Option<Kind> {
        match key {
            b"type" if !value.is_empty() => return Some(Kind::parse_type(value)),
            b"size" => self.size = number::<10>(value),
            b"modify" => self.modified = parse_timestamp(value),
            b"create" => self.created = parse_timestamp(value),
            b"perm" => self.perm = Some(Perm::parse(value)),
            b"unique" if !value.is_empty() => self.unique = Some(Unique::parse(value)),
            // Some servers include the bits of the file type.
            b"unix.mode" => self.mode = number::<8>(value).map(|mode| (mode & 0o7777) as u32),
            // ProFTPD adds names, which are preferred to numbers; Pure-FTPd calls the numbers uid
            // and gid.
            b"unix.ownername" => self.owner = Owner::parse(value).or(self.owner.take()),
            b"unix.groupname" => self.group = Owner::parse(value).or(self.group.take()),
            b"unix.owner" | b"unix.uid" => self.owner = self.owner.take().or(Owner::parse(value)),
            b"unix.group" | b"unix.gid" => self.group = self.group.take().or(Owner::parse(value)),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests;
