//! MIRROR: makes a local directory what a remote one is, or the other way round.
//!
//! Both trees are looked at first, then all that is to be done is planned, and then it is done; so
//! `--dry-run` prints exactly that. What was done stays done: interrupted, a mirror that is run again
//! does the rest.

mod options;
mod plan;
mod walk;

pub(super) use plan::{FileFacts, Node, Tree};

use super::mget_mput::report;
use super::operands::Operand;
use super::row::Row;
use crate::args::{Flag, Parsed};
use crate::client::connection::Representation;
use crate::client::error::{Error, ErrorClass};
use crate::client::local;
use crate::client::name::parse_name;
use crate::client::output::print_lines;
use crate::client::shell::session::Session;
use crate::client::transfer::batch::{self, Job, Tally};
use crate::client::transfer::compare::RemoteFacts;
use crate::client::transfer::download::{Download, Kept};
use crate::client::transfer::upload::{Placement, Upload};
use crate::protocol::{Command, Name};
use crate::sys::os_string;
use crate::text::shown;
use options::Wanted;
use plan::{MirrorStep, Rules, plan};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use walk::{Walked, joined};

pub(super) const ROWS: &[Row] =
    &[Row::with_options(&["mirror"], "make one directory a copy of another", OPTIONS, mirror)
        .operands(&[Operand::remote_dir("FROM").optional(), Operand::local_dir("TO").optional()])
        .details(
            "FROM is a remote directory and TO a local one; with -R the other way round.\n\
             Without TO its name is the last part of FROM. Files that are new, or differ in\n\
             size or time, are transferred. Links that stay inside the directory are copied\n\
             as links; others, and with -R all links, are skipped\n",
        )
        .example("MIRROR pub")];

const OPTIONS: &[Flag] = &[
    Flag::switch("reverse", "upload: copy a local directory to the server").short('R'),
    Flag::switch("delete", "delete what FROM does not have, or what is in the way").short('e'),
    Flag::switch("only-newer", "skip files that are not newer").short('n'),
    Flag::switch("dry-run", "print what would be done, and do nothing"),
    Flag::option("include", "GLOB", "transfer only what matches; wins over --exclude")
        .short('I')
        .also(&["include-glob"])
        .many(),
    Flag::option("exclude", "GLOB", "skip what matches; with a / the whole path has to match")
        .short('X')
        .also(&["exclude-glob"])
        .many(),
    Flag::switch("dereference", "copy what links lead to, instead of links").short('L'),
    Flag::option("parallel", "N", "number of connections, instead of ftp_client's -j")
        .short('j')
        .also(&["P"]),
    Flag::switch("continue", "accepted: partial files are always continued").short('c'),
];

/// How many commands go out before their answers are read.
const BATCH: usize = 32;

/// Mirrors as the words say.
fn mirror(session: &mut Session, options: &Parsed, words: &[Vec<u8>]) -> Result<(), Error> {
    let mut wanted = Wanted::new(options, words)?;
    let representation = session.connection()?.representation();
    wanted.rules.sizes_are_lost = representation == Representation::Text;
    let (source, target) = wanted.ends();
    let (remote, here) = if wanted.upload { (target, source) } else { (source, target) };
    let root = local::path(&here)?;
    if wanted.upload {
        wanted.rules.times_are_lost = !session.connection()?.has_feature(b"MFMT")?;
    }
    let mut mirror = Mirror { session, wanted, remote, root, counts: MirrorCounts::default() };
    let (mut from, to) = mirror.look()?;
    // What is missing in a listing that was not read whole is no reason to delete anything.
    mirror.wanted.rules.delete &= !from.root_is_partial && !to.root_is_partial;
    mirror.tell_refused(from.refused.into_iter().chain(to.refused));
    mirror.leave_links_out(&mut from.tree);
    let steps = mirror.plan(&from.tree, &to.tree)?;
    if mirror.wanted.dry_run {
        return print_lines(&mirror.described(&steps));
    }
    mirror.carry_out(steps)
}

/// Everything below a remote directory, and the reasons why there may be more.
pub(super) fn remote_tree(session: &mut Session, dir: &[u8]) -> Result<(Tree, Vec<Error>), Error> {
    let armed = session.interrupt().begin().map_err(Error::Local)?;
    let walked = walk::remote(session.connection()?, dir, &Rules::default(), &armed)?;
    Ok((walked.tree, walked.refused))
}

/// A mirror that is being made.
struct Mirror<'a> {
    session: &'a mut Session,
    wanted: Wanted,
    /// The remote directory and the local one.
    remote: Vec<u8>,
    root: PathBuf,
    counts: MirrorCounts,
}

/// What came of it besides files.
#[derive(Default)]
struct MirrorCounts {
    dirs: usize,
    links: usize,
    removed: usize,
    failed: usize,
}

impl Mirror<'_> {
    /// The tree of the source and that of the target.
    fn look(&mut self) -> Result<(Walked, Walked), Error> {
        let armed = self.session.interrupt().begin().map_err(Error::Local)?;
        let rules = self.wanted.rules.clone();
        // Nothing is written, nor deleted, through a link.
        let plain = Rules { follow: false, ..rules.clone() };
        let connection = self.session.connection()?;
        if self.wanted.upload {
            let here = walk::local(&self.root, &rules, &armed)?;
            let there = match walk::remote(connection, &self.remote, &plain, &armed) {
                // It is to be made.
                Err(Error::Refused(_)) => Walked::default(),
                other => other?,
            };
            return Ok((here, there));
        }
        let there = walk::remote(connection, &self.remote, &rules, &armed)?;
        let here = match walk::local(&self.root, &plain, &armed) {
            Err(Error::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                Walked::default()
            }
            other => other?,
        };
        Ok((there, here))
    }

    fn plan(&self, from: &Tree, to: &Tree) -> Result<Vec<MirrorStep>, Error> {
        let armed = self.session.interrupt().begin().map_err(Error::Local)?;
        plan(from, to, &self.wanted.rules, &|| armed.came()).map(|plan| plan.steps)
    }

    fn described(&self, steps: &[MirrorStep]) -> String {
        let verb = if self.wanted.upload { "put" } else { "get" };
        let line = |step: &MirrorStep| match step {
            MirrorStep::Refuse(path) => format!("refuse {}\n", shown(path)),
            MirrorStep::Remove(path) => format!("delete {}\n", shown(path)),
            MirrorStep::RemoveDir(path) => format!("rmdir {}\n", shown(path)),
            MirrorStep::MakeDir(path) => format!("mkdir {}\n", shown(path)),
            MirrorStep::Transfer(path, _) => format!("{verb} {}\n", shown(path)),
            MirrorStep::Link(path, to) => format!("link {} -> {}\n", shown(path), shown(to)),
        };
        steps.iter().map(line).collect()
    }

    fn carry_out(&mut self, steps: Vec<MirrorStep>) -> Result<(), Error> {
        self.make_root()?;
        let mut jobs = Vec::new();
        let is_late = |step: &MirrorStep| !matches!(step, MirrorStep::Transfer(..));
        let cut = steps.iter().position(|step| !is_late(step)).unwrap_or(steps.len());
        let (before, rest) = steps.split_at(cut);
        self.all(before);
        for step in rest {
            if let MirrorStep::Transfer(path, facts) = step {
                match self.job(path, facts) {
                    Ok(job) => jobs.push(job),
                    Err(error) => self.fail(path, &error),
                }
            }
        }
        let (files, mut tally) = (jobs.len(), self.transfer(jobs)?);
        let late: Vec<MirrorStep> = rest.iter().filter(|step| is_late(step)).cloned().collect();
        let (done, bytes) = (tally.done, tally.bytes);
        if !tally.is_stopped() {
            self.all(&late);
        }
        let MirrorCounts { dirs, links, removed, failed } = self.counts;
        let failures = tally.failed + failed;
        self.session.messages.note(&format!(
            "{done} of {files} files ({bytes} bytes), {dirs} directories, {links} links, \
             {removed} removed, {failures} failed"
        ));
        tally.add_failures(failed, ErrorClass::Local);
        tally.result(files + failed)
    }

    fn make_root(&mut self) -> Result<(), Error> {
        if !self.wanted.upload {
            let failed = |error| Error::File { path: self.root.clone(), error };
            return fs::create_dir_all(&self.root).map_err(failed);
        }
        if !matches!(self.remote.as_slice(), b"" | b"." | b"/") {
            // It may be there, which is said in as many ways as there are servers.
            let made = self.session.connection()?.make_dir(&parse_name(&self.remote)?);
            return match made {
                Err(Error::Refused(_)) => Ok(()),
                other => other,
            };
        }
        Ok(())
    }

    fn transfer(&mut self, jobs: Vec<Job>) -> Result<Tally, Error> {
        let mut settings = self.session.transfer_settings();
        if let Some(connections) = self.wanted.connections {
            settings.transfers.connections = connections;
        }
        let connection = self.session.connection()?;
        connection.revive()?;
        batch::run(connection, jobs, &settings, &report(&settings))
    }

    fn job(&self, path: &[u8], facts: &FileFacts) -> Result<Job, Error> {
        let (remote, local) = (parse_name(&joined(&self.remote, path))?, self.at(path)?);
        if self.wanted.upload {
            let (placement, size) = (Placement::Replace, facts.size);
            return Ok(Job::Upload(Upload { local, remote, placement, size }));
        }
        // A time of LIST is none that could be given to a file.
        let known = match facts.exact {
            true => RemoteFacts { size: facts.size, modified: facts.modified },
            false => RemoteFacts::default(),
        };
        let (kept, connections) = (Kept::Partial, None);
        Ok(Job::Download(Download { remote, target: local, kept, known, connections }))
    }

    fn at(&self, path: &[u8]) -> Result<PathBuf, Error> {
        let relative = os_string(path).ok_or_else(|| Error::BadName(path.to_vec()))?;
        Ok(self.root.join(relative))
    }

    fn all(&mut self, steps: &[MirrorStep]) {
        if self.wanted.upload {
            return self.all_remote(steps);
        }
        for step in steps {
            let result = self.do_here(step);
            self.count(step, result);
        }
    }

    fn do_here(&self, step: &MirrorStep) -> Result<(), Error> {
        let done = |path: &[u8], what: fn(&Path) -> io::Result<()>| {
            let at = self.at(path)?;
            what(&at).map_err(|error| Error::File { path: at, error })
        };
        match step {
            MirrorStep::Refuse(path) => Err(Error::InTheWay(path.clone())),
            MirrorStep::Remove(path) => done(path, |at| fs::remove_file(at)),
            MirrorStep::RemoveDir(path) => done(path, |at| fs::remove_dir(at)),
            MirrorStep::MakeDir(path) => done(path, |at| fs::create_dir(at)),
            MirrorStep::Link(path, to) => {
                let at = self.at(path)?;
                let target = os_string(to).ok_or_else(|| Error::BadName(to.clone()))?;
                local::link(&at, Path::new(&target))
                    .map_err(|error| Error::File { path: at, error })
            }
            MirrorStep::Transfer(..) => Ok(()),
        }
    }

    /// Without waiting for each answer before the next is asked.
    fn all_remote(&mut self, steps: &[MirrorStep]) {
        for batch in steps.chunks(BATCH) {
            let commands: Vec<Result<Command, Error>> =
                batch.iter().filter_map(|step| self.command(step)).collect();
            let asked: Vec<Command> =
                commands.iter().filter_map(|command| command.as_ref().ok().cloned()).collect();
            let answers = match self.session.connection() {
                Ok(connection) => match connection.revive() {
                    Ok(()) => connection.call_all(&asked),
                    Err(error) => vec![Err(error)],
                },
                Err(error) => vec![Err(error)],
            };
            let mut answers = answers.into_iter();
            let told = batch.iter().filter(|step| !matches!(step, MirrorStep::Link(..)));
            for (step, command) in told.zip(commands) {
                let unanswered = || Err(Error::NotConnected);
                let result =
                    command.and_then(|_| answers.next().unwrap_or_else(unanswered).map(drop));
                self.count(step, result);
            }
        }
    }

    fn command(&self, step: &MirrorStep) -> Option<Result<Command, Error>> {
        let at = |path: &[u8]| -> Result<Name, Error> { parse_name(&joined(&self.remote, path)) };
        match step {
            MirrorStep::Refuse(path) => Some(Err(Error::InTheWay(path.clone()))),
            MirrorStep::Remove(path) => Some(at(path).map(Command::Dele)),
            MirrorStep::RemoveDir(path) => Some(at(path).map(Command::Rmd)),
            MirrorStep::MakeDir(path) => Some(at(path).map(Command::Mkd)),
            MirrorStep::Link(..) | MirrorStep::Transfer(..) => None,
        }
    }

    fn count(&mut self, step: &MirrorStep, result: Result<(), Error>) {
        match (step, result) {
            (
                MirrorStep::Refuse(path) | MirrorStep::Remove(path) | MirrorStep::RemoveDir(path),
                Err(error),
            )
            | (MirrorStep::MakeDir(path) | MirrorStep::Link(path, _), Err(error))
            | (MirrorStep::Transfer(path, _), Err(error)) => self.fail(path, &error),
            (MirrorStep::MakeDir(_), Ok(())) => self.counts.dirs += 1,
            (MirrorStep::Link(..), Ok(())) => self.counts.links += 1,
            (MirrorStep::Remove(_) | MirrorStep::RemoveDir(_), Ok(())) => self.counts.removed += 1,
            (MirrorStep::Transfer(..) | MirrorStep::Refuse(_), Ok(())) => {}
        }
    }

    fn fail(&mut self, path: &[u8], error: &Error) {
        self.counts.failed += 1;
        self.session.messages.error(&format!("error: {}: {error}", shown(path)));
    }

    /// Links cannot be made by FTP, and no server may lead us out of the directory by one. What stands
    /// in their place on the other side stays as it is.
    fn leave_links_out(&self, tree: &mut Tree) {
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
            let why = if upload { "FTP makes none" } else { "they lead out of the directory" };
            let advice = "--dereference takes what they lead to";
            self.session.messages.note(&format!("{count} links left out: {why}; {advice}"));
        }
    }

    fn tell_refused(&mut self, errors: impl Iterator<Item = Error>) {
        for error in errors {
            self.counts.failed += 1;
            self.session.messages.error(&format!("error: {error}"));
        }
    }
}

/// Whether a link at `path` leads to something in the same tree. One that goes up after it went down
/// may go down by another link, and up from wherever that leads.
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
            // Where x leads to the directory itself, y is beside that.
            ("a", "x/../y", false),
            ("d/a", "../x/../y", false),
            ("d/e/a", "../../x/y", true),
            ("a", "", false),
        ] {
            assert_eq!(stays_inside(path.as_bytes(), to.as_bytes()), inside, "{path} {to}");
        }
    }
}
