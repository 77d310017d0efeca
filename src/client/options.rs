//! The options of the client: the table of the command line, and the parsed values.

use super::connection::DataMode;
use super::output::Verbosity;
use super::pin::Pin;
use super::tls::{Encryption, TlsOptions};
use super::url::{Endpoint, Place, Url, split_user, without_login};
use crate::args::{self, Expected, Flag, Origin, Parsed, Program, Usage};
use crate::protocol::Name;
use crate::sys::TlsVersion;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// The program `ftp_client`.
pub static PROGRAM: Program = Program {
    name: "ftp_client",
    version: env!("CARGO_PKG_VERSION"),
    about: "Transfer files with an FTP server. Commands come from the prompt, a file, a pipe or the \
            command line. The URL of a file fetches the file; the URL of a directory lists it, or, \
            with a / at its end, opens the prompt there.",
    usage: &[
        "ftp_client [OPTIONS] [[USER@]HOST [PORT]]",
        "ftp_client [OPTIONS] ftp://[USER[:PASSWORD]@]HOST[:PORT]/PATH",
    ],
    flags: &[
        Flag::letter_option('c', "COMMANDS", "run commands separated by ; or newlines, then exit"),
        Flag::letter_option('f', "FILE", "run the commands in FILE (- is stdin), then exit"),
        Flag::letter_option(
            'u',
            "NAME",
            "user name; the password comes from FTP_PASSWORD, .netrc or a prompt without echo. \
             The default is the user of .netrc, or anonymous",
        ),
        Flag::switch("active", "active mode (EPRT, PORT) instead of passive (EPSV, PASV)")
            .short('a'),
        Flag::letter_switch('n', "do not log in on connecting; use USER to log in"),
        Flag::letter_switch('i', "do not ask before each of many files"),
        Flag::letter_switch('g', "disable wildcard expansion in file names"),
        Flag::letter_switch('d', "the same as -v"),
        Flag::letter_switch('p', "passive mode (the default)"),
        Flag::letter_switch('e', "disable the line editor"),
        Flag::letter_switch('t', "accepted and ignored (packet tracing in BSD ftp)"),
        Flag::switch("no-netrc", "do not read .netrc"),
        Flag::letter_switch('k', "continue after a failed command"),
        Flag::letter_switch('q', "print only errors"),
        Flag::letter_switch('v', "show every command and reply; passwords are hidden"),
        Flag::letter_option('j', "N", "connections of MGET, MPUT, MIRROR and PGET").or("4"),
        Flag::option("timeout", "D", "maximum wait for the server").or("30s"),
        Flag::option(
            "retries",
            "N",
            "retries of an interrupted transfer or a lost connection, with pauses that grow to 30 s. \
             If given, connecting is retried, too",
        )
        .or("5"),
        Flag::option("rate-limit", "RATE", "bytes per second, for all connections together"),
        Flag::switch(
            "json",
            "print results, changes and failures as JSON, one object per line; the content of files \
             (CAT, RETRIEVE FILE -) is printed unchanged",
        ),
        Flag::switch("trust-pasv-host", "connect to the address in a PASV reply"),
        Flag::switch(
            "tls",
            "require TLS (AUTH TLS) before the login, like ftpes://; ftps:// is TLS from the first \
             byte, on port 990",
        ),
        Flag::option(
            "tls-ca",
            "FILE",
            "trust the authorities in this file [the system's]; implies --tls",
        ),
        Flag::option(
            "tls-pin",
            "SHA256",
            "accept the certificate with this fingerprint and no other; implies --tls",
        )
        .many(),
        Flag::switch(
            "tls-clear-data",
            "encrypt commands but not files and listings (PROT C); implies --tls",
        ),
        Flag::option("tls-min", "VERSION", "lowest TLS version; implies --tls if given")
            .choices(&args::words(&TLS_VERSIONS))
            .or("1.2"),
        Flag::option("tls-library", "FILE", "load OpenSSL's libssl from this file [the system's]"),
    ],
    after: "\
Commands: CONNECT, LIST, RETRIEVE, STORE, QUIT and more; HELP lists all.

Exit status: 0 all commands worked; 1 one failed; 2 wrong usage; 3 could not
connect, or the connection was lost; 4 login refused.",
};

/// The parsed command line.
#[derive(Debug)]
pub struct Options {
    /// The source of the commands.
    pub commands: Commands,
    /// The server to connect to before the first command.
    pub start: Option<Start>,
    /// The user name of `-u` or `USER@HOST`.
    pub user: Option<Name>,
    /// The way in which data connections are opened.
    pub mode: DataMode,
    /// The encryption of connections without one in their URL.
    pub encryption: Encryption,
    /// The TLS options of all connections.
    pub tls: TlsOptions,
    /// The maximum wait for the server.
    pub timeout: Duration,
    /// The consequence of a failed command in a script.
    pub on_failure: OnFailure,
    /// The amount of messages.
    pub verbosity: Verbosity,
    /// Automatic login on connecting.
    pub login: AutoLogin,
    /// The use of `.netrc`.
    pub netrc: Netrc,
    /// The questions of commands on many files.
    pub asking: Asking,
    /// The expansion of wildcards in file names.
    pub globbing: Globbing,
    /// The line editor is enabled.
    pub edits_lines: bool,
    /// The options of transfers.
    pub transfers: TransferOptions,
}

/// Automatic login on connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoLogin {
    /// CONNECT logs in.
    On,
    /// The user logs in by USER.
    Off,
}

/// The use of `.netrc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Netrc {
    /// The file is read.
    Read,
    /// The file is ignored.
    Ignored,
}

/// The questions of commands on many files, at a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// They ask before each file.
    On,
    /// They do not ask.
    Off,
}

/// The expansion of wildcards in file names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Globbing {
    /// Wildcards are expanded.
    On,
    /// Wildcards are ordinary characters.
    Off,
}

/// The options of transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferOptions {
    /// The number of connections for many files, and for the ranges of one.
    pub connections: usize,
    /// The number of retries of an interrupted transfer or a lost connection.
    pub retries: u32,
    /// Connecting to a server is retried, too.
    pub retries_connect: bool,
    /// The rate limit for all connections together, in bytes per second.
    pub rate: Option<u64>,
    /// Results are printed as JSON.
    pub json: bool,
}

/// The source of commands.
#[derive(Debug, PartialEq, Eq)]
pub enum Commands {
    /// The option `-c`.
    Given(Vec<u8>),
    /// The file of `-f`.
    File(PathBuf),
    /// Standard input, as a script.
    Input,
    /// Standard input, with a prompt if it is a terminal.
    Shell,
}

/// The server to connect to before the first command.
#[derive(Debug, PartialEq, Eq)]
pub enum Start {
    /// A host and port.
    Host(Endpoint),
    /// A URL.
    Url(Url),
}

/// The consequence of a failed command in a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The script ends.
    Stop,
    /// The script continues.
    Continue,
}

impl Options {
    /// Converts and checks the arguments.
    ///
    /// # Errors
    /// The first invalid argument.
    pub fn new(parsed: &Parsed) -> Result<Options, Usage> {
        let options = Options {
            commands: commands(parsed)?,
            start: start(parsed.operands())?,
            user: user(parsed)?.or(user_of_host(parsed.operands())),
            mode: mode(parsed)?,
            encryption: encryption(parsed),
            tls: tls(parsed)?,
            timeout: timeout(parsed)?,
            on_failure: if parsed.switch("k") { OnFailure::Continue } else { OnFailure::Stop },
            verbosity: verbosity(parsed)?,
            login: if parsed.switch("n") { AutoLogin::Off } else { AutoLogin::On },
            netrc: if parsed.switch("no-netrc") { Netrc::Ignored } else { Netrc::Read },
            asking: if parsed.switch("i") { Asking::Off } else { Asking::On },
            globbing: if parsed.switch("g") { Globbing::Off } else { Globbing::On },
            edits_lines: !parsed.switch("e"),
            transfers: transfers(parsed)?,
        };
        options.refuse_file_and_commands(parsed)?;
        Ok(options)
    }

    fn refuse_file_and_commands(&self, parsed: &Parsed) -> Result<(), Usage> {
        let Some(Start::Url(Url { place: Place::File(_), .. })) = &self.start else {
            return Ok(());
        };
        match self.commands {
            Commands::Shell => Ok(()),
            Commands::Given(_) => Err(parsed.wrong("c", WITH_FILE)),
            Commands::File(_) | Commands::Input => Err(parsed.wrong("f", WITH_FILE)),
        }
    }
}

const WITH_FILE: &str = "no commands together with the URL of a file";

fn commands(parsed: &Parsed) -> Result<Commands, Usage> {
    match (parsed.value("c"), parsed.value("f")) {
        (Some(_), Some(_)) => Err(parsed.wrong("f", "no -c at the same time")),
        (Some(text), None) => Ok(Commands::Given(text.as_encoded_bytes().to_vec())),
        (None, Some(file)) if file == "-" => Ok(Commands::Input),
        (None, Some(file)) => Ok(Commands::File(file.into())),
        (None, None) => Ok(Commands::Shell),
    }
}

fn start(operands: &[OsString]) -> Result<Option<Start>, Usage> {
    let (host, port) = match operands {
        [] => return Ok(None),
        [host] => (host, None),
        [host, port] => (host, Some(port)),
        [_, _, third, ..] => return Err(Usage::operand(third, "only HOST and PORT")),
    };
    let text = |word: &OsString| word.to_str().map(str::to_owned);
    let utf8 = |word: &OsString| text(word).ok_or_else(|| Usage::operand(word, "text in UTF-8"));
    let host_text = utf8(host)?;
    if Url::is_one(&host_text) {
        return url(&host_text, port).map(Some);
    }
    let port_text = port.map(utf8).transpose()?;
    let (_, bare) =
        split_user(&host_text).map_err(|expected| Usage::operand(host, expected.to_string()))?;
    let endpoint = Endpoint::parse(bare, port_text.as_deref());
    let wrong = OsString::from(without_login(port_text.as_deref().unwrap_or(&host_text)));
    endpoint
        .map(Start::Host)
        .map(Some)
        .map_err(|expected| Usage::operand(&wrong, expected.to_string()))
}

/// Returns the user of `USER@HOST`.
fn user_of_host(operands: &[OsString]) -> Option<Name> {
    split_user(operands.first()?.to_str()?).ok()?.0
}

fn url(text: &str, after: Option<&OsString>) -> Result<Start, Usage> {
    if let Some(word) = after {
        return Err(Usage::operand(word, "nothing after a URL, which contains its port"));
    }
    let wrong = |expected: String| Usage::operand(OsStr::new(&without_login(text)), expected);
    Url::parse(text).map(Start::Url).map_err(|expected| wrong(expected.to_string()))
}

fn user(parsed: &Parsed) -> Result<Option<Name>, Usage> {
    let Some(user) = parsed.value("u") else { return Ok(None) };
    // lftp accepts NAME,PASSWORD. Here the password would be sent as part of the name.
    if let Some((name, _)) = user.to_string_lossy().split_once(',') {
        let masked = format!("-u {name},****");
        return Err(Usage::operand(
            masked.as_ref(),
            "only a name; the password comes from FTP_PASSWORD, .netrc or a prompt",
        ));
    }
    let name = Name::new(user.as_encoded_bytes());
    name.map(Some).ok_or_else(|| parsed.wrong("u", "a user name without CR, LF or NUL"))
}

fn mode(parsed: &Parsed) -> Result<DataMode, Usage> {
    if parsed.switch("active") && parsed.switch("p") {
        return Err(parsed.wrong("p", "no -a at the same time"));
    }
    match (parsed.switch("active"), parsed.switch("trust-pasv-host")) {
        (false, false) => Ok(DataMode::Passive),
        (false, true) => Ok(DataMode::PassiveAnyHost),
        (true, false) => Ok(DataMode::Active),
        (true, true) => Err(parsed.wrong("trust-pasv-host", "no --active at the same time")),
    }
}

/// Returns the encryption of connections without one in their URL. Every option of TLS implies `--tls`:
/// otherwise it would have no effect, and the password would be sent in the clear. Only `--tls-library` does not
/// imply it.
fn encryption(parsed: &Parsed) -> Encryption {
    let asking = ["tls", "tls-ca", "tls-pin", "tls-min", "tls-clear-data"];
    match asking.iter().any(|name| *parsed.origin(name) != Origin::Default) {
        true => Encryption::Explicit,
        false => Encryption::Clear,
    }
}

fn tls(parsed: &Parsed) -> Result<TlsOptions, Usage> {
    Ok(TlsOptions {
        library: parsed.value("tls-library").map(PathBuf::from),
        authorities: parsed.value("tls-ca").map(PathBuf::from),
        min: parsed.need("tls-min", args::one_of(&TLS_VERSIONS))?,
        pins: parsed.get_all("tls-pin", pin)?,
        clear_data: parsed.switch("tls-clear-data"),
    })
}

const TLS_VERSIONS: [(&str, TlsVersion); 2] =
    [("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];

fn pin(text: &str) -> Result<Pin, Expected> {
    let wrong = "the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons";
    Pin::parse(text).ok_or_else(|| Expected(wrong.into()))
}

fn transfers(parsed: &Parsed) -> Result<TransferOptions, Usage> {
    Ok(TransferOptions {
        connections: parsed.need("j", args::integer(1..=MOST_CONNECTIONS))?,
        retries: parsed.need("retries", args::integer(0..=MOST_RETRIES))?,
        // By default a wrong host or port is reported at once.
        retries_connect: *parsed.origin("retries") != Origin::Default,
        rate: parsed.get("rate-limit", args::size)?.filter(|rate| *rate > 0),
        json: parsed.switch("json"),
    })
}

/// The largest values, which limit the load on a server.
pub(super) const MOST_CONNECTIONS: usize = 64;
const MOST_RETRIES: u32 = 1000;

fn timeout(parsed: &Parsed) -> Result<Duration, Usage> {
    match parsed.need("timeout", args::duration)? {
        Duration::ZERO => Err(parsed.wrong("timeout", "at least a second")),
        timeout => Ok(timeout),
    }
}

fn verbosity(parsed: &Parsed) -> Result<Verbosity, Usage> {
    match (parsed.switch("q"), parsed.switch("v") || parsed.switch("d")) {
        (false, false) => Ok(Verbosity::Normal),
        (true, false) => Ok(Verbosity::Quiet),
        (false, true) => Ok(Verbosity::Verbose),
        (true, true) => Err(parsed.wrong("q", "no -v at the same time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Outcome;

    fn options(line: &str) -> Result<Options, Usage> {
        match PROGRAM.parse(line.split_whitespace().map(Into::into))? {
            Outcome::Run(parsed) => Options::new(&parsed),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn options_are_consistent() {
        PROGRAM.check();
    }

    #[test]
    fn the_command_line_is_parsed() {
        let plain = options("").unwrap();
        assert_eq!((plain.commands, plain.timeout), (Commands::Shell, Duration::from_secs(30)));
        let all = options("-akv -u me --timeout 5 -f - ::1 1026").unwrap();
        assert_eq!((all.commands, all.mode), (Commands::Input, DataMode::Active));
        assert_eq!((all.on_failure, all.verbosity), (OnFailure::Continue, Verbosity::Verbose));
        assert_eq!(all.start, Some(Start::Host(Endpoint { host: "::1".into(), port: 1026 })));
    }

    #[test]
    fn options_of_bsd_ftp_are_accepted() {
        let bsd = options("-pet host").unwrap();
        assert_eq!((bsd.mode, bsd.edits_lines), (DataMode::Passive, false));
        let old = options("-inv -g -d host").unwrap();
        assert_eq!((old.login, old.asking), (AutoLogin::Off, Asking::Off));
        assert_eq!((old.globbing, old.verbosity), (Globbing::Off, Verbosity::Verbose));
    }

    #[test]
    fn tls_is_requested_by_an_option_or_the_url() {
        let plain = options("h").unwrap();
        assert_eq!((plain.encryption, plain.tls), (Encryption::Clear, TlsOptions::default()));
        let pin = "ab".repeat(32);
        let line =
            format!("--tls --tls-pin {pin} --tls-pin={pin} --tls-clear-data --tls-min 1.3 h");
        let given = options(&line).unwrap();
        assert_eq!((given.encryption, given.tls.pins.len()), (Encryption::Explicit, 2));
        assert!(given.tls.clear_data && given.tls.min == TlsVersion::V1_3);
        let Some(Start::Url(url)) = options("ftps://h/").unwrap().start else { panic!("no URL") };
        assert_eq!(url.encryption, Encryption::Implicit);
    }

    #[test]
    fn options_of_tls_imply_tls() {
        let pin = format!("--tls-pin {}", "ab".repeat(32));
        for option in ["--tls-ca f", &pin, "--tls-min 1.2", "--tls-clear-data"] {
            let given = options(&format!("{option} h")).unwrap();
            assert_eq!(given.encryption, Encryption::Explicit, "{option}");
        }
        assert_eq!(options("--tls-library f h").unwrap().encryption, Encryption::Clear);
    }

    #[test]
    fn each_invalid_option_is_named() {
        for (line, words) in [
            ("-q -v", "-q: expected no -v at the same time"),
            ("-a -p", "-p: expected no -a at the same time"),
            ("-c a -f b", "-f 'b': expected no -c at the same time"),
            ("h 0", "'0': expected a port number from 1 to 65535"),
            ("h x", "'x': expected a port number from 1 to 65535"),
            ("h 21 x", "'x': expected only HOST and PORT"),
            ("--timeout 0", "--timeout '0': expected at least a second"),
            (
                "-u me,secret",
                "'-u me,****': expected only a name; the password comes from FTP_PASSWORD, .netrc \
                 or a prompt",
            ),
            ("ftp://h/a 21", "'21': expected nothing after a URL, which contains its port"),
            ("-c ls ftp://h/a", "-c 'ls': expected no commands together with the URL of a file"),
            ("--tls-min 1.1", "--tls-min '1.1': expected 1.2 or 1.3"),
            (
                "--tls-pin ab",
                "--tls-pin 'ab': expected the SHA-256 of a certificate: 64 hexadecimal digits, with or \
                 without colons",
            ),
            ("-a --trust-pasv-host", "--trust-pasv-host: expected no --active at the same time"),
        ] {
            assert_eq!(options(line).unwrap_err().to_string(), words);
        }
    }

    #[test]
    fn a_wrong_url_does_not_show_its_password() {
        let error = options("ftp://me:secret@h:x/").unwrap_err().to_string();
        assert_eq!(error, "'ftp://****@h:x/': expected a port number from 1 to 65535");
        let error = options("ftps://me:secret@h:0/").unwrap_err().to_string();
        assert_eq!(error, "'ftps://****@h:0/': expected a port number from 1 to 65535");
    }
}
