//! Commands about the session itself: its features and its state.

use crate::protocol::{Algorithm, Code, Name, Opts, Reply, Row, TABLE, Verb};
use crate::server::error::Refusal;
use crate::server::session::commands::{Answer, site};
use crate::server::session::login::Login;
use crate::server::session::parameters::Parameters;
use crate::server::session::security::Security;
use crate::server::session::session_log::SessionLog;
use crate::server::settings::Settings;
use crate::sys::{self, Tls};

pub(in crate::server::session) fn opts(parameters: &mut Parameters, opts: Opts) -> Reply {
    match opts {
        // Names are bytes and are sent unchanged, which suits UTF-8 clients. OFF has no effect, because
        // there is no other encoding.
        Opts::Utf8(true) => Reply::new(Code::OK, "Names are UTF-8."),
        Opts::Utf8(false) => Reply::new(Code::OK, "Names are sent as they are stored."),
        Opts::Mlst(facts) => {
            parameters.set_facts(facts);
            let mut text = b"MLST OPTS ".to_vec();
            facts.write(&mut text);
            Reply::new(Code::OK, text)
        }
        Opts::Hash(wanted) => {
            if let Some(algorithm) = wanted {
                parameters.set_algorithm(algorithm);
            }
            Reply::new(Code::OK, parameters.algorithm().name())
        }
    }
}

/// FEAT lists exactly what the client can use, after a login only what its permissions allow: a client
/// that does not see MFMT does not try to set times without permission.
pub(in crate::server::session) fn feat(
    login: &Login,
    parameters: &Parameters,
    settings: &Settings,
) -> Reply {
    let rows = TABLE.iter().filter(|row| !row.feature.is_empty() && login.may_use(row.verb));
    let mut lines: Vec<Vec<u8>> =
        rows.filter_map(|row| feature(row, parameters, settings)).collect();
    // Two features that are not commands (RFC 3659 section 6, RFC 2640 section 3.2).
    lines.extend([b"TVFS".to_vec(), b"UTF8".to_vec()]);
    lines.sort_unstable();
    let lines = lines.into_iter().map(|line| [b" ", line.as_slice()].concat());
    Reply::lines(Code::SYSTEM_STATUS, "Extensions:", lines, "End.")
}

/// Returns the feature line of a verb, or `None` if the system or the configuration does not support it.
fn feature(row: &Row, parameters: &Parameters, settings: &Settings) -> Option<Vec<u8>> {
    let mut line = row.feature.as_bytes().to_vec();
    match row.verb {
        Verb::Auth | Verb::Pbsz | Verb::Prot if settings.tls.is_none() => return None,
        Verb::Ccc if settings.tls.is_none() || !settings.config.tls_ccc => return None,
        Verb::Mfct if !sys::CAN_SET_CREATED => return None,
        Verb::Mff if sys::CAN_SET_CREATED => line.extend(b" Create;Modify;UNIX.mode;"),
        Verb::Mff => line.extend(b" Modify;UNIX.mode;"),
        Verb::Mlst => {
            line.push(b' ');
            parameters.facts().write_features(&mut line);
        }
        Verb::Hash => line.extend(algorithms(parameters)),
        _ => {}
    }
    Some(line)
}

/// Returns ` SHA-256*;SHA-512;...`, with a star after the selected one.
fn algorithms(parameters: &Parameters) -> Vec<u8> {
    let names = Algorithm::ALL.map(|known| {
        let star = if known == parameters.algorithm() { "*" } else { "" };
        format!("{}{star}", known.name())
    });
    format!(" {}", names.join(";")).into_bytes()
}

pub(in crate::server::session) fn status(
    login: &Login,
    parameters: &Parameters,
    (security, tls): (&Security, Option<&Tls>),
    log: &SessionLog<'_>,
) -> Reply {
    let who = match login.identity() {
        Ok(identity) => format!(" Logged in as {}", identity.user()),
        Err(_) => " Not logged in".into(),
    };
    let kind = if parameters.is_ascii() { " TYPE: ASCII" } else { " TYPE: image" };
    let lines = [
        format!(" Connected from {}", log.peer().ip()),
        who,
        format!("{kind}, STRU: file, MODE: stream"),
        protection_line(security, tls),
        format!(" Session open for {} seconds", log.age().as_secs()),
    ];
    Reply::lines(Code::SYSTEM_STATUS, "mt_ftp:", lines.map(String::into_bytes), "End.")
}

/// Returns the status line about the encryption of the connections.
fn protection_line(security: &Security, tls: Option<&Tls>) -> String {
    let control = match tls {
        Some(tls) => format!("{}, {}", tls.version(), tls.cipher()),
        None => "not encrypted".to_owned(),
    };
    let data = if security.is_private() { "encrypted" } else { "not encrypted" };
    format!(" Control connection: {control}; data connections: {data}")
}

/// HOST (RFC 7151) must precede the login. All host names lead to the same tree.
pub(in crate::server::session) fn host(login: &Login) -> Answer {
    match login.is_before_user() {
        true => Ok(Reply::new(Code::READY, "Host accepted; all hosts share one tree.")),
        false => Err(Refusal::Sequence("Send HOST before USER.")),
    }
}

/// LANG (RFC 2640 section 4.1): without a tag, selects the default; other languages get 504.
pub(in crate::server::session) fn lang(tag: Option<&Name>) -> Answer {
    let english = |tag: &Name| {
        let tag = tag.as_bytes().to_ascii_lowercase();
        tag == b"en" || tag.starts_with(b"en-")
    };
    match tag {
        Some(tag) if !english(tag) => Err(Refusal::Parameter("Only English is available.")),
        _ => Ok(Reply::new(Code::OK, "The language is English.")),
    }
}

pub(in crate::server::session) fn csid() -> Reply {
    let system = if cfg!(windows) { "Windows" } else { "Unix" };
    let case = if cfg!(windows) { 0 } else { 1 };
    let version = env!("CARGO_PKG_VERSION");
    let text =
        format!("Name=mt_ftp; Version={version}; OS={system}; CaseSensitive={case}; DirSep=/;");
    Reply::new(Code::OK, text)
}

/// HELP lists the commands, or explains one.
pub(in crate::server::session) fn help(verb: Option<&Name>) -> Answer {
    let Some(name) = verb else {
        let spellings: Vec<&str> = TABLE.iter().map(|row| row.spelling).collect();
        let lines = spellings.chunks(12).map(|line| format!(" {}", line.join(" ")).into_bytes());
        return Ok(Reply::lines(Code::HELP, "Commands:", lines, "Send HELP COMMAND for details."));
    };
    if name.as_bytes().eq_ignore_ascii_case(b"SITE") {
        return Ok(site::help());
    }
    let verb =
        Verb::parse(name.as_bytes().trim_ascii()).ok_or(Refusal::Argument("Unknown command."))?;
    let row = verb.row();
    let syntax = format!("{} {}", row.spelling, row.syntax);
    Ok(Reply::new(Code::HELP, format!("{}: {} ({})", syntax.trim_end(), row.help, row.rfc)))
}
