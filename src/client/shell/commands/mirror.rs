//! MIRROR: makes a local directory a copy of a remote one, or vice versa.
//!
//! Both trees are listed first, then all steps are planned, and then they are executed; so `--dry-run`
//! prints exactly these steps. An interrupted mirror that is run again executes the remaining steps.

mod carry_out;
mod clock;
mod description;
mod options;
mod plan;
mod refusals;
mod remote_walk;
mod summary;
mod walk;

pub(super) use clock::{PrintedTime, settle_printed};
#[cfg(test)]
pub(super) use plan::FileFacts;
pub(super) use plan::{Node, Tree};

use super::mget_mput::report;
use super::operands::Operand;
use super::row::Row;
use crate::args::{Flag, Parsed};
use crate::client::connection::Connection;
use crate::client::connection::Representation;
use crate::client::error::Error;
use crate::client::local;
use crate::client::shell::session::Session;
use crate::sys::os_string;
use options::MirrorOptions;
use plan::{Plan, Rules, plan};
use refusals::Refusals;
use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Instant;
use summary::Summary;
use walk::TreeScan;

pub(super) const ROWS: &[Row] =
    &[Row::with_options(&["mirror"], "make one directory a copy of another", OPTIONS, mirror)
        .operands(&[Operand::remote_dir("FROM").optional(), Operand::local_dir("TO").optional()])
        .details(
            "FROM is a remote directory and TO a local one; with -R vice versa. By default\n\
             TO is the last part of FROM. Files that are new, or differ in size or time, are\n\
             transferred. Links that stay inside the directory are copied as links; others,\n\
             and with -R all links, are skipped\n",
        )
        .example("MIRROR pub")];

const OPTIONS: &[Flag] = &[
    Flag::switch("reverse", "upload: copy a local directory to the server").short('R'),
    Flag::switch("delete", "delete files that FROM does not have, or that conflict").short('e'),
    Flag::switch("only-newer", "skip files that are not newer").short('n'),
    Flag::switch("dry-run", "print the steps without executing them"),
    Flag::option("include", "GLOB", "transfer only matching paths; overrides --exclude")
        .short('I')
        .also(&["include-glob"])
        .many(),
    Flag::option("exclude", "GLOB", "skip matching names; a GLOB with a / matches the whole path")
        .short('X')
        .also(&["exclude-glob"])
        .many(),
    Flag::switch("dereference", "copy the targets of links instead of links").short('L'),
    Flag::option("parallel", "N", "number of connections, instead of ftp_client's -j")
        .short('j')
        .also(&["P"]),
    Flag::switch("continue", "accepted: partial files are always continued").short('c'),
];

/// Runs MIRROR.
fn mirror(session: &mut Session, options: &Parsed, words: &[Vec<u8>]) -> Result<(), Error> {
    let mut wanted = MirrorOptions::new(options, words)?;
    let representation = session.connection()?.representation();
    wanted.rules.sizes_are_lost = representation == Representation::Ascii;
    let (source, target) = wanted.source_and_target();
    let (remote, here) = if wanted.upload { (target, source) } else { (source, target) };
    let root = local::path(&here)?;
    if wanted.upload {
        wanted.rules.times_are_lost = !session.connection()?.has_feature(b"MFMT")?;
    }
    let mut mirror = Mirror::new(session, wanted, remote, root);
    let (mut from, mut to) = mirror.look()?;
    mirror.settle_times(&mut from, &mut to)?;
    // Delete nothing unless the root was listed completely.
    mirror.wanted.rules.delete &= !from.root_is_partial && !to.root_is_partial;
    mirror.report_unreadable(from.refused.into_iter().chain(to.refused));
    mirror.skip_links(&mut from.tree);
    let plan = mirror.plan(&from.tree, &to.tree)?;
    if mirror.wanted.dry_run {
        return mirror.print_steps(&plan.steps);
    }
    // Large trees are not held while the files are transferred.
    drop(to.tree);
    let tidies = mirror.wanted.rules.delete && !mirror.wanted.upload;
    let source = if tidies { from.tree } else { Tree::new() };
    mirror.carry_out(plan)?;
    if tidies {
        mirror.remove_partials(&source);
    }
    Ok(())
}

/// Returns the tree below a remote directory, and the errors of directories that could not be listed.
pub(super) fn remote_tree(session: &mut Session, dir: &[u8]) -> Result<(Tree, Vec<Error>), Error> {
    let armed = session.interrupt().begin().map_err(Error::Local)?;
    let walk = |connection: &mut Connection| {
        remote_walk::remote(connection, dir, &Rules::default(), &armed, None)
    };
    let scan = session.reading(walk)?;
    Ok((scan.tree, scan.refused))
}

/// The state of a running MIRROR.
struct Mirror<'a> {
    session: &'a mut Session,
    wanted: MirrorOptions,
    /// The remote directory.
    remote: Vec<u8>,
    /// The local directory.
    root: PathBuf,
    /// The remote directory exists and is not empty.
    is_there: bool,
    /// The server lacks MLSD.
    is_rough: bool,
    /// Directories that could not be made; everything below them is skipped.
    unmade: BTreeSet<Vec<u8>>,
    refusals: Refusals,
    started: Instant,
    summary: Summary,
}

impl<'a> Mirror<'a> {
    fn new(
        session: &'a mut Session,
        wanted: MirrorOptions,
        remote: Vec<u8>,
        root: PathBuf,
    ) -> Mirror<'a> {
        let summary = Summary { upload: wanted.upload, ..Summary::default() };
        Mirror {
            session,
            wanted,
            remote,
            root,
            is_there: false,
            is_rough: false,
            unmade: BTreeSet::new(),
            refusals: Refusals::default(),
            started: Instant::now(),
            summary,
        }
    }
}

impl Mirror<'_> {
    /// Lists the trees of the source and the target.
    fn look(&mut self) -> Result<(TreeScan, TreeScan), Error> {
        let armed = self.session.interrupt().begin().map_err(Error::Local)?;
        let rules = self.wanted.rules.clone();
        // Links of the target are never followed, so that nothing is written or deleted through one.
        let plain = Rules { follow: false, ..rules.clone() };
        self.session.connection()?;
        let (remote, followed) = (&self.remote, if self.wanted.upload { &plain } else { &rules });
        let settings = self.wanted.transfer_settings(self.session);
        let walk = |connection: &mut Connection| {
            remote_walk::remote(connection, remote, followed, &armed, Some(&settings))
        };
        if self.wanted.upload {
            let here = walk::local(&self.root, &rules, &armed)?;
            let there = match self.session.reading(walk) {
                // The directory does not exist yet.
                Err(Error::Refused(_)) => TreeScan::default(),
                other => other?,
            };
            self.is_there = !there.tree.is_empty();
            return Ok((here, there));
        }
        let there = self.session.reading(walk)?;
        let here = match walk::local(&self.root, &plain, &armed) {
            Err(Error::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                TreeScan::default()
            }
            other => other?,
        };
        Ok((there, here))
    }

    /// Converts the times of LIST to UTC.
    fn settle_times(&mut self, from: &mut TreeScan, to: &mut TreeScan) -> Result<(), Error> {
        let (there, here) = if self.wanted.upload { (to, from) } else { (from, to) };
        self.is_rough = there.is_rough;
        if !there.is_rough {
            return Ok(());
        }
        let armed = self.session.interrupt().begin().map_err(Error::Local)?;
        let (root, rules) = (&self.remote, &self.wanted.rules);
        let connection = self.session.connection()?;
        clock::settle(connection, root, &mut there.tree, &here.tree, rules, &armed)
    }

    fn plan(&self, from: &Tree, to: &Tree) -> Result<Plan, Error> {
        let armed = self.session.interrupt().begin().map_err(Error::Local)?;
        plan(from, to, &self.wanted.rules, &|| armed.came())
    }

    /// Skips links that cannot be copied: FTP cannot create links, and a link from a server must not point
    /// outside of the directory. Files of their names on the other side are kept.
    fn skip_links(&self, tree: &mut Tree) {
        let upload = self.wanted.upload;
        let is_out = |path: &[u8], node: &Node| match node {
            Node::Link(to) => upload || !stays_inside(path, to),
            _ => false,
        };
        let mut count = 0;
        for (_, node) in tree.iter_mut().filter(|(path, node)| is_out(path, node)) {
            *node = Node::Other;
            count += 1;
        }
        if count > 0 {
            let why = match upload {
                true => "FTP cannot create links",
                false => "they point outside of the directory",
            };
            let advice = "--dereference copies their targets";
            self.session.messages.note(&format!("skipped {count} links: {why}; {advice}"));
        }
    }

    fn report_unreadable(&mut self, errors: impl Iterator<Item = Error>) {
        for error in errors {
            self.summary.failed += 1;
            self.session.messages.error(&format!("error: {error}"));
        }
    }
}

/// Returns whether a link at `path` points into the same tree. `..` after a name is rejected, because the
/// name may be another link, whose parent is elsewhere.
fn stays_inside(path: &[u8], to: &[u8]) -> bool {
    let Some(to) = os_string(to) else { return false };
    let mut above = path.iter().filter(|&&byte| byte == b'/').count();
    for part in Path::new(&to).components() {
        match part {
            Component::Normal(_) => above = 0,
            Component::CurDir => {}
            Component::ParentDir => match above.checked_sub(1) {
                Some(less) => above = less,
                None => return false,
            },
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    !to.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside() {
        for (path, to, inside) in [
            ("a", "b", true),
            ("d/a", "../b", true),
            ("a", "../b", false),
            ("d/a", "../../b", false),
            ("a", "/etc", false),
            ("a", "x/../../y", false),
            // If x is a link to the directory itself, y is outside of it.
            ("a", "x/../y", false),
            ("d/a", "../x/../y", false),
            ("d/e/a", "../../x/y", true),
            ("a", "", false),
        ] {
            assert_eq!(stays_inside(path.as_bytes(), to.as_bytes()), inside, "{path} {to}");
        }
    }
}
