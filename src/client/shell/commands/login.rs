//! Commands that begin and end a session with a server.

use super::operands::{operand, optional, secret, text};
use crate::client::error::Error;
use crate::client::escape::shown;
use crate::client::name::parse_name;
use crate::client::shell::args::{Choice, Chosen, Stand};
use crate::client::shell::session::Session;
use crate::client::url::{Endpoint, Place, Url, without_login};
use crate::protocol::{Name, Secret};

/// Where CONNECT leads and as whom.
struct Destination {
    endpoint: Endpoint,
    user: Option<Name>,
    password: Option<Secret>,
    dir: Option<Name>,
}

pub(super) fn connect(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let to = destination(words)?;
    session.connect(&to.endpoint, to.user, to.password)?;
    match to.dir {
        Some(dir) => session.change_dir(&dir),
        None => Ok(()),
    }
}

/// The options of CONNECT, as lftp has them.
pub(super) static CONNECTING: &[Choice] = &[
    Choice { names: &["-u"], value: Some("NAME[,PASSWORD]"), help: "log in as this user" },
    Choice { names: &["-p"], value: Some("PORT"), help: "the port, instead of behind the host" },
];

/// `HOST [PORT]` or a URL.
fn destination(words: &[Vec<u8>]) -> Result<Destination, Error> {
    let chosen = Chosen::new(CONNECTING, Stand::Anywhere, words)?;
    let login = chosen.value("-u");
    let port = chosen.value("-p").map(text).transpose()?;
    let rest =
        chosen.operands.iter().map(|word| text(word)).collect::<Result<Vec<&str>, Error>>()?;
    let (host, port) = match (rest.as_slice(), port) {
        (&[host], port) => (host, port),
        (&[host, port], None) => (host, Some(port)),
        _ => return Err(Error::Usage("expected HOST [PORT]".to_owned())),
    };
    let mut to = match Url::is_one(host) {
        true => of_url(host, port)?,
        false => {
            let endpoint = Endpoint::parse(host, port);
            let wrong = |expected| wrong_word(port.unwrap_or(host), expected);
            let endpoint = endpoint.map_err(|expected| wrong(expected.to_string()))?;
            Destination { endpoint, user: None, password: None, dir: None }
        }
    };
    if let Some(login) = login {
        let mut parts = login.splitn(2, |byte| *byte == b',');
        to.user = parts.next().map(parse_name).transpose()?;
        to.password = parts.next().map(secret).transpose()?.or(to.password);
    }
    Ok(to)
}

fn of_url(text: &str, port: Option<&str>) -> Result<Destination, Error> {
    if port.is_some() {
        return Err(Error::Usage("a URL names its port itself".to_owned()));
    }
    let wrong = |expected: String| wrong_word(text, expected);
    let url = Url::parse(text).map_err(|expected| wrong(expected.to_string()))?;
    let dir = match url.place {
        Place::Home => None,
        Place::Directory(dir) | Place::File(dir) => Some(dir),
    };
    Ok(Destination { endpoint: url.endpoint, user: url.user, password: url.password, dir })
}

fn wrong_word(word: &str, expected: String) -> Error {
    Error::Usage(format!("'{}': expected {expected}", shown(without_login(word).as_bytes())))
}

pub(super) fn user(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let user = parse_name(operand(words, 0))?;
    let password = optional(words, 1).map(secret).transpose()?;
    let account = optional(words, 2).map(secret).transpose()?;
    session.log_in(&user, password, account)?;
    session.messages.note(&format!("logged in as {}", shown(user.as_bytes())));
    Ok(())
}

pub(super) fn account(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    let account = match optional(words, 0) {
        Some(word) => secret(word)?,
        None => session.ask_secret("Account: ")?,
    };
    session.connection()?.account(account)
}

pub(super) fn close(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    session.disconnect();
    Ok(())
}

pub(super) fn quit(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.leaving = true;
    Ok(())
}
