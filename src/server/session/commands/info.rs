//! Commands about the session itself: what it can do, what it is set to, who else is here.

use crate::protocol::{Algorithm, Code, Name, Opts, Reply, Site, TABLE, Verb};
use crate::server::Server;
use crate::server::error::Refusal;
use crate::server::fs::quota::Usage;
use crate::server::monitor::sessions::{SessionEntry, SessionState};
use crate::server::session::commands::Answer;
use crate::server::session::login::Login;
use crate::server::session::parameters::{LONGEST_IDLE, Parameters};
use crate::server::session::session_log::SessionLog;
use crate::server::settings::Settings;
use crate::sys;
use std::sync::Arc;
use std::time::Duration;

pub(in crate::server::session) fn opts(parameters: &mut Parameters, opts: Opts) -> Reply {
    match opts {
        // Names are bytes and go as they are, which is what UTF-8 clients want. There is no
        // other encoding to switch to, so OFF changes nothing, and says so.
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

/// FEAT names exactly what works, and nothing that RFC 959 has already (RFC 2389 section 3).
pub(in crate::server::session) fn feat(parameters: &Parameters) -> Reply {
    let text = |line: &str| line.as_bytes().to_vec();
    let mut lines: Vec<Vec<u8>> = ["AVBL", "CLNT", "CSID", "DSIZ", "EPRT", "EPSV"].map(text).into();
    lines.push(hash_feature(parameters));
    lines.extend(["HOST", "LANG EN*", "MDTM"].map(text));
    if sys::CAN_SET_CREATED {
        lines.push(text("MFCT"));
    }
    lines.push(text(match sys::CAN_SET_CREATED {
        true => "MFF Create;Modify;UNIX.mode;",
        false => "MFF Modify;UNIX.mode;",
    }));
    lines.push(text("MFMT"));
    let mut facts = text("MLST ");
    parameters.facts().write_features(&mut facts);
    lines.push(facts);
    lines.extend(["RANG STREAM", "REST STREAM", "RMDA", "SIZE", "TVFS", "UTF8"].map(text));
    lines.extend(["XCRC", "XMD5", "XSHA1", "XSHA256", "XSHA512"].map(text));
    let lines = lines.into_iter().map(|line| [b" ", line.as_slice()].concat());
    Reply::lines(Code::SYSTEM_STATUS, "Extensions:", lines, "End.")
}

/// `HASH SHA-256*;SHA-512;...`, the chosen one with a star.
fn hash_feature(parameters: &Parameters) -> Vec<u8> {
    let names = Algorithm::ALL.map(|known| {
        let star = if known == parameters.algorithm() { "*" } else { "" };
        format!("{}{star}", known.name())
    });
    format!("HASH {}", names.join(";")).into_bytes()
}

pub(in crate::server::session) fn status(
    login: &Login,
    parameters: &Parameters,
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
        format!(" Session open for {} seconds", log.age().as_secs()),
    ];
    Reply::lines(Code::SYSTEM_STATUS, "mt_ftp:", lines.map(String::into_bytes), "End.")
}

/// RFC 7151: before login. There is one host, which answers to every name.
pub(in crate::server::session) fn host(login: &Login) -> Answer {
    match login.is_fresh() {
        true => Ok(Reply::new(Code::READY, "All names lead here.")),
        false => Err(Refusal::Sequence("HOST comes before USER.")),
    }
}

/// RFC 2640 section 4.1: without a tag the default, and 504 for a language that is not spoken.
pub(in crate::server::session) fn lang(tag: Option<&Name>) -> Answer {
    let english = |tag: &Name| {
        let tag = tag.as_bytes().to_ascii_lowercase();
        tag == b"en" || tag.starts_with(b"en-")
    };
    match tag {
        Some(tag) if !english(tag) => Err(Refusal::Parameter("Only English is spoken.")),
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

/// What new files and directories of this session are not allowed, if it asked for that.
pub(in crate::server::session) fn set_umask(
    parameters: &mut Parameters,
    mask: Option<u32>,
) -> Reply {
    if let Some(mask) = mask {
        parameters.set_umask(mask);
    }
    Reply::new(
        Code::OK,
        match parameters.umask() {
            Some(mask) => format!("UMASK is {mask:03o}."),
            None => "UMASK is that of the server.".into(),
        },
    )
}

/// A session may be shorter or longer idle than others, up to ten times as long.
pub(in crate::server::session) fn set_idle(
    parameters: &mut Parameters,
    settings: &Settings,
    seconds: Option<u64>,
) -> Answer {
    if let Some(seconds) = seconds {
        let wanted = Duration::from_secs(seconds);
        if wanted > settings.config.idle_timeout.saturating_mul(LONGEST_IDLE) {
            return Err(Refusal::Argument("That is longer than a session may be idle."));
        }
        parameters.set_idle_timeout(wanted);
    }
    Ok(Reply::new(
        Code::OK,
        format!(
            "Idle for {} seconds at most.",
            parameters.idle_timeout(settings.config.idle_timeout).as_secs()
        ),
    ))
}

/// Who is here, and how much they move; not what, which may be in a home of their own.
pub(in crate::server::session) fn who(server: &Server) -> Reply {
    let line = |entry: Arc<SessionEntry>| {
        let SessionState { user, info } = entry.state();
        let user = user.map_or("(not logged in)".into(), |user| user.to_string());
        let (ip, seconds) = (entry.peer.ip(), entry.since.elapsed().as_secs());
        let doing = info.map_or(String::new(), |info| {
            let of = info.expected.map_or(String::new(), |size| format!(" of {size}"));
            format!(", {} {}{of} bytes", info.kind.event(), entry.moved())
        });
        format!(" {} {user} from {ip} for {seconds} seconds{doing}", entry.number).into_bytes()
    };
    let lines: Vec<Vec<u8>> = server.session_list.all().into_iter().map(line).collect();
    Reply::lines(Code::SYSTEM_STATUS, "Sessions:", lines, "End.")
}

/// SITE QUOTA: how much may be stored here, and how much is.
pub(in crate::server::session) fn quota(login: &Login) -> Answer {
    let text = match login.jail()?.usage()? {
        Some(usage) => {
            let Usage { used, quota, left } = usage;
            format!("{used} of {quota} bytes are used, {left} are left.")
        }
        None => "There is no quota.".into(),
    };
    Ok(Reply::new(Code::OK, text))
}

/// HELP lists the verbs, or gives the one line of a verb's row.
pub(in crate::server::session) fn help(verb: Option<&Name>) -> Answer {
    let Some(name) = verb else {
        let spellings: Vec<&str> = TABLE.iter().map(|row| row.spelling).collect();
        let lines = spellings.chunks(12).map(|line| format!(" {}", line.join(" ")).into_bytes());
        return Ok(Reply::lines(Code::HELP, "Commands:", lines, "HELP and a command explains it."));
    };
    if name.as_bytes().eq_ignore_ascii_case(b"SITE") {
        return Ok(site_help());
    }
    let verb = Verb::parse(name.as_bytes().trim_ascii())
        .ok_or(Refusal::Argument("There is no such command."))?;
    let row = verb.row();
    let syntax = format!("{} {}", row.spelling, row.syntax);
    Ok(Reply::new(Code::HELP, format!("{}: {} ({})", syntax.trim_end(), row.help, row.rfc)))
}

pub(in crate::server::session) fn site_help() -> Reply {
    let lines = Site::HELP.map(|line| format!(" {line}").into_bytes());
    Reply::lines(Code::HELP, "SITE commands:", lines, "End.")
}
