//! Commands that say how the next transfer is to be made.

use crate::protocol::address::{write_extended_passive, write_passive};
use crate::protocol::{Code, Extended, Format, Reply, Span, Type};
use crate::server::error::Refusal;
use crate::server::session::{Pending, Representation, Session};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

impl Session<'_> {
    pub(in crate::server::session) fn set_type(&mut self, kind: Type) -> Result<Reply, Refusal> {
        let (representation, text) = match kind {
            Type::Ascii(Format::NonPrint) => (Representation::Ascii, "Type is ASCII."),
            Type::Image | Type::Local(8) => (Representation::Image, "Type is image (binary)."),
            Type::Ascii(_) | Type::Ebcdic(_) | Type::Local(_) => {
                return Err(Refusal::Parameter("Only TYPE A, I and L 8 are offered."));
            }
        };
        self.representation = representation;
        Ok(Reply::new(Code::OK, text))
    }

    /// Whether files are sent as text.
    pub(in crate::server::session) fn is_ascii(&self) -> bool {
        self.representation == Representation::Ascii
    }

    pub(in crate::server::session) fn rest(&mut self, offset: u64) -> Reply {
        self.pending = Pending::Restart(offset);
        Reply::new(Code::PENDING, format!("The next transfer begins at byte {offset}."))
    }

    /// RANG takes first and last byte, and `1 0` takes the wish back (the draft's section 3).
    pub(in crate::server::session) fn rang(&mut self, span: Span) -> Result<Reply, Refusal> {
        if (span.start, span.end) == (1, 0) {
            return Ok(Reply::new(Code::PENDING, "The range is taken back."));
        }
        if span.end < span.start {
            return Err(Refusal::Argument("The last byte is before the first."));
        }
        self.pending = Pending::Range(span);
        let text = format!("The next RETR or HASH takes bytes {} to {}.", span.start, span.end);
        Ok(Reply::new(Code::PENDING, text))
    }

    pub(in crate::server::session) fn pasv(&mut self) -> Result<Reply, Refusal> {
        self.data.check_not_restricted()?;
        let IpAddr::V4(local) = self.data.local() else {
            // RFC 2428 section 1: PASV cannot say an IPv6 address.
            return Err(Refusal::NoDataConnection("PASV is for IPv4; use EPSV."));
        };
        let port = self.data.passive(self.settings.ports(), &self.settings.balancers)?;
        let announced =
            self.settings.passive_addresses.address_for(self.peer.ip()).unwrap_or(local);
        let mut text = Vec::new();
        write_passive(SocketAddrV4::new(announced, port), &mut text);
        Ok(Reply::new(Code::PASSIVE, text))
    }

    pub(in crate::server::session) fn epsv(&mut self, wanted: Extended) -> Result<Reply, Refusal> {
        match (wanted, self.data.local()) {
            (Extended::All, _) => {
                self.data.restrict_to_extended();
                return Ok(Reply::new(Code::OK, "Only EPSV from now on."));
            }
            (Extended::V4, IpAddr::V6(_)) => {
                return Err(Refusal::Protocol("This connection is IPv6, use (2)."));
            }
            (Extended::V6, IpAddr::V4(_)) => {
                return Err(Refusal::Protocol("This connection is IPv4, use (1)."));
            }
            (Extended::Same, _) | (Extended::V4, _) | (Extended::V6, _) => {}
        }
        let port = self.data.passive(self.settings.ports(), &self.settings.balancers)?;
        let mut text = Vec::new();
        write_extended_passive(port, &mut text);
        Ok(Reply::new(Code::EXTENDED_PASSIVE, text))
    }

    pub(in crate::server::session) fn active(&mut self, to: SocketAddr) -> Result<Reply, Refusal> {
        self.data.check_not_restricted()?;
        self.data.active(to)?;
        Ok(Reply::new(Code::OK, "The next transfer connects there."))
    }
}
