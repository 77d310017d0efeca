//! Commands on local directories.

use super::operands::{Operand, operand, optional};
use super::row::Row;
use crate::client::error::Error;
use crate::client::local;
use crate::client::output::json::{self, Change, Side, print_object};
use crate::client::output::{ColoredListing, print_line};
use crate::client::shell::session::Session;
use crate::json::Object;
use crate::protocol::listing::{Entry, Kind, Owner};
use crate::sys::{mode_of, name_bytes, owners_of};
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(super) const ROWS: &[Row] = &[
    Row::new(&["lcd"], "change the local directory, by default to HOME", lcd)
        .operands(&[Operand::local_dir("DIR")
            .help("~ is HOME, and - is the previous directory")
            .optional()])
        .example("LCD /tmp")
        .keeps_remote_names(),
    Row::new(&["lpwd"], "print the local directory", lpwd).keeps_remote_names(),
    Row::new(&["lls"], "print the listing of a local directory", lls)
        .operands(&[Operand::local("PATH").optional()])
        .example("LLS /tmp")
        .keeps_remote_names(),
    Row::new(&["lmkdir"], "make a local directory", lmkdir)
        .operands(&[Operand::local_dir("DIR")])
        .example("LMKDIR copies")
        .keeps_remote_names(),
];

fn lcd(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let path = match optional(words, 0) {
        None => local::home()?,
        Some(b"-") => {
            let unknown = || Error::Usage("there is no previous local directory".to_owned());
            session.local_before.clone().ok_or_else(unknown)?
        }
        Some(word) => local::path(word)?,
    };
    let before = env::current_dir().ok();
    env::set_current_dir(&path).map_err(|error| no_dir(path, error))?;
    session.local_before = before;
    let dir = env::current_dir().map_err(Error::Local)?;
    session.confirm_success(&format!("local directory: {}", super::shown_path(&dir)));
    Ok(())
}

fn no_dir(path: PathBuf, error: io::Error) -> Error {
    let error = match error.kind() {
        kind @ io::ErrorKind::NotFound => io::Error::new(kind, "no such local directory"),
        _ => error,
    };
    Error::File { path, error }
}

fn lpwd(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    let path = env::current_dir().map_err(Error::Local)?;
    let path = path.as_os_str().as_encoded_bytes();
    match session.transfers.json {
        true => print_object(Object::new().text("local_directory", path)),
        false => print_line(path),
    }
}

fn lmkdir(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let path = local::path(operand(words, 0))?;
    fs::create_dir(&path).map_err(|error| Error::File { path: path.clone(), error })?;
    if session.transfers.json {
        let path = path.as_os_str().as_encoded_bytes();
        print_object(Change::MakeDir.object(Side::Local, path))?;
    }
    session.confirm_success(&format!("made the local directory {}", super::shown_path(&path)));
    Ok(())
}

/// Prints a local directory in the format of LIST.
fn lls(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let path = optional(words, 0).map_or(Ok(PathBuf::from(".")), local::path)?;
    let mut entries = entries(&path).map_err(|error| Error::File { path, error })?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let (now, mut text) = (SystemTime::now(), Vec::new());
    let shown = entries.iter().filter(|entry| !entry.name.starts_with(b"."));
    if session.transfers.json {
        return shown.map(json::of_entry).try_for_each(print_object);
    }
    for entry in shown {
        entry.write_ls(now, &mut text);
        text.push(b'\n');
    }
    let mut listing = ColoredListing::new();
    listing.write_all(&text).and_then(|()| listing.finish()).map_err(Error::of_output)
}

fn entries(path: &Path) -> io::Result<Vec<Entry>> {
    if !path.metadata()?.is_dir() {
        return Ok(vec![entry(path.as_os_str().as_encoded_bytes(), path)?]);
    }
    let entry = |found: io::Result<fs::DirEntry>| {
        let found = found?;
        entry(&name_bytes(&found.file_name()), &found.path())
    };
    fs::read_dir(path)?.map(entry).collect()
}

fn entry(name: &[u8], path: &Path) -> io::Result<Entry> {
    let metadata = path.symlink_metadata()?;
    let kind = if metadata.is_dir() {
        Kind::Dir
    } else if metadata.is_symlink() {
        let target = fs::read_link(path).unwrap_or_default();
        Kind::Link(target.as_os_str().as_encoded_bytes().to_vec())
    } else if metadata.is_file() {
        Kind::File
    } else {
        Kind::Other
    };
    let mut entry = Entry::new(name, kind);
    entry.size = Some(metadata.len());
    entry.modified = metadata.modified().ok();
    entry.mode = mode_of(&metadata);
    let owners = owners_of(&metadata);
    entry.owner = owners.map(|(owner, _)| Owner::Id(owner));
    entry.group = owners.map(|(_, group)| Owner::Id(group));
    Ok(entry)
}
