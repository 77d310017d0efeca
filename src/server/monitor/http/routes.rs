//! The paths of the status pages, and who may read them.

use crate::server::log::Level;
use crate::server::monitor::http::history::History;
use crate::server::monitor::http::html;
use crate::server::monitor::http::message::{self, Request, Response};
use crate::server::monitor::http::metrics;
use crate::server::monitor::http::page::{STYLE, StatusPage};
use crate::server::{Server, panic_hook};
use crate::shutdown::Stage;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// The pages and their data.
pub struct Routes {
    /// The server.
    pub server: Arc<Server>,
    /// The history of the last minutes.
    pub history: History,
    serving: Vec<SocketAddr>,
    host: String,
    policy: String,
}

impl Routes {
    /// Creates the pages of a server that listens at `serving`. `host` is the host of `--status`.
    pub fn new(server: Arc<Server>, serving: Vec<SocketAddr>, host: String) -> Routes {
        let style = html::csp_hash(STYLE);
        let policy = format!(
            "default-src 'none'; style-src '{style}'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'"
        );
        Routes { server, history: History::new(Instant::now()), serving, host, policy }
    }

    /// Returns the response to the bytes so far, if they are a complete request.
    pub fn answer(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let now = SystemTime::now();
        let request = match message::read(bytes)? {
            Ok(request) => request,
            Err(problem) => return Some(Response::from(problem).into_bytes(now, false)),
        };
        let made = panic_hook::catch(|| self.respond(&request, now));
        let response = made.unwrap_or_else(|panicked| {
            let fields = [("place", &panicked.place as _), ("words", &panicked.words as _)];
            self.server.log.event(Level::Error, "panic", &fields);
            Response::plain("500 Internal Server Error", "Internal error; see the server log.")
        });
        Some(response.into_bytes(now, request.head_only))
    }

    fn respond(&mut self, request: &Request, now: SystemTime) -> Response {
        match request.path.as_str() {
            "/healthz" => Response::plain("200 OK", "ok"),
            "/readyz" => match self.readiness() {
                Ok(()) => Response::plain("200 OK", "ready"),
                Err(why) => Response::plain("503 Service Unavailable", why),
            },
            "/" | "/metrics" if !self.is_accepted_host(request.host.as_deref()) => Response::plain(
                "421 Misdirected Request",
                "Ask for an address, or for the name in --status.",
            ),
            "/" => self.page(request.query == "paused", now),
            "/metrics" => Response::new("200 OK", metrics::MEDIA_TYPE, metrics::text(&self.server)),
            _ => Response::plain("404 Not Found", "Available: /, /metrics, /healthz and /readyz."),
        }
    }

    /// Checks whether new sessions could be served.
    fn readiness(&self) -> Result<(), &'static str> {
        if self.server.shutdown.stage() != Stage::Running {
            return Err("draining");
        }
        let opened = self.server.settings().authenticator.tree.check();
        opened.map_err(|_| "the served directory cannot be opened")
    }

    fn page(&mut self, paused: bool, now: SystemTime) -> Response {
        self.history.record_request(Instant::now());
        let (server, history, serving) = (&self.server, &self.history, &self.serving);
        let page = StatusPage { server, history, serving, now, paused }.page();
        Response::new("200 OK", "text/html; charset=utf-8", page)
            .with("Content-Security-Policy", &self.policy)
    }

    /// Returns whether the request is addressed to this server. Another web site can point its own
    /// name to this machine and read what the browser then receives (DNS rebinding); it cannot do
    /// so with an IP address or one of the accepted names.
    fn is_accepted_host(&self, host: Option<&str>) -> bool {
        let Some(host) = host else { return true };
        let host = host.strip_suffix('.').unwrap_or(host);
        host.parse::<IpAddr>().is_ok()
            || host.eq_ignore_ascii_case("localhost")
            || host.eq_ignore_ascii_case(&self.host)
    }
}
