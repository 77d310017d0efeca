//! Commands that print listings and the content of files.

use super::get_put;
use super::operands::Operand;
use super::programs;
use super::row::Row;
use super::tree_listing;
use crate::client::error::Error;
use crate::client::local::{self, Partial, PartialFiles};
use crate::client::name::parse_name;
use crate::client::output::{ColoredListing, Listing};
use crate::client::remote_listing::is_empty_dir;
use crate::client::shell::session::{DefaultAnswer, Session};
use crate::protocol::Name;
use crate::text::shown;
use std::io::{self, IsTerminal, Write};

pub(super) const ROWS: &[Row] = &[
    Row::with_list_flags(&["list", "ls", "dir"], "print the listing of a directory", list)
        .operands(&[Operand::remote("PATH").optional(), INSTEAD])
        .details(
            "-OPTS are options of the server's ls, such as -l, -a or -t. With LOCAL, -f\n\
             replaces an existing file without asking\n",
        )
        .example("LIST pub")
        .keeps_remote_names(),
    Row::with_list_flags(&["nlist"], "print the names in a directory", nlist)
        .operands(&[Operand::remote("PATH").optional(), INSTEAD])
        .example("NLIST pub")
        .keeps_remote_names(),
    Row::new(&["cat"], "print remote files", cat)
        .operands(&[Operand::remote("FILES").many()])
        .example("CAT README")
        .keeps_remote_names(),
    Row::new(&["more", "less", "page"], "show remote files with PAGER", more)
        .operands(&[Operand::remote("FILES").many()])
        .example("MORE README")
        .keeps_remote_names(),
    Row::unsupported(&["mls", "mdir"], "use LIST DIR LOCAL, which writes one listing to a file"),
];

const INSTEAD: Operand = Operand::local("LOCAL")
    .help("the file to write the listing to, instead of the screen")
    .optional();

/// The file name that means standard output.
const STANDARD: &[u8] = b"-";

/// LIST or NLST.
#[derive(Clone, Copy)]
enum ListForm {
    Lines,
    Names,
}

fn list(session: &mut Session, flags: &[Vec<u8>], words: &[Vec<u8>]) -> Result<(), Error> {
    list_as(session, flags, words, ListForm::Lines)
}

fn nlist(session: &mut Session, flags: &[Vec<u8>], words: &[Vec<u8>]) -> Result<(), Error> {
    list_as(session, flags, words, ListForm::Names)
}

/// Prints the listing of a directory.
pub(in crate::client::shell) fn list_dir(session: &mut Session, dir: &Name) -> Result<(), Error> {
    list_as(session, &[], &[dir.as_bytes().to_vec()], ListForm::Lines)
}

fn list_as(
    session: &mut Session,
    flags: &[Vec<u8>],
    words: &[Vec<u8>],
    form: ListForm,
) -> Result<(), Error> {
    session.connection()?;
    let (dir, local) = (words.first(), words.get(1).map(Vec::as_slice));
    let local = local.filter(|local| *local != STANDARD);
    // With a local file, -f applies to that file and is not an option of the server's ls.
    let is_force = |flag: &&Vec<u8>| local.is_some() && *flag == b"-f";
    let replaces = flags.iter().any(|flag| is_force(&flag));
    let flags: Vec<&Vec<u8>> = flags.iter().filter(|flag| !is_force(flag)).collect();
    let asked: Vec<&[u8]> = flags.iter().copied().chain(dir).map(Vec::as_slice).collect();
    let path = if asked.is_empty() { None } else { Some(parse_name(&asked.join(&b' '))?) };
    match (local, form) {
        (Some(local), form) => list_to_file(session, path, local, form, replaces),
        // With --json the options of ls are ignored.
        (None, _) if session.transfers.json => {
            tree_listing::list_json(session, dir.map(|word| parse_name(word)).transpose()?)
        }
        (None, form) => {
            let printed = print_listing(session, path.clone(), form);
            match printed {
                // A refusal may mean an empty directory, but not with options of ls.
                Err(Error::Refused(reply)) if flags.is_empty() => {
                    if !is_empty_dir(session.connection()?, path.as_ref(), &reply)? {
                        return Err(Error::Refused(reply));
                    }
                    confirm_empty(session, 0);
                    Ok(())
                }
                other => other,
            }
        }
    }
}

fn print_listing(session: &mut Session, path: Option<Name>, form: ListForm) -> Result<(), Error> {
    match form {
        ListForm::Lines => print_lines(session, path),
        ListForm::Names => print_names(session, path),
    }
}

fn print_lines(session: &mut Session, path: Option<Name>) -> Result<(), Error> {
    let download = session.connection()?.list(path)?;
    let (mut listing, mut printed) = (ColoredListing::new(), 0);
    download.receive(&mut listing, |moved| printed = moved).map_err(Error::of_stdout)?;
    listing.finish().map_err(Error::of_output)?;
    confirm_empty(session, printed);
    Ok(())
}

/// Reports an empty listing, at a terminal.
fn confirm_empty(session: &Session, printed: u64) {
    if printed == 0 {
        session.confirm_success("nothing to list");
    }
}

fn print_names(session: &mut Session, path: Option<Name>) -> Result<(), Error> {
    let download = session.connection()?.names(path)?;
    let (mut listing, mut printed) = (Listing::new(), 0);
    download.receive(&mut listing, |moved| printed = moved).map_err(Error::of_stdout)?;
    listing.finish().map_err(Error::of_output)?;
    confirm_empty(session, printed);
    Ok(())
}

fn list_to_file(
    session: &mut Session,
    path: Option<Name>,
    local: &[u8],
    form: ListForm,
    replaces: bool,
) -> Result<(), Error> {
    // BSD ftp would run the rest as a program.
    if local.starts_with(b"|") {
        let text = "cannot write to a name that begins with |: programs are not supported";
        return Err(Error::Usage(text.to_owned()));
    }
    let to = local::path(local)?;
    if to.is_file() && !replaces {
        if !session.asks() {
            let text = format!("the local file {} exists; LIST -f replaces it", shown(local));
            return Err(Error::Usage(text));
        }
        if !session.confirms("replace", local, DefaultAnswer::No)? {
            return Ok(());
        }
    }
    let (mut device, mut partial) = (local::open_special(&to)?, None);
    let mut target: &mut dyn Write = match &mut device {
        Some(device) => device,
        None => {
            let partials = PartialFiles::new(session.interrupt().clone());
            let opened = Partial::open_whole(&partials, &to);
            partial.insert(opened.map_err(|error| Error::Local(error).at(to.clone()))?)
        }
    };
    let connection = session.connection()?;
    let download = match form {
        ListForm::Lines => connection.list(path)?,
        ListForm::Names => connection.names(path)?,
    };
    let received = download.receive(&mut target, |_| ());
    received.map_err(|error| error.at(to))?;
    partial.map_or(Ok(()), |partial| partial.commit(None))
}

/// Prints files, escaped on a terminal and unchanged elsewhere.
pub(super) fn cat(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    for word in words {
        let mut output = Listing::new();
        let messages = session.messages;
        let poured = get_put::pour(session, &parse_name(word)?, &mut output, Some(messages));
        poured.map_err(Error::of_stdout)?;
        output.finish().map_err(Error::of_output)?;
    }
    Ok(())
}

/// Shows files with the user's pager. Without a terminal it prints them like [`cat`].
pub(super) fn more(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    if !io::stdout().is_terminal() {
        return cat(session, words);
    }
    for word in words {
        let file = parse_name(word)?;
        session.connection()?;
        let interrupt = session.interrupt().clone();
        let mut pager = programs::Pager::start(&interrupt)?;
        let shown = get_put::pour(session, &file, pager.input(), None);
        pager.finish()?;
        match shown {
            // The user may quit the pager before the end of the file.
            Err(error) if is_closed(&error) => {}
            other => other?,
        }
    }
    Ok(())
}

fn is_closed(error: &Error) -> bool {
    match error {
        Error::Local(error) => error.kind() == io::ErrorKind::BrokenPipe,
        Error::GaveUp { last, .. } => is_closed(last),
        _ => false,
    }
}
