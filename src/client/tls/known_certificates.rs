//! The certificates that the user has accepted: a file with one line per server, `HOST:PORT` and the SHA-256
//! of its certificate.
//!
//! Only the owner can read the file. Clients that run at the same time share it: each locks it, reads it and
//! adds its line. It contains a limited number of servers, the most recent ones. Lines of another form are
//! removed when the next line is added.

use crate::client::pin::Pin;
use crate::sys::owner_only;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The number of servers that the file keeps.
const MOST: usize = 1000;
/// The number of bytes of the file that are read: more than these servers need.
const MOST_BYTES: u64 = 1 << 20;

/// The certificates that the user has accepted.
pub(super) struct KnownCertificates {
    file: Option<PathBuf>,
    /// The certificates that were added in this run, which may be missing in the file.
    added: Mutex<BTreeMap<String, Pin>>,
}

impl KnownCertificates {
    /// Uses this file. Without a file, certificates are remembered until the program ends.
    pub(super) fn new(file: Option<PathBuf>) -> KnownCertificates {
        KnownCertificates { file, added: Mutex::default() }
    }

    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns the accepted certificate of a server.
    pub(super) fn find(&self, server: &str) -> io::Result<Option<Pin>> {
        if let Some(pin) = self.added.lock().unwrap_or_else(PoisonError::into_inner).get(server) {
            return Ok(Some(*pin));
        }
        let Some(path) = &self.file else { return Ok(None) };
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        // On a file system without locks the file is read as it is.
        let _ = file.lock_shared();
        let all = entries(&read(&mut file)?);
        Ok(all.into_iter().rfind(|(name, _)| name == server).map(|(_, pin)| pin))
    }

    /// Adds the certificate of a server. If the file cannot be written, the certificate is remembered until
    /// the program ends.
    pub(super) fn add(&self, server: &str, pin: Pin) -> io::Result<()> {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        added.insert(server.to_owned(), pin);
        self.file.as_deref().map_or(Ok(()), |file| add_line(file, server, pin))
    }
}

/// Parses the lines, and skips those that have another form.
fn entries(text: &str) -> Vec<(String, Pin)> {
    let line = |line: &str| {
        let (server, pin) = line.split_once(' ')?;
        Some((server.to_owned(), Pin::parse(pin.trim())?))
    };
    text.lines().filter_map(line).collect()
}

fn read(file: &mut File) -> io::Result<String> {
    let mut text = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Adds a line to the file, which other clients wait for meanwhile.
fn add_line(path: &Path, server: &str, pin: Pin) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    owner_only(&mut options);
    let mut file = options.open(path)?;
    match file.lock() {
        Err(error) if error.kind() == ErrorKind::Unsupported => {}
        locked => locked?,
    }
    let old = read(&mut file)?;
    let mut all = entries(&old);
    all.retain(|(name, _)| name != server);
    all.push((server.to_owned(), pin));
    let kept = &all[all.len().saturating_sub(MOST)..];
    let new: String = kept.iter().map(|(server, pin)| format!("{server} {pin}\n")).collect();
    // Usually only the last line is new. If the program is killed here, the lines before it are intact.
    // A damaged line has another length as text than in the file.
    let is_intact = file.metadata()?.len() == old.len() as u64 && new.starts_with(&old);
    let same = if is_intact { old.len() } else { 0 };
    file.seek(SeekFrom::Start(same as u64))?;
    file.write_all(&new.as_bytes()[same..])?;
    file.set_len(new.len() as u64)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(byte: &str) -> Pin {
        Pin::parse(&byte.repeat(32)).unwrap()
    }

    fn in_dir(dir: &tempfile::TempDir) -> KnownCertificates {
        KnownCertificates::new(Some(dir.path().join("a/trusted")))
    }

    #[test]
    fn an_added_certificate_is_found_by_host_and_port_in_the_next_run() {
        let dir = tempfile::tempdir().unwrap();
        in_dir(&dir).add("h:21", pin("ab")).unwrap();
        in_dir(&dir).add("[::1]:21", pin("cd")).unwrap();
        in_dir(&dir).add("h:21", pin("ef")).unwrap();
        assert_eq!(in_dir(&dir).find("h:21").unwrap(), Some(pin("ef")));
        assert_eq!(in_dir(&dir).find("[::1]:21").unwrap(), Some(pin("cd")));
        assert_eq!(in_dir(&dir).find("h:990").unwrap(), None);
        assert_eq!(fs::read_dir(dir.path().join("a")).unwrap().count(), 1);
    }

    #[test]
    fn the_file_keeps_the_servers_that_were_added_last() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trusted");
        let line = |number: usize| format!("h{number}:21 {}\n", pin("ab"));
        let many: String = (0..MOST).map(line).collect();
        fs::write(&file, format!("no server\n{many}")).unwrap();
        KnownCertificates::new(Some(file.clone())).add("last:21", pin("cd")).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), MOST);
        assert!(text.starts_with("h1:21 ") && text.ends_with(&format!("last:21 {}\n", pin("cd"))));
    }

    #[test]
    fn a_damaged_line_does_not_damage_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trusted");
        fs::write(&file, [b"h\xff:21 ", format!("{}\n", pin("ab")).as_bytes()].concat()).unwrap();
        let known = KnownCertificates::new(Some(file.clone()));
        known.add("next:21", pin("cd")).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.ends_with(&format!("\nnext:21 {}\n", pin("cd"))), "{text:?}");
    }

    /// Each thread has the file open for itself, as another client has.
    #[test]
    fn clients_that_add_certificates_at_the_same_time_lose_none() {
        const CLIENTS: usize = 8;
        const EACH: usize = 20;
        let dir = tempfile::tempdir().unwrap();
        let name = |client: usize, number: usize| format!("h{client}.{number}:21");
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let known = in_dir(&dir);
                scope.spawn(move || {
                    for number in 0..EACH {
                        known.add(&name(client, number), pin("ab")).unwrap();
                    }
                });
            }
        });
        let known = in_dir(&dir);
        for client in 0..CLIENTS {
            for number in 0..EACH {
                let server = name(client, number);
                assert_eq!(known.find(&server).unwrap(), Some(pin("ab")), "{server}");
            }
        }
    }

    #[test]
    fn without_a_file_a_certificate_is_remembered_until_the_end() {
        for file in [None, Some("/dev/null/no/trusted".into())] {
            let is_written = file.is_none();
            let known = KnownCertificates { file, added: Mutex::default() };
            assert_eq!(known.add("h:21", pin("ab")).is_ok(), is_written);
            assert_eq!(known.find("h:21").unwrap(), Some(pin("ab")));
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        let dir = tempfile::tempdir().unwrap();
        in_dir(&dir).add("h:21", pin("ab")).unwrap();
        let data = fs::metadata(dir.path().join("a/trusted")).unwrap();
        assert!(!crate::sys::is_accessible_to_others(&data));
    }
}
