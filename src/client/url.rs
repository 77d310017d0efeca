//! Server addresses: `HOST`, `HOST PORT`, `HOST:PORT`, and `ftp://`, `ftpes://` and `ftps://` URLs.
//!
//! A URL (RFC 3986, RFC 1738 section 3.2) is decoded once, here. Its path is relative to the
//! directory after login; an absolute path begins with `//` or `/%2F`. `;type=a`, `i` or `d` after
//! the path selects the transfer type.

use super::tls::Encryption;
use crate::protocol::{DEFAULT_PORT, Name, Secret};
use std::fmt;

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port of the control connection.
    pub port: u16,
}

/// A parsed URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The server.
    pub endpoint: Endpoint,
    /// The encryption that the scheme selects.
    pub encryption: Encryption,
    /// The user, if the URL contains one.
    pub user: Option<Name>,
    /// The password, if the URL contains one.
    pub password: Option<Secret>,
    /// The file or directory on the server.
    pub place: Place,
    /// True for `;type=a`, a text transfer; false for `;type=i`.
    pub ascii: Option<bool>,
}

/// The file or directory that a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The directory after login.
    Home,
    /// A directory: the path ends in `/`.
    Directory(Name),
    /// A file.
    File(Name),
}

/// The error for an invalid address: the text names what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAddress(&'static str);

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Endpoint {
    /// Parses the operands of CONNECT or of the command line.
    ///
    /// # Errors
    /// Returns the expected form.
    pub fn parse(host: &str, port: Option<&str>) -> Result<Endpoint, BadAddress> {
        refuse_other_schemes(host)?;
        let Some(port) = port else { return split_port(host, DEFAULT_PORT) };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        Endpoint::new(bare.unwrap_or(host), parse_port(port)?)
    }

    fn new(host: &str, port: u16) -> Result<Endpoint, BadAddress> {
        let strange = |c: char| c.is_control() || c.is_whitespace() || "/[]".contains(c);
        if host.is_empty() || host.contains(strange) {
            return Err(BadAddress("a host name or an address"));
        }
        Ok(Endpoint { host: host.to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Splits `user@host` into the user and the host; a URL remains whole.
pub(super) fn split_user(text: &str) -> Result<(Option<Name>, &str), BadAddress> {
    let Some((user, host)) = text.rsplit_once('@') else { return Ok((None, text)) };
    if user.contains("://") {
        return Ok((None, text));
    }
    let user = Name::new(user).filter(|user| !user.as_bytes().contains(&b':'));
    Ok((Some(user.ok_or(BadAddress("a user name alone before the @"))?), host))
}

/// Refuses URLs of other protocols; the error names the protocol and programs for it.
fn refuse_other_schemes(text: &str) -> Result<(), BadAddress> {
    let Some((scheme, _)) = text.split_once("://") else { return Ok(()) };
    let expected = match scheme.to_ascii_lowercase().as_str() {
        "sftp" | "scp" | "ssh" => {
            "ftp://, since SFTP is a different protocol, a part of SSH; sftp and scp speak it"
        }
        "http" | "https" => {
            "ftp://, since HTTP is a different protocol; curl and browsers speak it"
        }
        _ => "a URL that begins with ftp://, ftpes:// or ftps://",
    };
    Err(BadAddress(expected))
}

/// Parses `host`, `host:port`, `[address]:port`, or an IPv6 address, which contains colons itself.
fn split_port(text: &str, default: u16) -> Result<Endpoint, BadAddress> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(BadAddress("a ] after the address"))?;
        // A network interface follows an encoded % (RFC 6874).
        let host = &host.replacen("%25", "%", 1);
        let port = match after.strip_prefix(':') {
            Some(port) => parse_port(port)?,
            None if after.is_empty() => default,
            None => return Err(BadAddress("a port after the address")),
        };
        return Endpoint::new(host, port);
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Endpoint::new(host, parse_port(port)?),
        _ => Endpoint::new(text, default),
    }
}

fn parse_port(text: &str) -> Result<u16, BadAddress> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or(BadAddress("a port number from 1 to 65535"))
}

impl Url {
    /// Returns whether `text` is a URL for this program.
    pub fn is_one(text: &str) -> bool {
        Scheme::of(text).is_some()
    }

    /// Parses a URL.
    ///
    /// # Errors
    /// Returns the expected form.
    pub fn parse(text: &str) -> Result<Url, BadAddress> {
        let scheme = Scheme::of(text).unwrap_or(&SCHEMES[0]);
        let rest = if Url::is_one(text) { &text[scheme.name.len()..] } else { text };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, endpoint) = match authority.rsplit_once('@') {
            Some((login, endpoint)) => (Some(login), endpoint),
            None => (None, authority),
        };
        let (user, password) = login.map_or(Ok((None, None)), parse_login)?;
        let (path, code) = split_type(path);
        let place = match (Place::parse(path)?, code) {
            (Place::File(dir), Some(b'd')) => Place::Directory(dir),
            (place, _) => place,
        };
        let ascii = code.filter(|code| *code != b'd').map(|code| code == b'a');
        let endpoint = split_port(endpoint, scheme.port)?;
        Ok(Url { endpoint, encryption: scheme.encryption, user, password, place, ascii })
    }
}

/// The beginning of a URL.
struct Scheme {
    name: &'static str,
    encryption: Encryption,
    /// The port of a URL that names none.
    port: u16,
}

/// The URL schemes, with the meaning that they have in curl, lftp and FileZilla.
const SCHEMES: [Scheme; 3] = [
    Scheme { name: "ftp://", encryption: Encryption::Clear, port: DEFAULT_PORT },
    Scheme { name: "ftpes://", encryption: Encryption::Explicit, port: DEFAULT_PORT },
    Scheme { name: "ftps://", encryption: Encryption::Implicit, port: IMPLICIT_PORT },
];

/// IANA's port for FTP over TLS from the first byte.
const IMPLICIT_PORT: u16 = 990;

impl Scheme {
    fn of(text: &str) -> Option<&'static Scheme> {
        SCHEMES.iter().find(|scheme| {
            let start = text.get(..scheme.name.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme.name))
        })
    }
}

/// Splits the type code `a`, `i` or `d` from the end of a path (RFC 1738 section 3.2.2).
fn split_type(path: &str) -> (&str, Option<u8>) {
    const NAME: &str = ";type=";
    let Some((start, code)) = path.len().checked_sub(1).and_then(|end| path.split_at_checked(end))
    else {
        return (path, None);
    };
    let code = code.as_bytes()[0].to_ascii_lowercase();
    let split = start.len().checked_sub(NAME.len()).and_then(|at| start.split_at_checked(at));
    match (split, code) {
        (Some((path, name)), b'a' | b'i' | b'd') if name.eq_ignore_ascii_case(NAME) => {
            (path, Some(code))
        }
        _ => (path, None),
    }
}

/// Returns a URL without its login, for messages, which must not show the password.
pub(super) fn without_login(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(start), Some(end)) if start < end => {
            format!("{}****{}", &url[..start + 3], &url[end..])
        }
        _ => url.to_owned(),
    }
}

fn parse_login(text: &str) -> Result<(Option<Name>, Option<Secret>), BadAddress> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (text, None),
    };
    let user = Name::new(decode(user)?).ok_or(BadAddress("a user name before the @"))?;
    let password = password.map(decode).transpose()?;
    let password = password.map(|bytes| Secret::new(bytes).ok_or(FORBIDDEN)).transpose()?;
    Ok((Some(user), password))
}

const FORBIDDEN: BadAddress = BadAddress("no CR, LF or NUL in it");

impl Place {
    fn parse(path: &str) -> Result<Place, BadAddress> {
        if path.is_empty() {
            return Ok(Place::Home);
        }
        let name = Name::new(decode(path)?).ok_or(FORBIDDEN)?;
        Ok(if path.ends_with('/') { Place::Directory(name) } else { Place::File(name) })
    }
}

/// Decodes percent-encoding: `%41` is `A`. A `%` without two hexadecimal digits after it is an
/// error.
fn decode(text: &str) -> Result<Vec<u8>, BadAddress> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (decoded, after) =
            decode_one(rest).ok_or(BadAddress("two hexadecimal digits after %"))?;
        bytes.push(decoded);
        rest = after;
    }
    Ok(bytes)
}

fn decode_one(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = text.split_at_checked(2)?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(digits[0])? * 16 + digit(digits[1])?;
    Some((u8::try_from(value).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn endpoints_and_how_they_are_shown() {
        for (host, port, expected) in [
            ("example.org", None, "example.org:21"),
            ("example.org", Some("1026"), "example.org:1026"),
            ("127.0.0.1:1026", None, "127.0.0.1:1026"),
            ("::1", None, "[::1]:21"),
            ("::1", Some("7"), "[::1]:7"),
            ("[::1]", Some("7"), "[::1]:7"),
            ("[::1]:1026", None, "[::1]:1026"),
            ("[::1]", None, "[::1]:21"),
        ] {
            assert_eq!(Endpoint::parse(host, port).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn invalid_endpoints_are_refused() {
        for port in ["0", "65536", "x", "", "+21", "-1", " 21"] {
            assert!(Endpoint::parse("h", Some(port)).is_err(), "{port}");
        }
        for host in ["", "h:", "h:x", ":21", "[::1", "[::1]x", "[]:21", "a b", "a/b"] {
            assert!(Endpoint::parse(host, None).is_err(), "{host}");
        }
        for host in ["[::1", "::1]", "[[::1]]", "a[b"] {
            assert!(Endpoint::parse(host, Some("21")).is_err(), "{host}");
        }
    }

    #[test]
    fn urls_are_parsed_and_decoded_once() {
        let url = Url::parse("FTP://me%40home:p%3Aw:%2525@[::1]:2121/pub/a%20b%2525").unwrap();
        assert_eq!(url.endpoint.to_string(), "[::1]:2121");
        assert_eq!(url.user, Some(name("me@home")));
        assert_eq!(url.password, Secret::new("p:w:%25"));
        assert_eq!(url.place, Place::File(name("pub/a b%25")));
    }

    #[test]
    fn the_scheme_says_how_the_connection_is_encrypted() {
        for (url, encryption, endpoint) in [
            ("ftp://h/a", Encryption::Clear, "h:21"),
            ("FTPES://me@h", Encryption::Explicit, "h:21"),
            ("ftps://h/a", Encryption::Implicit, "h:990"),
            ("Ftps://[::1]", Encryption::Implicit, "[::1]:990"),
            ("ftps://h:2121/", Encryption::Implicit, "h:2121"),
        ] {
            assert!(Url::is_one(url), "{url}");
            let url = Url::parse(url).unwrap();
            assert_eq!((url.encryption, url.endpoint.to_string()), (encryption, endpoint.into()));
        }
        assert!(!Url::is_one("http://h/") && !Url::is_one("ftps:h"));
    }

    #[test]
    fn paths_of_urls() {
        let place = |path: &str| Url::parse(&format!("ftp://h{path}")).unwrap().place;
        assert_eq!(place(""), Place::Home);
        assert_eq!(place("/"), Place::Home);
        assert_eq!(place("/a/"), Place::Directory(name("a/")));
        assert_eq!(place("/a"), Place::File(name("a")));
        assert_eq!(place("//etc/motd"), Place::File(name("/etc/motd")));
        assert_eq!(place("/%2Fetc/"), Place::Directory(name("/etc/")));
    }

    #[test]
    fn types_of_urls() {
        for (path, expected) in [
            ("/a;type=a", (Place::File(name("a")), Some(true))),
            ("/a;TYPE=I", (Place::File(name("a")), Some(false))),
            ("/a;type=d", (Place::Directory(name("a")), None)),
            ("/a/;type=d", (Place::Directory(name("a/")), None)),
            ("/;type=d", (Place::Home, None)),
            ("/a;type=x", (Place::File(name("a;type=x")), None)),
            ("/a;type=a;b", (Place::File(name("a;type=a;b")), None)),
            ("/a%3Btype=a", (Place::File(name("a;type=a")), None)),
        ] {
            let url = Url::parse(&format!("ftp://h{path}")).unwrap();
            assert_eq!((url.place, url.ascii), expected, "{path}");
        }
    }

    #[test]
    fn an_address_may_name_its_interface() {
        let url = Url::parse("ftp://[fe80::1%25eth0]:2121/a").unwrap();
        assert_eq!(url.endpoint, Endpoint { host: "fe80::1%eth0".into(), port: 2121 });
        assert_eq!(Endpoint::parse("[fe80::1%eth0]", None).unwrap().host, "fe80::1%eth0");
    }

    #[test]
    fn a_url_cannot_carry_a_second_command() {
        for url in ["ftp://h/a%0d%0aDELE b", "ftp://h/%00", "ftp://u%0A@h/", "ftp://u:%0D@h/"] {
            assert!(Url::parse(url).is_err(), "{url}");
        }
        for url in ["ftp://", "ftp://@h/", "ftp://h:x/", "ftp://h/%", "ftp://h/%4", "ftp://h/%+1"] {
            assert!(Url::parse(url).is_err(), "{url}");
        }
    }
}
