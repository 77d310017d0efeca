//! The home directory of an account: parsing `--home`, and creating the directory.

use crate::args::Expected;
use crate::protocol::FtpPath;
use crate::server::StartError;
use crate::server::fs::jail::Jail;
use std::error::Error;
use std::path::{Component, Path, PathBuf};

/// Parses `--home` to a path for the accounts file. With `root`, a path of this machine inside that directory is
/// accepted too.
///
/// # Errors
/// Fails if the path contains `..`, or names a directory of this machine outside the root.
pub(super) fn parse(text: &str, root: Option<&Path>) -> Result<String, Expected> {
    let path = Path::new(text);
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(Expected("a directory inside the root, without ..".into()));
    }
    if !path.is_absolute() || path.parent().is_none() {
        return Ok(text.into());
    }
    match root {
        Some(root) => inside(path, root).ok_or_else(|| {
            let root = root.display();
            Expected(format!("a directory inside {root}, such as anna or {root}/anna"))
        }),
        None if path.is_dir() => Err(Expected(
            "a directory inside the root of the server, such as anna; with --root DIR also DIR/anna"
                .into(),
        )),
        None => Ok(text.into()),
    }
}

/// Returns an absolute path relative to the root that contains it.
fn inside(path: &Path, root: &Path) -> Option<String> {
    let roots = [std::path::absolute(root).ok(), root.canonicalize().ok()];
    let found = roots.iter().flatten().find_map(|root| path.strip_prefix(root).ok())?;
    found.to_str().map(str::to_owned)
}

/// Creates the directory `home` below `root`, with missing parents, and returns its path. A new directory gets the
/// owner and permissions of the root, so that the server can use it even if the superuser creates it.
///
/// # Errors
/// Fails if the root cannot be used, or the directory cannot be created.
pub(super) fn make(root: &Path, home: &FtpPath) -> Result<PathBuf, Box<dyn Error>> {
    let jail = Jail::new(root).map_err(|error| StartError::Root(root.into(), error))?;
    let path = home
        .parts()
        .fold(root.to_owned(), |path, part| path.join(String::from_utf8_lossy(part).as_ref()));
    let (made, result) = jail.make_dirs(home, None);
    if let Err(refusal) = result {
        let why = String::from_utf8_lossy(refusal.reply().text()).into_owned();
        return Err(format!("cannot create the home {}: {why}", path.display()).into());
    }
    if made.is_some() {
        jail.copy_root_attributes(home)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_outside_the_root_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let root = Some(dir.path());
        let below = dir.path().join("class/anna");
        assert_eq!(parse(below.to_str().unwrap(), root).unwrap(), "class/anna");
        for (home, root) in [("anna", root), ("class/anna", None), ("/", root), ("/class-5b", None)]
        {
            assert_eq!(parse(home, root).unwrap(), home);
        }
        let machine = dir.path().to_str().unwrap();
        for (home, root) in
            [("..", None), ("a/../../b", root), ("/nonexistent", root), (machine, None)]
        {
            assert!(parse(home, root).is_err(), "{home}");
        }
    }

    #[test]
    fn a_missing_home_is_created() {
        let dir = tempfile::tempdir().unwrap();
        let home = |path: &str| FtpPath::root().join(&crate::protocol::Name::new(path).unwrap());
        let made = make(dir.path(), &home("class/anna").unwrap()).unwrap();
        assert_eq!(made, dir.path().join("class/anna"));
        assert!(made.is_dir());
        make(dir.path(), &home("class/anna").unwrap()).unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let error = make(dir.path(), &home("file/anna").unwrap()).unwrap_err().to_string();
        assert!(error.starts_with("cannot create the home "), "{error}");
    }
}
