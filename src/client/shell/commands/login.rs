//! Commands that open and close a session.

use super::operands::{Operand, operand, optional, secret, text};
use super::row::Row;
use crate::args::{Flag, Parsed};
use crate::client::error::Error;
use crate::client::name::parse_name;
use crate::client::shell::session::Session;
use crate::client::tls::Encryption;
use crate::client::url::{BadAddress, Endpoint, Place, Url, split_user, without_login};
use crate::protocol::{Name, Secret};
use crate::text::shown;
use std::ffi::OsStr;

pub(super) const ROWS: &[Row] = &[
    Row::with_options(
        &["connect", "open"],
        "connect to a server (on port 21) and log in",
        &[
            Flag::letter_option('u', "NAME[,PASSWORD]", "log in as this user").secret(),
            Flag::letter_option('p', "PORT", "the port, if it does not follow the host"),
            Flag::switch("tls", "require TLS (AUTH TLS) before the login"),
        ],
        connect,
    )
    .operands(&[
        Operand::text("HOST")
            .help(
                "or USER@HOST, or a URL: ftp://[USER@]HOST[:PORT]/DIR, ftpes://, ftps://. The \
                 default is the previous server and user",
            )
            .optional(),
        Operand::text("PORT").optional(),
    ])
    .details(
        "The user is that of -u, or of .netrc, or anonymous. The password, here and for\n\
         USER, comes from FTP_PASSWORD, .netrc or a prompt\n",
    )
    .example("CONNECT localhost 1026"),
    Row::new(&["user"], "log in as another user", user)
        .operands(&[
            Operand::text("NAME"),
            Operand::secret("PASSWORD").optional(),
            Operand::secret("ACCT").optional(),
        ])
        .example("USER alice"),
    Row::new(&["account"], "send an account name (ACCT)", account)
        .operands(&[Operand::secret("ACCOUNT").optional()])
        .example("ACCOUNT"),
    Row::new(&["close", "disconnect"], "close the connection without exiting", close),
    Row::new(&["quit", "bye", "exit"], "close the connection and exit", quit),
    Row::unsupported(
        &["proxy"],
        "transfers between two servers are not supported, and almost no server allows them",
    ),
    Row::unsupported(&["gate"], "FTP gateways are not supported"),
];

/// The parsed operands of CONNECT.
struct Destination {
    endpoint: Endpoint,
    encryption: Encryption,
    user: Option<Name>,
    password: Option<Secret>,
    dir: Option<Name>,
    /// The type that a URL names.
    ascii: Option<bool>,
}

fn connect(session: &mut Session, options: &Parsed, words: &[Vec<u8>]) -> Result<(), Error> {
    if words.is_empty() {
        let usage = || Error::Usage("expected HOST [PORT]: there is no previous server".to_owned());
        let last = session.last_server().ok_or_else(usage)?;
        return session.connect(&last.endpoint, last.encryption, last.user, None);
    }
    let to = destination(options, words)?;
    session.connect(&to.endpoint, to.encryption, to.user, to.password)?;
    session.apply_url_type(to.ascii);
    match to.dir {
        Some(dir) => session.change_dir(&dir),
        None => Ok(()),
    }
}

/// Parses `HOST [PORT]` or a URL, and the options.
fn destination(options: &Parsed, words: &[Vec<u8>]) -> Result<Destination, Error> {
    let login = options.value("u").map(OsStr::as_encoded_bytes);
    let host = text(operand(words, 0))?;
    let port = match (optional(words, 1), options.value("p")) {
        (Some(_), Some(_)) => return Err(options.wrong("p", "no PORT after HOST").into()),
        (Some(port), None) => Some(text(port)?),
        (None, port) => port.map(|port| text(port.as_encoded_bytes())).transpose()?,
    };
    let mut to = match Url::is_one(host) {
        true => of_url(host, port)?,
        false => {
            let wrong = |word, expected: BadAddress| wrong_word(word, expected.to_string());
            let (user, host) = split_user(host).map_err(|expected| wrong(host, expected))?;
            let endpoint = Endpoint::parse(host, port);
            let endpoint = endpoint.map_err(|expected| wrong(port.unwrap_or(host), expected))?;
            let encryption = Encryption::Clear;
            Destination { endpoint, encryption, user, password: None, dir: None, ascii: None }
        }
    };
    if options.switch("tls") {
        to.encryption = to.encryption.at_least(Encryption::Explicit);
    }
    if let Some(login) = login {
        let mut parts = login.splitn(2, |byte| *byte == b',');
        to.user = parts.next().map(parse_name).transpose()?;
        to.password = parts.next().map(secret).transpose()?.or(to.password);
    }
    Ok(to)
}

fn of_url(text: &str, port: Option<&str>) -> Result<Destination, Error> {
    if port.is_some() {
        return Err(Error::Usage("expected no PORT after a URL".to_owned()));
    }
    let wrong = |expected: String| wrong_word(text, expected);
    let url = Url::parse(text).map_err(|expected| wrong(expected.to_string()))?;
    let dir = match url.place {
        Place::Home => None,
        Place::Directory(dir) | Place::File(dir) => Some(dir),
    };
    let Url { endpoint, encryption, user, password, ascii, .. } = url;
    Ok(Destination { endpoint, encryption, user, password, dir, ascii })
}

fn wrong_word(word: &str, expected: String) -> Error {
    Error::Usage(format!("'{}': expected {expected}", shown(without_login(word).as_bytes())))
}

fn user(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let user = parse_name(operand(words, 0))?;
    let password = optional(words, 1).map(secret).transpose()?;
    let account = optional(words, 2).map(secret).transpose()?;
    session.log_in(&user, password, account)?;
    session.messages.note(&format!("logged in as {}", shown(user.as_bytes())));
    Ok(())
}

fn account(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    let account = match optional(words, 0) {
        Some(word) => secret(word)?,
        None => session.ask_secret("Account: ")?,
    };
    session.connection()?.account(account)
}

fn close(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    if !session.is_connected() {
        return Err(Error::NotConnected);
    }
    session.disconnect();
    Ok(())
}

fn quit(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.leaving = true;
    Ok(())
}
