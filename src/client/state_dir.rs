//! The files that the client keeps between its runs, in `$XDG_STATE_HOME/mt_ftp`.

use std::env;
use std::path::{Path, PathBuf};

/// Returns the path of such a file, by default in `~/.local/state/mt_ftp`; `None` if HOME is not set.
pub(super) fn state_file(name: &str) -> Option<PathBuf> {
    let named = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    // A relative path is ignored (XDG base directory specification).
    let states = named.filter(|dir| dir.is_absolute()).or_else(|| {
        let home = env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        home.map(|home| home.join(Path::new(".local/state")))
    })?;
    Some(states.join("mt_ftp").join(name))
}
