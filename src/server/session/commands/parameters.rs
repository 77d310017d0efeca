//! Commands that prepare the next transfer.

use crate::protocol::address::{write_extended_passive, write_passive};
use crate::protocol::{ByteRange, Code, EpsvArgument, Format, Reply, Type};
use crate::server::data::DataConnection;
use crate::server::error::Refusal;
use crate::server::session::commands::Answer;
use crate::server::session::parameters::{Parameters, Pending, Representation};
use crate::server::settings::Settings;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

pub(in crate::server::session) fn set_type(parameters: &mut Parameters, kind: Type) -> Answer {
    let (representation, text) = match kind {
        // RFC 1123 section 4.1.2.2: these two are the same unless files are printed.
        Type::Ascii(Format::NonPrint | Format::Telnet) => (Representation::Ascii, "Type is ASCII."),
        Type::Image | Type::Local(8) => (Representation::Image, "Type is image (binary)."),
        Type::Ascii(Format::CarriageControl) | Type::Ebcdic(_) | Type::Local(_) => {
            return Err(Refusal::Parameter("Only TYPE A, I and L 8 are supported."));
        }
    };
    parameters.set_representation(representation);
    Ok(Reply::new(Code::OK, text))
}

pub(in crate::server::session) fn rest(parameters: &mut Parameters, offset: u64) -> Reply {
    parameters.set_pending(Pending::Restart(offset));
    Reply::new(Code::PENDING, format!("The next transfer begins at byte {offset}."))
}

/// RANG takes the first and the last byte; `1 0` resets it (section 3 of the draft).
pub(in crate::server::session) fn rang(parameters: &mut Parameters, span: ByteRange) -> Answer {
    if (span.start, span.end) == (1, 0) {
        parameters.set_pending(Pending::Nothing);
        return Ok(Reply::new(Code::PENDING, "Range reset."));
    }
    if span.end < span.start {
        return Err(Refusal::Argument("The last byte is before the first."));
    }
    parameters.set_pending(Pending::Range(span));
    let text = format!("The next RETR or HASH uses bytes {} to {}.", span.start, span.end);
    Ok(Reply::new(Code::PENDING, text))
}

pub(in crate::server::session) fn pasv(
    data: &mut DataConnection,
    settings: &Settings,
    peer: IpAddr,
) -> Answer {
    data.check_not_restricted()?;
    let IpAddr::V4(local) = data.local() else {
        // RFC 2428 section 1: PASV cannot express an IPv6 address.
        return Err(Refusal::NoDataConnection("PASV supports only IPv4; use EPSV."));
    };
    let announced = settings.passive_addresses.address_for(peer)?.unwrap_or(local);
    let port = data.passive(settings.ports(), &settings.balancers)?;
    let mut text = Vec::new();
    write_passive(SocketAddrV4::new(announced, port), &mut text);
    Ok(Reply::new(Code::PASSIVE, text))
}

pub(in crate::server::session) fn epsv(
    data: &mut DataConnection,
    settings: &Settings,
    wanted: EpsvArgument,
) -> Answer {
    match (wanted, data.local()) {
        (EpsvArgument::All, _) => {
            data.restrict_to_extended();
            return Ok(Reply::new(Code::OK, "Only EPSV is accepted from now on."));
        }
        (EpsvArgument::V4, IpAddr::V6(_)) => {
            return Err(Refusal::Protocol("This connection is IPv6, use (2)."));
        }
        (EpsvArgument::V6, IpAddr::V4(_)) => {
            return Err(Refusal::Protocol("This connection is IPv4, use (1)."));
        }
        (EpsvArgument::Same, _) | (EpsvArgument::V4, _) | (EpsvArgument::V6, _) => {}
    }
    let port = data.passive(settings.ports(), &settings.balancers)?;
    let mut text = Vec::new();
    write_extended_passive(port, &mut text);
    Ok(Reply::new(Code::EXTENDED_PASSIVE, text))
}

pub(in crate::server::session) fn active(data: &mut DataConnection, to: SocketAddr) -> Answer {
    data.check_not_restricted()?;
    data.active(to)?;
    Ok(Reply::new(Code::OK, "The next transfer will connect to this address."))
}
