//! MIRROR: makes a local directory what a remote one is, or the other way round.
//!
//! Both trees are looked at first, then all that is to be done is planned, and then it is done; so
//! `--dry-run` prints exactly that. What was done stays done: interrupted, a mirror that is run again
//! does the rest.

mod plan;
mod walk;

pub(super) use plan::{Facts, Node, Tree};

use super::error::Error;
use super::escape::shown;
use super::local;
use super::output::print_lines;
use super::parallel::{self, How, Job, Way};
use super::resume::Remote;
use super::session::Session;
use super::words::name;
use crate::protocol::{Command, Name};
use crate::sys::os_string;
use plan::{Rules, Step, plan};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use walk::{Walked, joined};

/// How many commands go out before their answers are read.
const BATCH: usize = 32;

/// What the words after MIRROR mean.
#[derive(Debug, Default)]
struct Wanted {
    upload: bool,
    dry_run: bool,
    connections: Option<usize>,
    rules: Rules,
    operands: Vec<Vec<u8>>,
}

impl Wanted {
    fn parse(words: &[Vec<u8>]) -> Result<Wanted, Error> {
        let mut wanted = Wanted::default();
        let mut words = words.iter();
        let mut only_operands = false;
        while let Some(word) = words.next() {
            if only_operands || !word.starts_with(b"-") || word == b"-" {
                wanted.operands.push(word.clone());
                continue;
            }
            let (option, joined) = match word.iter().position(|&byte| byte == b'=') {
                Some(at) if word.starts_with(b"--") => (&word[..at], Some(word[at + 1..].to_vec())),
                _ => (word.as_slice(), None),
            };
            let mut value = || {
                let missing = || Error::Usage(format!("{} needs a value", shown(option)));
                joined.clone().or_else(|| words.next().cloned()).ok_or_else(missing)
            };
            match option {
                b"--" => only_operands = true,
                b"-R" | b"--reverse" => wanted.upload = true,
                b"-e" | b"--delete" => wanted.rules.delete = true,
                b"-n" | b"--only-newer" => wanted.rules.only_newer = true,
                b"--dry-run" => wanted.dry_run = true,
                // What an earlier run left of a file is always gone on with, if it is of the same.
                b"-c" | b"--continue" => {}
                b"-I" | b"--include" | b"--include-glob" => wanted.rules.include.push(value()?),
                b"-X" | b"--exclude" | b"--exclude-glob" => wanted.rules.exclude.push(value()?),
                b"-j" | b"-P" | b"--parallel" => wanted.connections = Some(count(&value()?)?),
                _ => return Err(Error::Usage(format!("unknown option {}", shown(word)))),
            }
        }
        if wanted.operands.len() > 2 {
            return Err(Error::Usage("expected SOURCE and TARGET alone".to_owned()));
        }
        Ok(wanted)
    }

    /// Where from and where to. What is not named is called as the source is, here.
    fn ends(&self) -> (Vec<u8>, Vec<u8>) {
        let source = self.operands.first().cloned().unwrap_or_else(|| b".".to_vec());
        let own = || {
            let trimmed = source.strip_suffix(b"/").unwrap_or(&source);
            let last = trimmed.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            if last.is_empty() || last == b".." { b".".to_vec() } else { last.to_vec() }
        };
        let target = self.operands.get(1).cloned().unwrap_or_else(own);
        (source, target)
    }
}

fn count(word: &[u8]) -> Result<usize, Error> {
    let count = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
    let wrong = || Error::Usage(format!("{}: expected a number from 1 to 64", shown(word)));
    count.filter(|count| (1..=64).contains(count)).ok_or_else(wrong)
}

/// Mirrors as the words say.
pub(super) fn run(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let mut wanted = Wanted::parse(words)?;
    session.connection()?;
    let (source, target) = wanted.ends();
    let (remote, here) = if wanted.upload { (target, source) } else { (source, target) };
    let root = local::path(&here)?;
    if wanted.upload {
        wanted.rules.times_are_lost = !session.connection()?.has_feature(b"MFMT")?;
    }
    let mut mirror = Mirror { session, wanted, remote, root, outcome: Outcome::default() };
    let (from, to) = mirror.look()?;
    mirror.tell_refused(from.refused.into_iter().chain(to.refused));
    let steps = plan(&from.tree, &to.tree, &mirror.wanted.rules);
    if mirror.wanted.dry_run {
        return print_lines(&mirror.described(&steps));
    }
    mirror.carry_out(steps)
}

/// Everything below a remote directory; what could not be looked into is told of.
pub(super) fn remote_tree(session: &mut Session, dir: &[u8]) -> Result<Tree, Error> {
    let armed = session.interrupt().begin().map_err(Error::Local)?;
    let walked = walk::remote(session.connection()?, dir, &Rules::default(), &armed)?;
    for error in walked.refused {
        session.messages.error(&format!("error: {error}"));
    }
    Ok(walked.tree)
}

/// A mirror that is being made.
struct Mirror<'a> {
    session: &'a mut Session,
    wanted: Wanted,
    /// The remote directory and the local one.
    remote: Vec<u8>,
    root: PathBuf,
    outcome: Outcome,
}

/// What came of it besides files.
#[derive(Default)]
struct Outcome {
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
        let connection = self.session.connection()?;
        if self.wanted.upload {
            let here = walk::local(&self.root, &rules)?;
            let there = match walk::remote(connection, &self.remote, &rules, &armed) {
                // It is to be made.
                Err(Error::Refused(_)) => Walked::default(),
                other => other?,
            };
            return Ok((here, there));
        }
        let there = walk::remote(connection, &self.remote, &rules, &armed)?;
        let here = match walk::local(&self.root, &rules) {
            Err(Error::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                Walked::default()
            }
            other => other?,
        };
        Ok((there, here))
    }

    fn described(&self, steps: &[Step]) -> String {
        let verb = if self.wanted.upload { "put" } else { "get" };
        let line = |step: &Step| match step {
            Step::Refuse(path) => format!("refuse {}\n", shown(path)),
            Step::Remove(path) => format!("delete {}\n", shown(path)),
            Step::RemoveDir(path) => format!("rmdir {}\n", shown(path)),
            Step::MakeDir(path) => format!("mkdir {}\n", shown(path)),
            Step::Transfer(path, _) => format!("{verb} {}\n", shown(path)),
            Step::Link(path, to) if self.makes_link(path, to) => {
                format!("link {} -> {}\n", shown(path), shown(to))
            }
            Step::Link(..) => String::new(),
        };
        steps.iter().map(line).collect()
    }

    fn carry_out(&mut self, steps: Vec<Step>) -> Result<(), Error> {
        self.make_root()?;
        let mut jobs = Vec::new();
        let is_late = |step: &Step| !matches!(step, Step::Transfer(..));
        let cut = steps.iter().position(|step| !is_late(step)).unwrap_or(steps.len());
        let (before, rest) = steps.split_at(cut);
        self.all(before);
        for step in rest {
            if let Step::Transfer(path, facts) = step {
                match self.job(path, facts) {
                    Ok(job) => jobs.push(job),
                    Err(error) => self.fail(path, &error),
                }
            }
        }
        let (files, mut tally) = (jobs.len(), self.transfer(jobs)?);
        let late: Vec<Step> = rest.iter().filter(|step| is_late(step)).cloned().collect();
        let (done, bytes) = (tally.done, tally.bytes);
        if !tally.is_stopped() {
            self.all(&late);
        }
        let Outcome { dirs, links, removed, failed } = self.outcome;
        let failures = tally.failed + failed;
        self.session.messages.note(&format!(
            "{done} of {files} files ({bytes} bytes), {dirs} directories, {links} links, \
             {removed} removed, {failures} failed"
        ));
        tally.failed = failures;
        if failed > 0 && tally.status == 0 {
            tally.status = 1;
        }
        tally.result(files + failed)
    }

    fn make_root(&mut self) -> Result<(), Error> {
        if !self.wanted.upload {
            let failed = |error| Error::File { path: self.root.clone(), error };
            return fs::create_dir_all(&self.root).map_err(failed);
        }
        if !matches!(self.remote.as_slice(), b"" | b"." | b"/") {
            // It may be there, which is said in as many ways as there are servers.
            let made = self.session.connection()?.make_dir(&name(&self.remote)?);
            return match made {
                Err(Error::Refused(_)) => Ok(()),
                other => other,
            };
        }
        Ok(())
    }

    fn transfer(&mut self, jobs: Vec<Job>) -> Result<parallel::Tally, Error> {
        let mut transfers = self.session.transfers;
        transfers.connections = self.wanted.connections.unwrap_or(transfers.connections);
        let (messages, interrupt) = (self.session.messages, self.session.interrupt().clone());
        let connection = self.session.connection()?;
        connection.revive()?;
        parallel::run(connection, jobs, &How { transfers, messages, interrupt })
    }

    fn job(&self, path: &[u8], facts: &Facts) -> Result<Job, Error> {
        let remote = name(&joined(&self.remote, path))?;
        let known = Remote { size: facts.size, modified: facts.modified };
        Ok(if self.wanted.upload {
            Job { way: Way::Up, remote, local: self.at(path)?, known }
        } else {
            // A time of LIST is none that could be given to a file.
            let known = if facts.exact { known } else { Remote::default() };
            Job { way: Way::Down, remote, local: self.at(path)?, known }
        })
    }

    fn at(&self, path: &[u8]) -> Result<PathBuf, Error> {
        let relative = os_string(path).ok_or_else(|| Error::BadName(path.to_vec()))?;
        Ok(self.root.join(relative))
    }

    fn all(&mut self, steps: &[Step]) {
        if self.wanted.upload {
            return self.all_remote(steps);
        }
        for step in steps {
            let result = self.do_here(step);
            self.count(step, result);
        }
    }

    fn do_here(&self, step: &Step) -> Result<(), Error> {
        let done = |path: &[u8], what: fn(&Path) -> io::Result<()>| {
            let at = self.at(path)?;
            what(&at).map_err(|error| Error::File { path: at, error })
        };
        match step {
            Step::Refuse(path) => Err(Error::InTheWay(path.clone())),
            Step::Remove(path) => done(path, |at| fs::remove_file(at)),
            Step::RemoveDir(path) => done(path, |at| fs::remove_dir(at)),
            Step::MakeDir(path) => done(path, |at| fs::create_dir(at)),
            Step::Link(path, to) if self.makes_link(path, to) => {
                let at = self.at(path)?;
                let target = os_string(to).ok_or_else(|| Error::BadName(to.clone()))?;
                local::link(&at, Path::new(&target))
                    .map_err(|error| Error::File { path: at, error })
            }
            Step::Link(..) | Step::Transfer(..) => Ok(()),
        }
    }

    /// Links cannot be made by FTP, and no server may lead us out of the directory by one.
    fn makes_link(&self, path: &[u8], to: &[u8]) -> bool {
        !self.wanted.upload && stays_inside(path, to)
    }

    /// Without waiting for each answer before the next is asked.
    fn all_remote(&mut self, steps: &[Step]) {
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
            let told = batch.iter().filter(|step| !matches!(step, Step::Link(..)));
            for (step, command) in told.zip(commands) {
                let unanswered = || Err(Error::NotConnected);
                let result =
                    command.and_then(|_| answers.next().unwrap_or_else(unanswered).map(drop));
                self.count(step, result);
            }
        }
    }

    fn command(&self, step: &Step) -> Option<Result<Command, Error>> {
        let at = |path: &[u8]| -> Result<Name, Error> { name(&joined(&self.remote, path)) };
        match step {
            Step::Refuse(path) => Some(Err(Error::InTheWay(path.clone()))),
            Step::Remove(path) => Some(at(path).map(Command::Dele)),
            Step::RemoveDir(path) => Some(at(path).map(Command::Rmd)),
            Step::MakeDir(path) => Some(at(path).map(Command::Mkd)),
            Step::Link(..) | Step::Transfer(..) => None,
        }
    }

    fn count(&mut self, step: &Step, result: Result<(), Error>) {
        match (step, result) {
            (Step::Refuse(path) | Step::Remove(path) | Step::RemoveDir(path), Err(error))
            | (Step::MakeDir(path) | Step::Link(path, _), Err(error))
            | (Step::Transfer(path, _), Err(error)) => self.fail(path, &error),
            (Step::MakeDir(_), Ok(())) => self.outcome.dirs += 1,
            (Step::Link(path, to), Ok(())) if self.makes_link(path, to) => self.outcome.links += 1,
            (Step::Remove(_) | Step::RemoveDir(_), Ok(())) => self.outcome.removed += 1,
            (Step::Link(..) | Step::Transfer(..) | Step::Refuse(_), Ok(())) => {}
        }
    }

    fn fail(&mut self, path: &[u8], error: &Error) {
        self.outcome.failed += 1;
        self.session.messages.error(&format!("error: {}: {error}", shown(path)));
    }

    fn tell_refused(&mut self, errors: impl Iterator<Item = Error>) {
        for error in errors {
            self.outcome.failed += 1;
            self.session.messages.error(&format!("error: {error}"));
        }
    }
}

/// Whether a link at `path` leads to something in the same tree.
fn stays_inside(path: &[u8], to: &[u8]) -> bool {
    let Some(to) = os_string(to) else { return false };
    let mut depth = path.iter().filter(|&&byte| byte == b'/').count();
    for part in Path::new(&to).components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(less) => depth = less,
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

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn words_after_mirror() {
        let wanted = Wanted::parse(&words("-R --delete --exclude *.o --include=x a b")).unwrap();
        assert!(wanted.upload && wanted.rules.delete && !wanted.dry_run);
        assert_eq!(wanted.rules.exclude, words("*.o"));
        assert_eq!(wanted.rules.include, words("x"));
        assert_eq!(wanted.ends(), (b"a".to_vec(), b"b".to_vec()));
        for wrong in ["--frob", "a b c", "--exclude", "-j 0"] {
            assert!(matches!(Wanted::parse(&words(wrong)), Err(Error::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn the_target_is_called_as_the_source_is() {
        for (line, source, target) in [
            ("", ".", "."),
            ("/a/b", "/a/b", "b"),
            ("a/b/", "a/b/", "b"),
            ("/", "/", "."),
            ("..", "..", "."),
        ] {
            let ends = Wanted::parse(&words(line)).unwrap().ends();
            assert_eq!(ends, (source.as_bytes().to_vec(), target.as_bytes().to_vec()));
        }
    }

    #[test]
    fn links_stay_inside() {
        for (path, to, inside) in [
            ("a", "b", true),
            ("d/a", "../b", true),
            ("a", "../b", false),
            ("d/a", "../../b", false),
            ("a", "/etc", false),
            ("a", "x/../../y", false),
            ("a", "", false),
        ] {
            assert_eq!(stays_inside(path.as_bytes(), to.as_bytes()), inside, "{path} {to}");
        }
    }
}
