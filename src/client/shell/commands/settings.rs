//! Commands that change settings.

use super::operands::{Operand, optional};
use super::row::{Row, unsupported};
use crate::client::connection::{DataMode, LineEnds, Representation};
use crate::client::error::Error;
use crate::client::output::json::print_object;
use crate::client::output::print_lines;
use crate::client::shell::session::Session;
use crate::json::Object;
use crate::text::shown;

/// The reason why TENEX and EBCDIC are not supported.
const OBSOLETE_TYPES: &str = "the only types are ASCII and BINARY";

pub(super) const ROWS: &[Row] = &[
    Row::new(&["ascii"], "transfer text files and convert their line ends", ascii)
        .keeps_remote_names(),
    Row::new(&["binary", "image"], "transfer files unchanged (the default)", binary)
        .keeps_remote_names(),
    Row::new(&["type"], "print or set the transfer type", transfer_type)
        .operands(&[Operand::words("ascii|binary", &["ascii", "binary"]).optional()])
        .example("TYPE binary")
        .keeps_remote_names(),
    Row::new(&["passive"], "use passive mode for data connections", passive)
        .operands(&[Operand::switch()])
        .example("PASSIVE off")
        .keeps_remote_names(),
    Row::new(&["epsv"], "use EPSV and EPRT for data connections", epsv)
        .operands(&[Operand::switch()])
        .example("EPSV off")
        .keeps_remote_names(),
    Row::new(&["epsv4"], "use EPSV and EPRT over IPv4", epsv4)
        .operands(&[Operand::switch()])
        .example("EPSV4 off")
        .keeps_remote_names(),
    Row::new(&["epsv6"], "use EPSV and EPRT over IPv6", epsv6)
        .operands(&[Operand::switch()])
        .example("EPSV6 off")
        .keeps_remote_names(),
    Row::new(&["prompt"], "ask before each file of MGET, MPUT, MDELETE", prompt)
        .operands(&[Operand::switch()])
        .example("PROMPT off")
        .keeps_remote_names(),
    Row::new(&["glob"], "expand wildcards in file names", glob)
        .operands(&[Operand::switch()])
        .example("GLOB off")
        .keeps_remote_names(),
    Row::new(&["case"], "fetch upper-case names under lower-case ones", case)
        .operands(&[Operand::switch()])
        .example("CASE on")
        .keeps_remote_names(),
    Row::new(&["runique"], "fetch under a new name if the local one exists", runique)
        .operands(&[Operand::switch()])
        .example("RUNIQUE on")
        .keeps_remote_names(),
    Row::new(&["cr"], "strip CR from line ends in ASCII transfers", cr)
        .operands(&[Operand::switch()])
        .example("CR off")
        .keeps_remote_names(),
    Row::new(&["verbose", "debug", "trace"], "show every command and reply", verbose)
        .operands(&[Operand::switch()])
        .example("VERBOSE on")
        .keeps_remote_names(),
    Row::new(&["bell"], "ring the bell after each command", bell)
        .operands(&[Operand::switch()])
        .example("BELL on")
        .keeps_remote_names(),
    Row::new(&["hash"], "accepted, but has no effect", hash)
        .operands(&[Operand::switch()])
        .example("HASH")
        .keeps_remote_names(),
    Row::new(&["mode", "form", "struct"], "accepted: only stream, non-print, file exist", only)
        .operands(&[Operand::words("NAME", &["stream", "non-print", "file"]).optional()])
        .example("MODE stream")
        .keeps_remote_names(),
    Row::new(&["reset", "sendport", "tick"], "accepted, but has no effect", nothing)
        .operands(&[Operand::switch()])
        .example("TICK")
        .keeps_remote_names(),
    Row::new(&["status"], "print the connection and the settings", status).keeps_remote_names(),
    Row::unsupported(&["nmap", "ntrans"], "give RETRIEVE or STORE a second name instead"),
    Row::unsupported(&["tenex", "ebcdic"], OBSOLETE_TYPES),
    Row::unsupported(&["rate"], "use the option --rate-limit of ftp_client"),
];

fn ascii(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.set_representation(Representation::Ascii);
    Ok(())
}

fn binary(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.set_representation(Representation::Image);
    Ok(())
}

/// Sets or prints the type.
fn transfer_type(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let Some(word) = optional(words, 0) else {
        let name = type_name(session.representation());
        return match session.transfers.json {
            true => print_object(Object::new().text("type", name.as_bytes())),
            false => print_lines(&format!("{name}\n")),
        };
    };
    match word.to_ascii_lowercase().as_slice() {
        b"ascii" | b"a" | b"text" => ascii(session, &[]),
        b"binary" | b"image" | b"i" => binary(session, &[]),
        b"tenex" | b"ebcdic" => Err(unsupported(OBSOLETE_TYPES)),
        _ => Err(Error::Usage("expected ascii or binary".to_owned())),
    }
}

fn type_name(representation: Representation) -> &'static str {
    match representation {
        Representation::Ascii => "ascii",
        Representation::Image => "binary",
    }
}

fn passive(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let was = session.mode() != DataMode::Active;
    let mode = if turned(words, was)? { DataMode::Passive } else { DataMode::Active };
    // Keep the current mode if it is passive already: it may be the one of --trust-pasv-host.
    if (mode == DataMode::Active) == was {
        session.set_mode(mode);
    }
    tell(session, "passive mode", mode != DataMode::Active)
}

fn epsv(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let (epsv4, epsv6) = session.uses_epsv();
    let on = turned(words, epsv4 && epsv6)?;
    session.set_epsv(on, on);
    tell(session, "EPSV and EPRT", on)
}

fn epsv4(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let (was, epsv6) = session.uses_epsv();
    let on = turned(words, was)?;
    session.set_epsv(on, epsv6);
    tell(session, "EPSV and EPRT over IPv4", on)
}

fn epsv6(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let (epsv4, was) = session.uses_epsv();
    let on = turned(words, was)?;
    session.set_epsv(epsv4, on);
    tell(session, "EPSV and EPRT over IPv6", on)
}

fn prompt(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.preferences.prompt = turned(words, session.preferences.prompt)?;
    tell(session, "ask before each file of MGET, MPUT and MDELETE", session.preferences.prompt)
}

fn glob(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.preferences.glob = turned(words, session.preferences.glob)?;
    tell(session, "expand wildcards in file names", session.preferences.glob)
}

fn bell(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.preferences.bell = turned(words, session.preferences.bell)?;
    tell(session, "bell", session.preferences.bell)
}

fn hash(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.preferences.hash = turned(words, session.preferences.hash)?;
    tell(session, "hash marks (the progress line replaces them)", session.preferences.hash)
}

fn case(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.preferences.case = turned(words, session.preferences.case)?;
    tell(session, "fetch upper-case names under lower-case ones", session.preferences.case)
}

fn runique(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.preferences.unique = turned(words, session.preferences.unique)?;
    tell(session, "fetch under a new name if the local one exists", session.preferences.unique)
}

fn cr(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let taken = turned(words, session.line_ends() == LineEnds::Lf)?;
    session.set_line_ends(if taken { LineEnds::Lf } else { LineEnds::CrLf });
    tell(session, "strip CR from line ends in ASCII transfers", taken)
}

fn verbose(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let traced = turned(words, session.is_traced())?;
    session.set_traced(traced);
    tell(session, "show every command and reply", traced)
}

/// Parses `on`, `off` or a level such as that of `debug 1`; without an operand toggles `now`.
fn turned(words: &[Vec<u8>], now: bool) -> Result<bool, Error> {
    match optional(words, 0).map(<[u8]>::to_ascii_lowercase).as_deref() {
        None => Ok(!now),
        Some(b"off" | b"no" | b"0") => Ok(false),
        Some(b"on" | b"yes") => Ok(true),
        Some(level) if level.iter().all(u8::is_ascii_digit) => Ok(true),
        Some(_) => Err(Error::Usage("expected on or off".to_owned())),
    }
}

fn tell(session: &Session, what: &str, on: bool) -> Result<(), Error> {
    session.messages.note(&format!("{what}: {}", switch(on)));
    Ok(())
}

fn switch(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Prints the connection and all settings.
fn status(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    let place = match session.endpoint() {
        None => "not connected".to_owned(),
        Some(_) => format!("connected to {}", session.shown_place().unwrap_or_default()),
    };
    let encryption = encryption(session);
    let mode = if session.mode() == DataMode::Active { "active" } else { "passive" };
    let preferences = session.preferences;
    if session.transfers.json {
        return print_object(status_object(session, mode));
    }
    print_lines(&format!(
        "{place}\n{encryption}mode: {mode}; type: {}; cr: {}\n\
         verbose: {}; prompt: {}; glob: {}; bell: {}; hash: {}; case: {}; runique: {}\n",
        type_name(session.representation()),
        switch(session.line_ends() == LineEnds::Lf),
        switch(session.is_traced()),
        switch(preferences.prompt),
        switch(preferences.glob),
        switch(preferences.bell),
        switch(preferences.hash),
        switch(preferences.case),
        switch(preferences.unique),
    ))
}

/// Returns the line about the encryption of the connection, if there is one.
fn encryption(session: &Session) -> String {
    match session.tls() {
        _ if session.endpoint().is_none() => String::new(),
        None => "encryption: none\n".to_owned(),
        Some(tls) => {
            let (version, cipher) = (tls.version(), shown(tls.cipher().as_bytes()));
            let data = if session.protects_data() { "encrypted" } else { "in the clear" };
            format!("encryption: {version}, {cipher}; files and listings: {data}\n")
        }
    }
}

/// Returns what [`status`] prints, for programs.
fn status_object(session: &mut Session, mode: &str) -> Object {
    let place = session.endpoint().is_some().then(|| session.shown_place()).flatten();
    let object = Object::new().flag("connected", place.is_some());
    let object = match place {
        Some(place) => object.text("place", place.as_bytes()),
        None => object,
    };
    let object = match session.tls() {
        None => object,
        Some(tls) => {
            let data = if session.protects_data() { "encrypted" } else { "clear" };
            let object = object.text("tls", tls.version().as_bytes());
            object.text("cipher", tls.cipher().as_bytes()).text("data", data.as_bytes())
        }
    };
    let preferences = session.preferences;
    object
        .text("mode", mode.as_bytes())
        .text("type", type_name(session.representation()).as_bytes())
        .flag("cr", session.line_ends() == LineEnds::Lf)
        .flag("verbose", session.is_traced())
        .flag("prompt", preferences.prompt)
        .flag("glob", preferences.glob)
        .flag("bell", preferences.bell)
        .flag("hash", preferences.hash)
        .flag("case", preferences.case)
        .flag("runique", preferences.unique)
}

/// Accepts a setting of BSD ftp that has no meaning here.
fn nothing(_: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    Ok(())
}

/// Accepts `mode stream`, `form non-print` and `struct file`, the only supported values.
fn only(_: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    match optional(words, 0).map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"stream" | b"non-print" | b"file") => Ok(()),
        Some(_) => Err(Error::Usage("expected stream, non-print or file".to_owned())),
    }
}
