//! Resolves a client's path to the directory of its last component.

use crate::protocol::FtpPath;
use crate::server::error::LinkRefused;
use crate::server::fs::jail::{FinalLink, Jail, ResolvedPath};
use crate::server::fs::partial;
use crate::sys::{self, Dir, FileKind, Stat};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::Arc;

/// The maximum number of links in one path, as in Linux.
const MAX_LINKS: usize = 40;

/// The maximum number of components that one resolution visits, including those of links. The
/// longest path has fewer.
const MAX_STEPS: usize = 10_000;

/// The directory to which the target of a link is relative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    /// The directory of the link.
    Here,
    /// The root.
    Root,
}

impl Jail {
    /// Resolves `path`.
    ///
    /// # Errors
    /// Fails if a directory in the path is missing, not a directory, or may not be entered. A
    /// missing last component is not an error.
    pub fn locate(&self, path: &FtpPath, last: FinalLink) -> io::Result<ResolvedPath> {
        let mut todo: VecDeque<OsString> = VecDeque::new();
        for part in path.parts() {
            todo.push_back(sys::os_name(part)?);
        }
        self.walk(todo, last)
    }

    fn walk(&self, mut todo: VecDeque<OsString>, last: FinalLink) -> io::Result<ResolvedPath> {
        self.check_root()?;
        let mut here = Arc::clone(&self.root);
        // The names of the directories from the root to `here`, without links.
        let mut trail: Vec<OsString> = Vec::new();
        let (mut links, mut steps) = (0, 0);
        // The link that was followed last, for the error.
        let mut last_link = LinkFollowed::default();
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                // `..` is resolved by walking down from the root again, so that a path of any
                // depth keeps only one directory open.
                trail.pop().ok_or_else(|| last_link.leads_outside())?;
                // All consecutive `..` are handled together; otherwise a link far below would
                // exceed MAX_STEPS.
                while todo.front().is_some_and(|next| next == "..") {
                    todo.pop_front();
                    trail.pop().ok_or_else(|| last_link.leads_outside())?;
                }
                trail.drain(..).rev().for_each(|name| todo.push_front(name));
                here = Arc::clone(&self.root);
                continue;
            }
            steps += 1;
            if steps > MAX_STEPS {
                return Err(LinkRefused::TooMany.into());
            }
            if partial::is_partial(&sys::name_bytes(&name)) {
                return Err(ErrorKind::NotFound.into());
            }
            let target = if !todo.is_empty() {
                match here.open_dir(&name) {
                    Ok(dir) => {
                        here = Arc::new(dir);
                        trail.push(name);
                        continue;
                    }
                    Err(error) => self.link_target(&here, &name, error)?,
                }
            } else {
                let found = optional(match last {
                    FinalLink::FollowNew => here.stat_new(&name),
                    FinalLink::Follow | FinalLink::NoFollow => here.stat(&name),
                })?;
                let is_link = found.is_some_and(|stat| stat.kind == FileKind::Link);
                if last == FinalLink::NoFollow || !is_link {
                    return Ok(ResolvedPath { dir: here, name, found, trail });
                }
                here.read_link(&name)?
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(LinkRefused::TooMany.into());
            }
            last_link = LinkFollowed { name, target };
            let base = self.expand(&last_link.target, &mut todo);
            if base.ok_or_else(|| last_link.leads_outside())? == Base::Root {
                trail.clear();
                here = Arc::clone(&self.root);
            }
        }
        let found = Some(here.stat_self()?);
        Ok(ResolvedPath { dir: here, name: ".".into(), found, trail })
    }

    /// Returns the target of the link `name`, if `open_dir` failed because `name` is a link.
    fn link_target(&self, dir: &Dir, name: &OsStr, error: io::Error) -> io::Result<OsString> {
        if sys::may_be_link(&error) { dir.read_link(name).map_err(|_| error) } else { Err(error) }
    }

    /// Prepends the components of a link's target to the remaining path, and returns the directory
    /// to which they are relative; `None` if that is outside the root.
    fn expand(&self, target: &OsStr, todo: &mut VecDeque<OsString>) -> Option<Base> {
        let mut target = Path::new(target);
        let base = if target.is_absolute() { Base::Root } else { Base::Here };
        if base == Base::Root {
            target = self.inside(target)?;
        }
        for component in target.components().rev() {
            match component {
                Component::Normal(name) => todo.push_front(name.to_owned()),
                Component::ParentDir => todo.push_front("..".into()),
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return None,
            }
        }
        Some(base)
    }

    /// Converts an absolute path of the system to one relative to the root, if it is below the
    /// root.
    pub(super) fn inside<'a>(&self, target: &'a Path) -> Option<&'a Path> {
        self.root_paths.iter().find_map(|root| target.strip_prefix(root).ok())
    }
}

/// Converts the error for a missing name to `None`.
fn optional(stat: io::Result<Stat>) -> io::Result<Option<Stat>> {
    match stat {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A link whose target replaced its name in the path.
#[derive(Debug, Default)]
struct LinkFollowed {
    name: OsString,
    target: OsString,
}

impl LinkFollowed {
    /// Returns the error for a path that leads out of the jail after this link.
    fn leads_outside(&self) -> io::Error {
        let (name, target) = (self.name.clone(), self.target.clone());
        LinkRefused::Outside { name, target }.into()
    }
}
