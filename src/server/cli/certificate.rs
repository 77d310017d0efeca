//! `ftp_server certificate`: creates a self-signed certificate, for FTPS without a certificate authority.

use crate::args::{self, Expected, Flag, Outcome, Parsed, Program, Usage};
use crate::server::cli::{output, private_file};
use crate::sys::{self, NewCertificate, TlsContext, TlsLibrary, TlsVersion};
use crate::text;
use std::error::Error;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// The options of `ftp_server certificate`.
pub static PROGRAM: Program = Program {
    name: "ftp_server certificate",
    version: env!("CARGO_PKG_VERSION"),
    about: "Creates a key and a self-signed certificate in FILE, for --tls-cert.",
    usage: &["ftp_server certificate [OPTIONS] FILE"],
    flags: &[
        Flag::option(
            "name",
            "NAME",
            "host name or address that clients connect to [all of this machine]",
        )
        .many(),
        Flag::option("days", "N", "days of validity, 1 to 36500").or("365"),
        Flag::switch(
            "renew",
            "replace FILE; without --name the new certificate has the same names",
        ),
        Flag::option("tls-library", "FILE", "the libssl to load [the system's]"),
    ],
    after: "",
};

/// Runs `ftp_server certificate`: creates the file and prints the names and fingerprint that clients will see.
pub fn run(words: Vec<OsString>) -> ExitCode {
    let request = match PROGRAM.parse(words) {
        Ok(Outcome::Help) => return output::print(&PROGRAM.help()),
        Ok(Outcome::Version) => return output::print_version(),
        Ok(Outcome::Run(given)) => Request::new(&given),
        Err(usage) => Err(usage),
    };
    match request {
        Ok(request) => output::exit_code(request.make().and_then(|text| Ok(output::write(&text)?))),
        Err(usage) => output::wrong_usage(&PROGRAM, &[usage]),
    }
}

/// The parsed command line.
#[derive(Debug)]
struct Request {
    file: PathBuf,
    names: Vec<String>,
    days: u32,
    renew: bool,
    library: Option<PathBuf>,
}

impl Request {
    fn new(given: &Parsed) -> Result<Request, Usage> {
        let [file] = given.operands() else {
            return Err(Usage::missing_operand("FILE, and nothing else"));
        };
        let name = |text: &str| match sys::is_certificate_name(text) {
            true => Ok(text.to_owned()),
            false => Err(Expected("a host name or an address".into())),
        };
        Ok(Request {
            file: file.into(),
            names: given.get_all("name", name)?,
            days: given.need("days", args::integer(1..=36_500))?,
            renew: given.switch("renew"),
            library: given.value("tls-library").map(PathBuf::from),
        })
    }

    /// Creates or replaces the file, and returns the report for the user.
    fn make(&self) -> Result<String, Box<dyn Error>> {
        let library = sys::tls_library(self.library.as_deref())?;
        let file = self.file.display();
        // If FILE is a symbolic link, its target is created or replaced.
        let target = self.file.canonicalize().unwrap_or_else(|_| self.file.clone());
        let exists = target.symlink_metadata().is_ok();
        if exists && !self.renew {
            return Err(
                format!("cannot create {file}: it exists; use --renew to replace it").into()
            );
        }
        let names = if exists { self.renewed_names(library)? } else { self.new_names() };
        let made = sys::make_certificate(library, &names, self.days)?;
        let pem = made.pem.as_bytes();
        let stored = match exists {
            true => private_file::replace(&target, pem),
            false => private_file::create(&target, pem),
        };
        stored.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("cannot create {file}: it exists; use --renew to replace it")
            }
            _ => format!("cannot write {file}: {}", text::Reason(&error)),
        })?;
        Ok(self.summary(&made))
    }

    fn new_names(&self) -> Vec<String> {
        if self.names.is_empty() { names_of_this_machine() } else { self.names.clone() }
    }

    /// Returns the given names, or by default those of the certificate to be replaced. Fails if the file
    /// is not a certificate, so that no other file is overwritten.
    fn renewed_names(&self, library: &'static TlsLibrary) -> Result<Vec<String>, Box<dyn Error>> {
        let old = TlsContext::server(library, &self.file, &self.file, TlsVersion::V1_2)?;
        if !self.names.is_empty() {
            return Ok(self.names.clone());
        }
        let names = old.own_certificate().map(|old| old.names()).unwrap_or_default();
        let known: Vec<String> =
            names.into_iter().filter(|name| sys::is_certificate_name(name)).collect();
        if known.is_empty() { Ok(names_of_this_machine()) } else { Ok(known) }
    }

    fn summary(&self, made: &NewCertificate) -> String {
        let certificate = &made.certificate;
        let names = certificate.names().join(", ");
        let until = certificate.not_after().map(text::rfc3339).unwrap_or_default();
        let days = self.days;
        let unit = if days == 1 { "day" } else { "days" };
        let fingerprint = text::fingerprint(&certificate.sha256());
        let file = self.file.display();
        format!(
            "{file}: self-signed certificate for {names}\nvalid for {days} {unit}, until {until}\n\
             SHA-256 {fingerprint}\n"
        )
    }
}

/// Returns the names by which clients may know this machine: its host name and its addresses.
fn names_of_this_machine() -> Vec<String> {
    let host = sys::host_name().filter(|name| sys::is_certificate_name(name));
    let fixed = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut names: Vec<String> = host.into_iter().chain(fixed).collect();
    for address in sys::own_addresses().unwrap_or_default() {
        let is_link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let name = address.to_string();
        if !is_link_local && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_table_is_valid() {
        PROGRAM.check();
    }

    #[test]
    fn the_names_of_this_machine_are_valid_in_certificates() {
        let names = names_of_this_machine();
        assert!(names.contains(&"localhost".to_owned()), "{names:?}");
        assert!(names.iter().all(|name| sys::is_certificate_name(name)), "{names:?}");
    }
}
