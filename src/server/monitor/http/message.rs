//! The subset of HTTP that a page, a scraper and a health check need (RFC 9110, RFC 9112).
//!
//! A connection has one request, GET or HEAD, whose head fits [`MAX_HEAD`]; a body is not read. No
//! function here uses a socket: [`read`] parses the bytes that have arrived, and [`Response`]
//! produces those to send.

use crate::text::http_date;
use std::time::SystemTime;

/// The longest head of a request in bytes, including the empty line at its end.
pub const MAX_HEAD: usize = 8 * 1024;

/// The longest target in bytes.
const MAX_TARGET: usize = 1024;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// True for HEAD.
    pub head_only: bool,
    /// The path, without the query.
    pub path: String,
    /// The text after the `?`.
    pub query: String,
    /// The host that the client addressed, without the port.
    pub host: Option<String>,
}

/// The reason why a request is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The data is not HTTP.
    Malformed,
    /// The method is neither GET nor HEAD.
    Method,
    /// The target is too long.
    LongTarget,
    /// The head is too long.
    LongHead,
    /// The HTTP version is not supported.
    Version,
}

/// Parses the bytes that have arrived; `None` if the head is incomplete.
pub fn read(bytes: &[u8]) -> Option<Result<Request, RequestError>> {
    // RFC 9112 section 2.2: empty lines before the request are ignored.
    let start = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len());
    match end_of_head(&bytes[start..]) {
        Some(end) => Some(parse(&bytes[start..start + end])),
        None if bytes.len() < MAX_HEAD => None,
        None if bytes[start..].contains(&b'\n') => Some(Err(RequestError::LongHead)),
        None if start > 0 => Some(Err(RequestError::Malformed)),
        None => Some(Err(RequestError::LongTarget)),
    }
}

/// Returns the offset of the end of the head; a line may end in LF alone (RFC 9112 section 2.2).
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let lf = |at: &usize| bytes[*at] == b'\n';
    let ends = (0..bytes.len()).filter(lf);
    let mut ends = ends.filter(|at| matches!(bytes[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]));
    ends.next()
}

fn parse(head: &[u8]) -> Result<Request, RequestError> {
    let head = std::str::from_utf8(head).map_err(|_| RequestError::Malformed)?;
    let mut lines = head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let first = lines.next().unwrap_or_default();
    let words: Vec<&str> = first.split(' ').collect();
    let [method, target, version] = words[..] else { return Err(RequestError::Malformed) };
    let hosts = hosts(lines)?;
    let is_old = match version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        _ if version.starts_with("HTTP/") => return Err(RequestError::Version),
        _ => return Err(RequestError::Malformed),
    };
    if method.is_empty() || !method.bytes().all(is_token) {
        return Err(RequestError::Malformed);
    }
    if !matches!(method, "GET" | "HEAD") {
        return Err(RequestError::Method);
    }
    // RFC 9112 section 3.2: exactly one Host field, which is optional in HTTP/1.0.
    if hosts.len() != 1 && !(hosts.is_empty() && is_old) {
        return Err(RequestError::Malformed);
    }
    let (authority, path, query) = split_target(target)?;
    let host = authority.or(hosts.first().copied());
    let host = host.map(|host| without_port(host).to_owned());
    Ok(Request { head_only: method == "HEAD", path: path.into(), query: query.into(), host })
}

/// Returns the values of all Host fields. An invalid field makes the request malformed.
fn hosts<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<&'a str>, RequestError> {
    let mut hosts = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(RequestError::Malformed)?;
        let clean = !value.contains(|c: char| c.is_ascii_control() && c != '\t');
        if name.is_empty() || !name.bytes().all(is_token) || !clean {
            return Err(RequestError::Malformed);
        }
        if name.eq_ignore_ascii_case("host") {
            hosts.push(value.trim_matches([' ', '\t']));
        }
    }
    Ok(hosts)
}

/// Returns whether a byte may be in a token (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Splits `/path?query`, which may follow `http://host`, as clients of proxies send it.
fn split_target(target: &str) -> Result<(Option<&str>, &str, &str), RequestError> {
    if target.len() > MAX_TARGET {
        return Err(RequestError::LongTarget);
    }
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(RequestError::Malformed);
    }
    let (authority, rest) = match target.strip_prefix("http://") {
        Some(rest) => {
            let (authority, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (Some(authority), if rest.is_empty() { "/" } else { rest })
        }
        None => (None, target),
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path.starts_with('/') { Ok((authority, path, query)) } else { Err(RequestError::Malformed) }
}

/// Removes the port and the brackets from `name:80` and `[::1]:80`.
fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    status: &'static str,
    kind: &'static str,
    headers: String,
    body: Vec<u8>,
}

impl Response {
    /// Creates a response of one line of plain text; `status` is the code and the reason.
    pub fn plain(status: &'static str, text: &str) -> Response {
        Response::new(status, "text/plain; charset=utf-8", format!("{text}\n"))
    }

    /// Creates a response of any media type.
    pub fn new(status: &'static str, kind: &'static str, body: impl Into<Vec<u8>>) -> Response {
        Response { status, kind, headers: String::new(), body: body.into() }
    }

    /// Adds a header.
    pub fn with(mut self, name: &str, value: &str) -> Response {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Returns the bytes to send.
    pub fn into_bytes(self, now: SystemTime, head_only: bool) -> Vec<u8> {
        let Response { status, kind, headers, body } = self;
        let (date, length) = (http_date(now), body.len());
        // Browsers must not cache a response, guess its type, frame it, or pass its address on.
        let mut bytes = format!(
            "HTTP/1.1 {status}\r\nDate: {date}\r\nServer: mt_ftp\r\nConnection: close\r\n\
             Content-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
             Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n\
             {headers}\r\n"
        )
        .into_bytes();
        if !head_only {
            bytes.extend(body);
        }
        bytes
    }
}

impl From<RequestError> for Response {
    fn from(problem: RequestError) -> Response {
        match problem {
            RequestError::Malformed => {
                Response::plain("400 Bad Request", "Malformed HTTP request.")
            }
            RequestError::Method => {
                Response::plain("405 Method Not Allowed", "Only GET and HEAD are supported.")
                    .with("Allow", "GET, HEAD")
            }
            RequestError::LongTarget => {
                Response::plain("414 URI Too Long", "The request target is too long.")
            }
            RequestError::LongHead => Response::plain(
                "431 Request Header Fields Too Large",
                "The request head is too large.",
            ),
            RequestError::Version => Response::plain(
                "505 HTTP Version Not Supported",
                "Only HTTP/1.0 and HTTP/1.1 are supported.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn ask(head: &str) -> Result<Request, RequestError> {
        read(head.as_bytes()).unwrap()
    }

    #[test]
    fn a_request_is_parsed() {
        let request = ask("HEAD /a/b?c=d HTTP/1.1\r\nHost: name:80\r\nX: y\r\n\r\n").unwrap();
        assert!(request.head_only);
        assert_eq!((request.path.as_str(), request.query.as_str()), ("/a/b", "c=d"));
        assert_eq!(request.host.as_deref(), Some("name"));
        let host = |head: &str| ask(head).unwrap().host;
        assert_eq!(host("GET / HTTP/1.0\n\n"), None);
        assert_eq!(host("\r\nGET / HTTP/1.1\r\nhOsT:\t[::1]:9 \r\n\r\n").unwrap(), "::1");
        assert_eq!(host("GET http://a:1 HTTP/1.1\r\nHost: b\r\n\r\n").unwrap(), "a");
    }

    #[test]
    fn different_errors_have_different_responses() {
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(MAX_TARGET));
        let fields = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(MAX_HEAD));
        for (head, problem) in [
            ("\0\r\n\r\n", RequestError::Malformed),
            ("GET /\r\n\r\n", RequestError::Malformed),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", RequestError::Malformed),
            ("GET / HTTP/1.1\r\n\r\n", RequestError::Malformed),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", RequestError::Malformed),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", RequestError::Malformed),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", RequestError::Malformed),
            ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", RequestError::Malformed),
            ("GET x HTTP/1.1\r\nHost: a\r\n\r\n", RequestError::Malformed),
            ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", RequestError::Malformed),
            ("GET / FTP/1.1\r\nHost: a\r\n\r\n", RequestError::Malformed),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", RequestError::Version),
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", RequestError::Method),
            ("get / HTTP/1.1\r\nHost: a\r\n\r\n", RequestError::Method),
            (&long, RequestError::LongTarget),
            (&"x".repeat(MAX_HEAD), RequestError::LongTarget),
            (&fields, RequestError::LongHead),
            (&"\r\n".repeat(MAX_HEAD), RequestError::Malformed),
        ] {
            assert_eq!(ask(head), Err(problem), "{head:?}");
        }
        assert_eq!(read(b"GET / HTTP/1.1\r\nHost: a\r\n"), None);
        assert_eq!(read(b""), None);
    }

    #[test]
    fn malformed_requests_cause_no_panic() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for length in 0..head.len() {
            assert_eq!(read(&head[..length]), None, "{length}");
            for byte in [0, b'\n', b'\r', b' ', b':', 0xff] {
                let mut changed = head.to_vec();
                changed[length] = byte;
                let _ = read(&changed);
            }
        }
    }

    #[test]
    fn a_date_has_its_day_of_the_week() {
        let then = UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(http_date(then), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
