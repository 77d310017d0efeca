//! Walks a path of a client to the directory that holds its last name.

use crate::protocol::FtpPath;
use crate::server::fs::jail::{Jail, Last, ResolvedPath};
use crate::server::fs::partial;
use crate::sys::{self, Dir, FileKind, Stat};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::Arc;

/// How many links one path may lead through; what Linux allows.
const MAX_LINKS: usize = 40;

/// How many names one path may lead through, links and their `..` counted; more than the longest
/// path has parts.
const MAX_STEPS: usize = 10_000;

/// Where the target of a link counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    /// The directory the link stands in.
    Here,
    /// The root.
    Root,
}

impl Jail {
    /// Finds where `path` leads.
    ///
    /// # Errors
    /// A directory on the way is missing, is none, or may not be entered. That the last name is
    /// missing is no error.
    pub fn locate(&self, path: &FtpPath, last: Last) -> io::Result<ResolvedPath> {
        let mut todo: VecDeque<OsString> = VecDeque::new();
        for part in path.parts() {
            todo.push_back(sys::os_name(part)?);
        }
        self.walk(todo, last)
    }

    fn walk(&self, mut todo: VecDeque<OsString>, last: Last) -> io::Result<ResolvedPath> {
        self.check_root()?;
        let mut here = Arc::clone(&self.root);
        // The names of the directories between the root and here; none of them is a link.
        let mut trail: Vec<OsString> = Vec::new();
        let (mut links, mut steps) = (0, 0);
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                // Down again from the root, so that a path of any depth holds one directory open.
                trail.pop().ok_or_else(outside)?;
                // All that follow at once, or a link from far below would take more steps than there
                // are.
                while todo.front().is_some_and(|next| next == "..") {
                    todo.pop_front();
                    trail.pop().ok_or_else(outside)?;
                }
                trail.drain(..).rev().for_each(|name| todo.push_front(name));
                here = Arc::clone(&self.root);
                continue;
            }
            steps += 1;
            if steps > MAX_STEPS || partial::is_partial(&sys::name_bytes(&name)) {
                return Err(outside());
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
                let found = optional(here.stat(&name))?;
                let is_link = found.is_some_and(|stat| stat.kind == FileKind::Link);
                if last == Last::Keep || !is_link {
                    return Ok(ResolvedPath { dir: here, name, found, trail });
                }
                here.read_link(&name)?
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(outside());
            }
            if self.expand(&target, &mut todo)? == Base::Root {
                trail.clear();
                here = Arc::clone(&self.root);
            }
        }
        let found = Some(here.stat_self()?);
        Ok(ResolvedPath { dir: here, name: ".".into(), found, trail })
    }

    /// The target of the link that kept `open_dir` from opening `name`, if that was the reason.
    fn link_target(&self, dir: &Dir, name: &OsStr, error: io::Error) -> io::Result<OsString> {
        if sys::may_be_link(&error) { dir.read_link(name).map_err(|_| error) } else { Err(error) }
    }

    /// Puts the parts of a link's target before what is still to be walked, and says from where.
    fn expand(&self, target: &OsStr, todo: &mut VecDeque<OsString>) -> io::Result<Base> {
        let mut target = Path::new(target);
        let base = if target.is_absolute() { Base::Root } else { Base::Here };
        if base == Base::Root {
            target = self.inside(target).ok_or_else(outside)?;
        }
        for component in target.components().rev() {
            match component {
                Component::Normal(name) => todo.push_front(name.to_owned()),
                Component::ParentDir => todo.push_front("..".into()),
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return Err(outside()),
            }
        }
        Ok(base)
    }

    /// An absolute path of the system as one relative to the root, if it lies below it.
    pub(super) fn inside<'a>(&self, target: &'a Path) -> Option<&'a Path> {
        self.known_as.iter().find_map(|root| target.strip_prefix(root).ok())
    }
}

/// A missing name is an answer, not an error.
fn optional(stat: io::Result<Stat>) -> io::Result<Option<Stat>> {
    match stat {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a way out of the jail looks like from inside: nothing is there.
fn outside() -> io::Error {
    ErrorKind::NotFound.into()
}
