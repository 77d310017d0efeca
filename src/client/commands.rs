//! The commands of the shell: one table that parsing, HELP and dispatch read.

use super::connection::Representation;
use super::error::Error;
use super::escape::{shown, shown_lines};
use super::files;
use super::local;
use super::output::{print_line, print_lines};
use super::session::Session;
use super::url::Endpoint;
use super::words::name;
use crate::args::nearest;
use crate::protocol::time::Civil;
use crate::protocol::{Name, Secret};
use std::env;
use std::ops::RangeInclusive;

/// A command of the shell.
pub(super) struct Row {
    /// Its name, then others it answers to; lower case.
    names: &'static [&'static str],
    /// What follows the name, as HELP shows it.
    operands: &'static str,
    /// How many words that may be.
    count: RangeInclusive<usize>,
    /// What it does, in one line.
    help: &'static str,
    /// One use of it.
    example: &'static str,
    run: fn(&mut Session, &[Vec<u8>]) -> Result<(), Error>,
}

const ANY: usize = usize::MAX;

#[rustfmt::skip]
static TABLE: &[Row] = &[
    Row { names: &["connect", "open"], operands: "HOST [PORT]", count: 1..=2, run: connect,
        help: "connect, to port 21 unless told, and log in", example: "CONNECT localhost 1026" },
    Row { names: &["list", "ls", "dir"], operands: "[-OPTIONS] [PATH]", count: 0..=2, run: list,
        help: "print the listing of a directory", example: "LIST pub" },
    Row { names: &["retrieve", "get"], operands: "FILE [LOCAL]", count: 1..=2, run: retrieve,
        help: "fetch a file; - prints it", example: "RETRIEVE \"my file.txt\" copy.txt" },
    Row { names: &["store", "put"], operands: "FILE [REMOTE]", count: 1..=2, run: store,
        help: "send a file; - is standard input", example: "STORE report.pdf pub/" },
    Row { names: &["quit", "bye", "exit"], operands: "", count: 0..=0, run: quit,
        help: "close the connection and leave", example: "QUIT" },
    Row { names: &["user"], operands: "NAME [PASSWORD]", count: 1..=2, run: user,
        help: "log in as somebody else", example: "USER alice" },
    Row { names: &["close", "disconnect"], operands: "", count: 0..=0, run: close,
        help: "close the connection and stay here", example: "CLOSE" },
    Row { names: &["pwd"], operands: "", count: 0..=0, run: pwd,
        help: "print the remote directory", example: "PWD" },
    Row { names: &["cd"], operands: "DIR", count: 1..=1, run: cd,
        help: "change the remote directory", example: "CD pub" },
    Row { names: &["cdup"], operands: "", count: 0..=0, run: cdup,
        help: "change to the remote directory above", example: "CDUP" },
    Row { names: &["lcd"], operands: "DIR", count: 1..=1, run: lcd,
        help: "change the local directory", example: "LCD /tmp" },
    Row { names: &["lpwd"], operands: "", count: 0..=0, run: lpwd,
        help: "print the local directory", example: "LPWD" },
    Row { names: &["mkdir"], operands: "DIR", count: 1..=1, run: mkdir,
        help: "make a remote directory", example: "MKDIR pub" },
    Row { names: &["rmdir"], operands: "DIR", count: 1..=1, run: rmdir,
        help: "remove an empty remote directory", example: "RMDIR pub" },
    Row { names: &["delete", "rm"], operands: "FILE", count: 1..=1, run: delete,
        help: "delete a remote file", example: "DELETE old.txt" },
    Row { names: &["rename", "mv"], operands: "FROM TO", count: 2..=2, run: rename,
        help: "rename a remote file or directory", example: "RENAME a.txt b.txt" },
    Row { names: &["size"], operands: "FILE", count: 1..=1, run: size,
        help: "print the size of a remote file in bytes", example: "SIZE a.txt" },
    Row { names: &["modtime"], operands: "FILE", count: 1..=1, run: modtime,
        help: "print when a remote file was modified", example: "MODTIME a.txt" },
    Row { names: &["ascii"], operands: "", count: 0..=0, run: ascii,
        help: "transfer files as text, with the line ends of each side", example: "ASCII" },
    Row { names: &["binary"], operands: "", count: 0..=0, run: binary,
        help: "transfer files as they are (so it is at first)", example: "BINARY" },
    Row { names: &["quote"], operands: "WORDS", count: 1..=ANY, run: quote,
        help: "send words to the server as they are", example: "QUOTE SITE HELP" },
    Row { names: &["help", "?"], operands: "[COMMAND]", count: 0..=1, run: help,
        help: "list the commands, or explain one", example: "HELP RETRIEVE" },
];

impl Row {
    /// The command that answers to `word`, in any case.
    ///
    /// # Errors
    /// [`Error::Usage`], with the one that may be meant.
    pub(super) fn find(word: &[u8]) -> Result<&'static Row, Error> {
        let typed = String::from_utf8_lossy(word);
        TABLE.iter().find(|row| row.answers_to(&typed)).ok_or_else(|| unknown(&typed))
    }

    /// The name, as messages show it.
    pub(super) fn title(&self) -> String {
        self.names.first().copied().unwrap_or_default().to_uppercase()
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`Error::Usage`] if the number of words is wrong, else what the command fails with.
    pub(super) fn run(&self, session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
        if !self.count.contains(&words.len()) {
            return Err(Error::Usage(format!("usage: {}", self.usage())));
        }
        (self.run)(session, words)
    }

    fn answers_to(&self, typed: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(typed))
    }

    fn usage(&self) -> String {
        format!("{} {}", self.title(), self.operands).trim_end().to_owned()
    }

    fn explained(&self) -> String {
        let others = self.names.get(1..).unwrap_or_default().join(", ");
        let also = if others.is_empty() { others } else { format!("Also: {others}\n") };
        let (usage, help, example) = (self.usage(), self.help, self.example);
        format!("Usage: {usage}\n{help}\n{also}Example: {example}\n")
    }
}

fn unknown(typed: &str) -> Error {
    let names = TABLE.iter().flat_map(|row| row.names.iter().copied());
    let advice = match nearest(typed, names) {
        Some(name) => format!("did you mean {}?", name.to_uppercase()),
        None => "HELP lists them all".to_owned(),
    };
    Error::Usage(format!("unknown command; {advice}"))
}

/// The operand at `index`; the table sees to it that there are enough.
fn operand(words: &[Vec<u8>], index: usize) -> &[u8] {
    optional(words, index).unwrap_or_default()
}

fn optional(words: &[Vec<u8>], index: usize) -> Option<&[u8]> {
    words.get(index).map(Vec::as_slice)
}

fn text(word: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(word).map_err(|_| Error::Usage("expected text in UTF-8".to_owned()))
}

fn connect(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let port = optional(words, 1).map(text).transpose()?;
    let endpoint = Endpoint::parse(text(operand(words, 0))?, port);
    let wrong = |expected| {
        let word = shown(words.last().map(Vec::as_slice).unwrap_or_default());
        Error::Usage(format!("'{word}': expected {expected}"))
    };
    session.connect(&endpoint.map_err(wrong)?, None, None)
}

fn list(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    if words.len() == 2 && !operand(words, 0).starts_with(b"-") {
        return Err(Error::Usage("expected one PATH; quote a name that has spaces".to_owned()));
    }
    let path = if words.is_empty() { None } else { Some(name(&words.join(&b' '))?) };
    files::list(session, path)
}

fn retrieve(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    files::retrieve(session, &name(operand(words, 0))?, optional(words, 1))
}

fn store(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    files::store(session, operand(words, 0), optional(words, 1))
}

fn quit(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.leaving = true;
    Ok(())
}

fn user(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let user = name(operand(words, 0))?;
    let wrong = || Error::Usage("a password cannot hold CR, LF or NUL".to_owned());
    let given = optional(words, 1).map(|word| Secret::new(word).ok_or_else(wrong)).transpose()?;
    session.log_in(&user, given)?;
    session.messages.note(&format!("logged in as {}", shown(user.as_bytes())));
    Ok(())
}

fn close(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    session.disconnect();
    Ok(())
}

fn pwd(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    print_line(&session.connection()?.current_dir()?)
}

fn cd(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?.change_dir(&name(operand(words, 0))?)
}

fn cdup(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?.change_to_parent()
}

fn lcd(_: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let path = local::path(operand(words, 0))?;
    env::set_current_dir(&path).map_err(|error| Error::File { path, error })
}

fn lpwd(_: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    let path = env::current_dir().map_err(Error::Local)?;
    print_line(path.as_os_str().as_encoded_bytes())
}

fn mkdir(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?.make_dir(&name(operand(words, 0))?)
}

fn rmdir(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?.remove_dir(&name(operand(words, 0))?)
}

fn delete(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?.delete(&name(operand(words, 0))?)
}

fn rename(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let (from, to) = (name(operand(words, 0))?, name(operand(words, 1))?);
    session.connection()?.rename(&from, &to)
}

fn size(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let size = session.connection()?.size(&name(operand(words, 0))?)?;
    print_line(size.to_string().as_bytes())
}

fn modtime(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let modified = session.connection()?.modified(&name(operand(words, 0))?)?;
    let Civil { year, month, day, hour, minute, second } = Civil::from_system(modified);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    print_line(text.as_bytes())
}

fn ascii(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.transfer_as(Representation::Text);
    Ok(())
}

fn binary(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.transfer_as(Representation::Bytes);
    Ok(())
}

fn quote(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let line: Name = name(&words.join(&b' '))?;
    let reply = session.connection()?.quote(&line)?;
    let code = reply.code();
    if !code.is_success() && !code.is_intermediate() {
        return Err(Error::Refused(reply));
    }
    print_lines(&format!("{}\n", shown_lines(reply.to_string().as_bytes())))
}

fn help(_: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    match optional(words, 0) {
        Some(word) => print_lines(&Row::find(word)?.explained()),
        None => print_lines(&overview()),
    }
}

fn overview() -> String {
    let width = TABLE.iter().map(|row| row.usage().len()).max().unwrap_or(0);
    TABLE.iter().map(|row| format!("{:width$}  {}\n", row.usage(), row.help)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_keeps_its_rules() {
        let names: Vec<&str> = TABLE.iter().flat_map(|row| row.names.iter().copied()).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{name} stands twice");
            assert_eq!(*name, name.to_lowercase());
        }
        for row in TABLE {
            let words = super::super::words::words(row.example.as_bytes()).unwrap();
            assert!(std::ptr::eq(Row::find(&words[0]).unwrap(), row), "{}", row.example);
            assert!(row.count.contains(&(words.len() - 1)), "{}", row.example);
            assert_eq!(row.operands.is_empty(), *row.count.end() == 0, "{}", row.title());
        }
        assert!(overview().lines().all(|line| line.len() < 80), "{}", overview());
    }

    #[test]
    fn commands_answer_in_any_case_and_mistyped_ones_are_guessed() {
        assert_eq!(Row::find(b"ReTrIeVe").unwrap().title(), "RETRIEVE");
        assert_eq!(Row::find(b"GET").unwrap().title(), "RETRIEVE");
        let guess = |word: &[u8]| Row::find(word).err().map(|error| error.to_string());
        assert_eq!(guess(b"retreive").unwrap(), "unknown command; did you mean RETRIEVE?");
        assert_eq!(guess(b"\x1b\xff").unwrap(), "unknown command; HELP lists them all");
    }
}
