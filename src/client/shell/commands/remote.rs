//! Commands on remote files and directories, and requests for the server's status.

use super::mget_mput::record_printed_failure;
use super::mirror::{self, Node};
use super::operands::{Operand, operand, optional};
use super::row::Row;
use crate::args::{Flag, Parsed};
use crate::client::error::{Error, ErrorClass};
use crate::client::name::parse_name;
use crate::client::output::json::{Change, Side, print_object, with_error};
use crate::client::output::{print_line, print_lines};
use crate::client::remote_listing::{Expanded, Found, expand};
use crate::client::shell::session::{DefaultAnswer, Session};
use crate::json::Object;
use crate::protocol::{Name, Reply, Verb};
use crate::text::rfc3339;
use crate::text::{shown, shown_lines};

pub(super) const ROWS: &[Row] = &[
    Row::new(&["pwd"], "print the remote directory", pwd).keeps_remote_names(),
    Row::new(&["cd"], "change the remote directory; - is the previous one", cd)
        .operands(&[Operand::remote_dir("DIR").optional()])
        .example("CD pub"),
    Row::new(&["cdup"], "change to the parent of the remote directory", cdup),
    Row::with_options(
        &["mkdir"],
        "make remote directories",
        &[Flag::letter_switch('p', "make missing parents too, and ignore existing directories")],
        mkdir,
    )
    .operands(&[Operand::remote_dir("DIRS").many()])
    .example("MKDIR -p pub/new"),
    Row::new(&["rmdir"], "remove an empty remote directory", rmdir)
        .operands(&[Operand::remote_dir("DIR")])
        .example("RMDIR pub"),
    Row::with_options(
        &["delete", "rm"],
        "delete remote files",
        &[Flag::letter_switch('r', "delete directories and their content, too")],
        delete,
    )
    .operands(&[Operand::remote("FILES").literal("mdelete").many()])
    .example("DELETE old.txt"),
    Row::new(&["mdelete", "mrm"], "delete the remote files that match", mdelete)
        .operands(&[Operand::remote("PATTERNS").many()])
        .details("Directories are skipped. PROMPT sets whether to ask before each file\n")
        .example("MDELETE *.bak"),
    Row::new(&["rename", "mv"], "rename a remote file or directory", rename)
        .operands(&[Operand::remote("FROM"), Operand::remote("TO")])
        .example("RENAME a.txt b.txt")
        .names_target("to"),
    Row::new(&["chmod"], "set the mode of remote files", chmod)
        .operands(&[Operand::text("MODE"), Operand::remote("FILES").many()])
        .example("CHMOD 644 a.txt")
        .keeps_remote_names(),
    Row::new(&["size"], "print the size of a remote file in bytes", size)
        .operands(&[Operand::remote("FILE")])
        .example("SIZE a.txt")
        .keeps_remote_names(),
    Row::new(&["modtime"], "print the modification time of a remote file", modtime)
        .operands(&[Operand::remote("FILE")])
        .example("MODTIME a.txt")
        .keeps_remote_names(),
    Row::new(&["system"], "print the server's system type", system).keeps_remote_names(),
    Row::new(&["features"], "print the server's extensions", features).keeps_remote_names(),
    Row::new(&["rstatus"], "print the server's status", remote_status)
        .operands(&[Operand::remote("PATH").optional()])
        .example("RSTATUS")
        .keeps_remote_names(),
    Row::new(&["rhelp", "remotehelp"], "print the server's help", remote_help)
        .operands(&[Operand::text("COMMAND").many().optional()])
        .example("RHELP SITE")
        .keeps_remote_names(),
    Row::new(&["site"], "send a SITE command", site)
        .operands(&[Operand::of_server("WORDS")])
        .example("SITE HELP"),
    Row::new(&["umask"], "print or set the mask for new remote files", umask)
        .operands(&[Operand::text("MASK").optional()])
        .example("UMASK 022"),
    Row::new(&["idle"], "print or set the server's idle timeout", idle)
        .operands(&[Operand::text("SECONDS").optional()])
        .example("IDLE 600"),
    Row::new(&["quote", "literal"], "send a raw command to the server", quote)
        .operands(&[Operand::of_server("WORDS")])
        .example("QUOTE SITE HELP"),
];

fn pwd(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    let dir = session.connection()?.current_dir()?;
    match session.transfers.json {
        true => print_object(Object::new().text("directory", &dir)),
        false => print_line(&dir),
    }
}

/// Reports a change on the server: as an object with `--json`, and as a message at a terminal.
fn report(session: &Session, path: &[u8], change: Change<'_>, message: &str) -> Result<(), Error> {
    if session.transfers.json {
        print_object(change.object(Side::Remote, path))?;
    }
    session.confirm_success(message);
    Ok(())
}

/// Changes the directory. `-` is the previous directory; the default is the root.
fn cd(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    let to = match optional(words, 0) {
        None => parse_name(b"/")?,
        Some(b"-") => parse_name(&session.previous_dir()?)?,
        Some(word) => parse_name(word)?,
    };
    session.change_dir(&to)?;
    session.confirm_dir();
    Ok(())
}

fn cdup(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.change_to_parent()?;
    session.confirm_dir();
    Ok(())
}

fn mkdir(session: &mut Session, options: &Parsed, words: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    for dir in words {
        if options.switch("p") {
            make_with_parents(session, dir)?;
        } else {
            let made = session.connection()?.make_dir(&parse_name(dir)?);
            made.map_err(|error| super::refusal::explained(session, dir, error))?;
        }
        report(session, dir, Change::MakeDir, &format!("made the directory {}", shown(dir)))?;
    }
    Ok(())
}

/// Makes a directory and its missing parents. An existing directory is not an error.
pub(super) fn make_with_parents(session: &mut Session, dir: &[u8]) -> Result<(), Error> {
    let dir = dir.strip_suffix(b"/").unwrap_or(dir);
    for end in (1..dir.len()).filter(|end| dir[*end] == b'/') {
        // A refusal usually means that the parent exists. If not, the last MKD is refused, too.
        match session.connection()?.make_dir(&parse_name(&dir[..end])?) {
            Ok(()) | Err(Error::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    match session.connection()?.make_dir(&parse_name(dir)?) {
        Err(Error::Refused(reply)) if is_there(&reply) => Ok(()),
        other => other,
    }
}

/// Returns whether a refusal of MKD means that the directory exists. The code for this is 521, but most
/// servers send 550 and say it in the text.
fn is_there(reply: &Reply) -> bool {
    let text = String::from_utf8_lossy(reply.text()).to_lowercase();
    reply.code().number() == 521 || ["exists", "already"].iter().any(|word| text.contains(word))
}

fn rmdir(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let dir = operand(words, 0);
    session.connection()?.remove_dir(&parse_name(dir)?)?;
    report(session, dir, Change::RemoveDir, &format!("removed the directory {}", shown(dir)))
}

fn delete(session: &mut Session, options: &Parsed, words: &[Vec<u8>]) -> Result<(), Error> {
    let several = words.len() > 1;
    for word in words {
        let name = parse_name(word)?;
        let deleted = match session.connection()?.delete(&name) {
            Err(Error::Refused(reply)) if options.switch("r") => {
                delete_tree(session, &name, Error::Refused(reply))
            }
            other => other.map(|()| true),
        };
        if deleted.map_err(|error| if several { error.at_remote(word) } else { error })? {
            report(session, word, Change::Delete, &format!("deleted {}", shown(word)))?;
        }
    }
    Ok(())
}

/// Deletes a directory and its content: with RMDA if FEAT lists it, else file by file. Nothing is deleted
/// unless the whole tree could be listed. Links are deleted and not followed. Returns false if the user
/// did not confirm the deletion.
fn delete_tree(session: &mut Session, dir: &Name, refusal: Error) -> Result<bool, Error> {
    if !super::refusal::is_dir(session, dir, &refusal) {
        return Err(refusal);
    }
    if !session.confirms("delete everything below", dir.as_bytes(), DefaultAnswer::No)? {
        return Ok(false);
    }
    if session.connection()?.has_feature(b"RMDA")? {
        return session.connection()?.remove_tree(dir).map(|()| true);
    }
    let (tree, unread) = mirror::remote_tree(session, dir.as_bytes())?;
    if let Some(error) = unread.into_iter().next() {
        return Err(error);
    }
    // In reverse order the content of a directory comes before the directory.
    for (path, node) in tree.iter().rev() {
        let path = parse_name(&[dir.as_bytes(), b"/", path].concat())?;
        let connection = session.connection()?;
        let deleted = match node {
            Node::Dir | Node::Unreadable => connection.remove_dir(&path),
            Node::File(_) | Node::Link(_) | Node::Other => connection.delete(&path),
        };
        deleted.map_err(|error| error.at_remote(path.as_bytes()))?;
    }
    session.connection()?.remove_dir(dir).map(|()| true)
}

/// Deletes the files that match patterns, and asks before each at a terminal. A failure is reported and
/// does not stop the others.
fn mdelete(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    let (mut of, mut failed) = (0, 0);
    for word in words {
        for file in matches(session, word)? {
            if !session.confirms("delete", file.as_bytes(), DefaultAnswer::No)? {
                continue;
            }
            of += 1;
            failed += usize::from(!delete_match(session, &file)?);
        }
    }
    let deleted = of - failed;
    session.confirm_success(&format!(
        "deleted {deleted} {}",
        if deleted == 1 { "file" } else { "files" }
    ));
    let class = ErrorClass::Remote;
    let result = if failed == 0 { Ok(()) } else { Err(Error::Some { failed, of, class }) };
    record_printed_failure(session, &result);
    result
}

/// Deletes a file and reports the result. Returns false if the server refuses it.
fn delete_match(session: &mut Session, file: &Name) -> Result<bool, Error> {
    let refusal = match session.connection()?.delete(file) {
        Ok(()) => None,
        Err(error @ Error::Refused(_)) => Some(error),
        Err(error) => return Err(error),
    };
    let name = file.as_bytes();
    if let Some(error) = &refusal {
        session.messages.error(&format!("error: {}: {error}", shown(name)));
    }
    if session.transfers.json {
        let object = Change::Delete.object(Side::Remote, name);
        print_object(refusal.iter().fold(object, with_error))?;
    }
    Ok(refusal.is_none())
}

/// Returns the files that match a pattern; a name without wildcards matches itself.
fn matches(session: &mut Session, word: &[u8]) -> Result<Vec<Name>, Error> {
    let pattern = parse_name(word)?;
    if !session.globs() {
        return Ok(vec![pattern]);
    }
    let Expanded { found, unread } = expand(session.connection()?, &pattern)?;
    if let Some(error) = unread.into_iter().next() {
        return Err(error);
    }
    if found.is_empty() { Err(Error::NothingMatches(word.to_vec())) } else { Ok(paths(found)) }
}

fn paths(found: Vec<Found>) -> Vec<Name> {
    found.into_iter().map(|file| file.path).collect()
}

fn rename(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let (from, to) = (parse_name(operand(words, 0))?, parse_name(operand(words, 1))?);
    session.connection()?.rename(&from, &to)?;
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let message = format!("renamed {} to {}", shown(from), shown(to));
    report(session, from, Change::Rename { to }, &message)
}

fn size(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let file = parse_name(operand(words, 0))?;
    let size = session.connection()?.size(&file)?;
    match session.transfers.json {
        true => print_object(Object::new().text("path", file.as_bytes()).number("size", size)),
        false => print_line(size.to_string().as_bytes()),
    }
}

fn modtime(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let file = parse_name(operand(words, 0))?;
    let modified = rfc3339(session.connection()?.modified(&file)?);
    let modified = modified.as_bytes();
    match session.transfers.json {
        true => {
            print_object(Object::new().text("path", file.as_bytes()).text("modified", modified))
        }
        false => print_line(modified),
    }
}

fn quote(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let verb = words.first().and_then(|word| Verb::parse(word));
    // RNTO must follow immediately, without the PWD that the prompt would send.
    if verb != Some(Verb::Rnfr) {
        // The command may be CWD.
        session.forget_dir();
    }
    let result = say(session, &[], words);
    // The command may be USER or REIN.
    session.update_user();
    result?;
    // The command may be QUIT.
    session.drop_lost();
    Ok(())
}

fn site(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    say(session, &[b"SITE"], words)
}

fn umask(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    say(session, &[b"SITE UMASK"], words)
}

fn idle(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    say(session, &[b"SITE IDLE"], words)
}

fn system(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    say(session, &[b"SYST"], words)
}

fn features(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    say(session, &[b"FEAT"], words)
}

fn remote_status(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    say(session, &[b"STAT"], words)
}

fn remote_help(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    say(session, &[b"HELP"], words)
}

fn chmod(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let (mode, files) = (operand(words, 0), words.get(1..).unwrap_or_default());
    if mode.is_empty() || !mode.iter().all(|digit| (b'0'..=b'7').contains(digit)) {
        return Err(Error::Usage("expected a mode such as 644".to_owned()));
    }
    for file in files {
        let line = parse_name(&[b"SITE CHMOD", mode, file].join(&b' '))?;
        accepted(session.connection()?.quote(&line)?)?;
        let message = format!("set the mode of {} to {}", shown(file), shown(mode));
        report(session, file, Change::SetMode { mode }, &message)?;
    }
    Ok(())
}

/// Sends a raw command and prints the reply.
fn say(session: &mut Session, verb: &[&[u8]], words: &[Vec<u8>]) -> Result<(), Error> {
    let all: Vec<&[u8]> = verb.iter().copied().chain(words.iter().map(Vec::as_slice)).collect();
    let line: Name = parse_name(&all.join(&b' '))?;
    let reply = accepted(session.connection()?.quote(&line)?)?;
    if session.transfers.json {
        let text = reply.to_string();
        let object = Object::new().number("code", reply.code().number());
        return print_object(object.text("reply", text.as_bytes()));
    }
    print_lines(&format!("{}\n", shown_lines(reply.to_string().as_bytes())))
}

fn accepted(reply: Reply) -> Result<Reply, Error> {
    let code = reply.code();
    let yes = code.is_success() || code.is_intermediate();
    if yes { Ok(reply) } else { Err(Error::Refused(reply)) }
}
