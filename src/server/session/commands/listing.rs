//! LIST, NLST, MLSD, MLST and STAT with a path.

use crate::protocol::pattern::is_pattern;
use crate::protocol::{Code, FtpPath, Name, Reply};
use crate::server::auth::permissions;
use crate::server::error::Refusal;
use crate::server::fs::glob;
use crate::server::fs::jail::{DirEntry, FinalLink};
use crate::server::fs::listing::{self, Lines, ListingFormat, LsOptions};
use crate::server::monitor::transfer::{TransferInfo, TransferKind};
use crate::server::session::commands::Answer;
use crate::server::session::commands::transfer::done;
use crate::server::session::login::Login;
use crate::server::session::parameters::Parameters;
use crate::server::session::transfer::Transfer;
use crate::sys::FileKind;
use std::io::Read;

/// The largest listing in a reply to STAT, which is built in memory.
const LARGEST_STATUS: u64 = 1024 * 1024;

pub(in crate::server::session) fn list(
    transfer: Transfer<'_, '_>,
    argument: Option<&Name>,
) -> Answer {
    let (options, path) = list_argument(transfer.login(), argument)?;
    send_listing(transfer, path.as_ref(), ListingFormat::Long, options, TransferKind::List)
}

pub(in crate::server::session) fn nlst(
    transfer: Transfer<'_, '_>,
    argument: Option<&Name>,
) -> Answer {
    let (options, path) = list_argument(transfer.login(), argument)?;
    let form = if options.long { ListingFormat::Long } else { nlst_format(path.as_ref()) };
    send_listing(transfer, path.as_ref(), form, options, TransferKind::Names)
}

pub(in crate::server::session) fn mlsd(transfer: Transfer<'_, '_>, name: Option<&Name>) -> Answer {
    let path = transfer.login().path_or_cwd(name)?;
    let identity = transfer.login().identity()?;
    // RFC 3659 section 7.2.1: MLSD is only for directories; anything else gets 501.
    if identity.jail().stat(&path, FinalLink::Follow)?.kind != FileKind::Dir {
        return Err(Refusal::Argument("Not a directory; use MLST."));
    }
    let form = ListingFormat::Facts(
        transfer.parameters().facts(),
        permissions::perm_letters(identity.access()),
    );
    send_listing(transfer, name, form, LsOptions::default(), TransferKind::Facts)
}

pub(in crate::server::session) fn mlst(
    login: &Login,
    parameters: &Parameters,
    name: Option<&Name>,
) -> Answer {
    let path = login.path_or_cwd(name)?;
    let identity = login.identity()?;
    let stat = identity.jail().stat(&path, FinalLink::Follow)?;
    let name = path.as_bytes().to_vec();
    let mut entry = listing::entry(DirEntry { name, stat, target: Vec::new() });
    entry.perm = Some(listing::perm(&entry, permissions::perm_letters(identity.access())));
    // RFC 3659 section 7.2: the line with the facts begins with a space.
    let mut line = b" ".to_vec();
    entry.write_mlsx(parameters.facts(), &mut line);
    Ok(Reply::lines(Code::FILE_DONE, "Listing:", [line], "End."))
}

pub(in crate::server::session) fn stat(login: &Login, argument: &Name) -> Answer {
    let (options, path) = split_options(login, argument)?;
    let path = login.path_or_cwd(path.as_ref())?;
    let lines = Lines::open(login.jail()?, &path, ListingFormat::Long, options)?;
    let mut text = Vec::new();
    let length = lines.take(LARGEST_STATUS).read_to_end(&mut text)?;
    if length as u64 == LARGEST_STATUS {
        return Err(Refusal::Unavailable("The listing is too long for STAT; use LIST."));
    }
    let body = text.strip_suffix(b"\r\n").map_or(Vec::new(), |text| {
        let without_cr = |line: &[u8]| line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        text.split(|&b| b == b'\n').map(without_cr).collect()
    });
    Ok(Reply::lines(Code::FILE_STATUS, "Status:", body, "End."))
}

fn list_argument(
    login: &Login,
    argument: Option<&Name>,
) -> Result<(LsOptions, Option<Name>), Refusal> {
    argument.map_or(Ok((LsOptions::default(), None)), |argument| split_options(login, argument))
}

/// Splits an argument into options, as for `ls`, and a path. An argument that begins with a dash is a
/// path if it exists.
fn split_options(login: &Login, argument: &Name) -> Result<(LsOptions, Option<Name>), Refusal> {
    let dashed = argument.as_bytes().starts_with(b"-");
    if dashed && login.jail()?.stat(&login.path(argument)?, FinalLink::NoFollow).is_err() {
        return Ok(LsOptions::split(argument.as_bytes()));
    }
    Ok((LsOptions::default(), Some(argument.clone())))
}

/// Returns the form of NLST, in which names include the path that was given, so that RETR accepts them:
/// `NLST dir` lists `dir/name`.
fn nlst_format(path: Option<&Name>) -> ListingFormat {
    let Some(name) = path else { return ListingFormat::Names(Vec::new()) };
    let slash: &[u8] = if name.as_bytes().ends_with(b"/") { b"" } else { b"/" };
    ListingFormat::Names([name.as_bytes(), slash].concat())
}

fn send_listing(
    transfer: Transfer<'_, '_>,
    name: Option<&Name>,
    form: ListingFormat,
    options: LsOptions,
    kind: TransferKind,
) -> Answer {
    let path = transfer.login().path_or_cwd(name)?;
    let lines = lines(transfer.login(), &path, name, form, options)?;
    let opening = Reply::new(Code::OPENING_DATA, "Opening data connection for the listing.");
    transfer.send_from(&TransferInfo::new(kind, &path, None), &opening, lines).map(|_| done())
}

/// Returns the lines of the listing: of a directory, a file, or the matches of a pattern. A pattern that
/// is the name of a file is not expanded.
fn lines(
    login: &Login,
    path: &FtpPath,
    name: Option<&Name>,
    form: ListingFormat,
    options: LsOptions,
) -> Result<Lines, Refusal> {
    let jail = login.jail()?;
    let facts = matches!(form, ListingFormat::Facts(..));
    match name.filter(|name| !facts && is_pattern(name.as_bytes())) {
        Some(pattern) if jail.stat(path, FinalLink::NoFollow).is_err() => {
            let mut found = glob::expand(jail, login.cwd()?, pattern)?;
            options.sort(&mut found);
            let form =
                if form == ListingFormat::Long { form } else { ListingFormat::Names(Vec::new()) };
            Ok(Lines::of(found, form))
        }
        _ => match (name, &form, jail.stat(path, FinalLink::Follow)?) {
            // NLST of a file returns the path that was given.
            (Some(name), ListingFormat::Names(_), stat)
                if stat.kind != FileKind::Dir || options.itself =>
            {
                let name = name.as_bytes().to_vec();
                let one = vec![DirEntry { name, stat, target: Vec::new() }];
                Ok(Lines::of(one, ListingFormat::Names(Vec::new())))
            }
            _ => Ok(Lines::open(jail, path, form, options)?),
        },
    }
}
