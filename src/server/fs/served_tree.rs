//! The served tree, which is looked up again for each login: its directory may be removed and
//! created again, or another file system may be mounted on it, while the server runs.
//!
//! As long as the directory is the same, all logins share one jail and its quotas. After a change,
//! later logins get a new jail, and sessions in the old one are refused (see
//! [`Jail::check_root`]). While the directory is missing, logins get the old jail, so that their
//! commands are refused with the reason.

use crate::server::fs::jail::Jail;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The directory of `--root`.
#[derive(Debug)]
pub struct ServedTree {
    path: PathBuf,
    current: Mutex<Jail>,
}

impl ServedTree {
    /// Opens the directory at `path`.
    ///
    /// # Errors
    /// Fails if the directory does not exist or may not be entered.
    pub fn open(path: &Path) -> io::Result<ServedTree> {
        let current = Mutex::new(Jail::new(path)?);
        Ok(ServedTree { path: path.to_owned(), current })
    }

    /// Returns the jail of the current directory, for a login. If the directory is another one
    /// than before, `prepare` is called first.
    pub fn jail(&self, prepare: impl FnOnce(&Jail)) -> Jail {
        let mut current = self.current();
        if let Ok(Some(new)) = self.reopen_if_changed(&current) {
            prepare(&new);
            *current = new;
        }
        current.for_login()
    }

    /// Returns the jail that the next login would get, and an error if that is not the jail of the
    /// current directory.
    pub fn current_jail(&self) -> (Jail, io::Result<()>) {
        let current = self.current();
        match self.reopen_if_changed(&current) {
            Ok(Some(new)) => (new, Ok(())),
            Ok(None) => (current.clone(), Ok(())),
            Err(error) => (current.clone(), Err(error)),
        }
    }

    /// Uses `jail`, which [`ServedTree::current_jail`] returned, for later logins.
    pub fn replace(&self, jail: Jail) {
        *self.current() = jail;
    }

    /// Checks that the directory can be opened.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn check(&self) -> io::Result<()> {
        Jail::new(&self.path).map(drop)
    }

    /// Returns a new jail if the directory is not that of `current`.
    fn reopen_if_changed(&self, current: &Jail) -> io::Result<Option<Jail>> {
        match current.check_root() {
            Ok(()) => Ok(None),
            Err(_) => Jail::new(&self.path).map(Some),
        }
    }

    fn current(&self) -> MutexGuard<'_, Jail> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_jail_is_replaced_when_its_directory_changes() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        let tree = ServedTree::open(&root).unwrap();
        let first = tree.jail(|_| panic!("the directory is the same"));
        fs::rename(&root, dir.path().join("moved")).unwrap();
        let held = tree.jail(|_| panic!("there is none"));
        assert!(first.check_root().is_err() && held.check_root().is_err());
        assert!(tree.check().is_err() && tree.current_jail().1.is_err());
        fs::create_dir(&root).unwrap();
        let mut told = 0;
        let second = tree.jail(|_| told += 1);
        assert!(second.check_root().is_ok() && first.check_root().is_err() && told == 1);
        // The old directory may return.
        fs::remove_dir(&root).unwrap();
        fs::rename(dir.path().join("moved"), &root).unwrap();
        assert!(second.check_root().is_err() && first.check_root().is_ok());
        assert!(tree.check().is_ok() && tree.current_jail().1.is_ok());
    }
}
