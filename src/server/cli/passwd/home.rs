//! The home of an account: how it is given, and the directory itself.

use crate::args::Expected;
use crate::protocol::FtpPath;
use crate::server::StartError;
use crate::server::fs::jail::Jail;
use std::error::Error;
use std::path::{Component, Path, PathBuf};

/// Parses `--home` to the path that the accounts file has. With `root`, a path of the system inside
/// of that directory is understood too.
///
/// # Errors
/// The path leads out of the root, or means a directory of the machine that is not inside of it.
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

/// Returns an absolute path relative to the root that it lies in.
fn inside(path: &Path, root: &Path) -> Option<String> {
    let roots = [std::path::absolute(root).ok(), root.canonicalize().ok()];
    let found = roots.iter().flatten().find_map(|root| path.strip_prefix(root).ok())?;
    found.to_str().map(str::to_owned)
}

/// Makes the directory at `home` below `root` with all that is missing above it, and returns its path.
/// A new one gets the owner and the permissions of the root, so that the user who runs the server can
/// use it if root made it.
///
/// # Errors
/// The root cannot be used, or the directory cannot be made.
pub(super) fn make(root: &Path, home: &FtpPath) -> Result<PathBuf, Box<dyn Error>> {
    let jail = Jail::new(root).map_err(|error| StartError::Root(root.into(), error))?;
    let path = home
        .parts()
        .fold(root.to_owned(), |path, part| path.join(String::from_utf8_lossy(part).as_ref()));
    let (made, result) = jail.make_dirs(home, None);
    if let Err(refusal) = result {
        let why = String::from_utf8_lossy(refusal.reply().text()).into_owned();
        return Err(format!("cannot make the home {}: {why}", path.display()).into());
    }
    if made.is_some() {
        jail.adopt_root(home)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_lies_inside_the_root() {
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
    fn a_home_that_is_missing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let home = |path: &str| FtpPath::root().join(&crate::protocol::Name::new(path).unwrap());
        let made = make(dir.path(), &home("class/anna").unwrap()).unwrap();
        assert_eq!(made, dir.path().join("class/anna"));
        assert!(made.is_dir());
        make(dir.path(), &home("class/anna").unwrap()).unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let error = make(dir.path(), &home("file/anna").unwrap()).unwrap_err().to_string();
        assert!(error.starts_with("cannot make the home "), "{error}");
    }
}
