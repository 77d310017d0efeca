//! Files with secrets, which only their owner can read and which are replaced as a whole.

use crate::sys;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Makes a file with this content.
///
/// # Errors
/// `AlreadyExists`, and then the file stays as it is; the system cannot make or write it, and then there
/// is none.
pub fn create(file: &Path, content: &[u8]) -> io::Result<()> {
    let made = open_new(file)?;
    write(made, content).inspect_err(|_| drop(fs::remove_file(file)))
}

/// Writes a new file beside the old one and puts it in its place. Mode and access control list of the
/// old one stay.
///
/// # Errors
/// The system cannot make, write or rename it, and then the old one stays.
pub fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = file.file_name().ok_or(ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let new = file.with_file_name(name);
    // Left over from a run that was cut off: its content is of no use.
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
    fn the_file_is_made_for_its_owner_and_replaced_whole() {
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
