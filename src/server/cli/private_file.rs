//! Files with secrets: readable only by their owner, and replaced atomically.

use crate::sys;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Creates a file with this content.
///
/// # Errors
/// `AlreadyExists` if there is a file of this name, which stays as it is. If the file cannot be written, it is removed.
pub fn create(file: &Path, content: &[u8]) -> io::Result<()> {
    let made = open_new(file)?;
    write(made, content).inspect_err(|_| drop(fs::remove_file(file)))
}

/// Writes the content to a new file and renames it over the old one. Keeps the mode and the access control list of the
/// old one.
///
/// # Errors
/// Fails if the new file cannot be created, written or renamed; the old one stays as it is.
pub fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = file.file_name().ok_or(ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let new = file.with_file_name(name);
    // Left over from an interrupted run.
    let _ = fs::remove_file(&new);
    let written = open_new(&new)?;
    let result = (|| {
        if let Ok(old) = File::open(file) {
            sys::copy_attributes((&written, &written.metadata()?), (&old, &old.metadata()?));
        }
        write(written, content)?;
        fs::rename(&new, file)
    })();
    result.inspect_err(|_| drop(fs::remove_file(&new)))
}

fn open_new(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    sys::owner_only(&mut options);
    options.write(true).create_new(true).open(file)
}

fn write(mut file: File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_private_and_a_replaced_one_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("users");
        replace(&file, b"one\n").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
            replace(&file, b"two\n").unwrap();
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        }
        replace(&file, b"three\n").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"three\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
