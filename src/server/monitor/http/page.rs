//! The status page at `/`, for an administrator who keeps it open.
//!
//! It needs no script, refreshes itself, and limits the number of rows, however many sessions
//! there are. All text from outside is escaped by [`text`].

mod tables;

use crate::server::Server;
use crate::server::accounts::Access;
use crate::server::monitor::http::chart::{self, Series};
use crate::server::monitor::http::history::History;
use crate::server::monitor::http::html::{self, bytes, count, rate, text};
use crate::server::monitor::http::process::Process;
use crate::server::monitor::reach;
use crate::server::monitor::transfer::TransferKind;
use crate::server::tls;
use crate::shutdown::Stage;
use crate::text::rfc3339;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::SystemTime;

/// The style sheet, which is embedded in the page.
pub const STYLE: &str = include_str!("style.css");

/// The refresh interval of the page in seconds.
const REFRESH: u32 = 5;

/// The number of addresses that are shown.
const BUSIEST: usize = 5;

/// The data of a page.
pub struct StatusPage<'a> {
    /// The server.
    pub server: &'a Server,
    /// The history of the last minutes.
    pub history: &'a History,
    /// The addresses at which the server listens.
    pub serving: &'a [SocketAddr],
    /// The current time.
    pub now: SystemTime,
    /// True if the page does not refresh itself.
    pub paused: bool,
}

impl StatusPage<'_> {
    /// Returns the page. Writing to a String cannot fail.
    pub fn page(&self) -> String {
        let entries = self.server.session_list.all();
        let (moving, quiet): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.transfer_started().is_some());
        let mut out = String::with_capacity(64 * 1024);
        self.head(&mut out, moving.len() + quiet.len());
        self.header(&mut out);
        out.push_str("<main>");
        self.tiles(&mut out, moving.len());
        out.push_str("<div class=\"pair\">");
        self.throughput(&mut out);
        self.sessions_chart(&mut out);
        out.push_str("</div>");
        self.sessions(&mut out, &moving, &quiet);
        self.last_transfers(&mut out);
        out.push_str("<div class=\"pair wide\">");
        self.problems(&mut out);
        out.push_str("<div>");
        self.access(&mut out);
        self.limits(&mut out);
        out.push_str("</div>");
        out.push_str(
            "</div></main><footer>For programs: <a href=\"/metrics\">/metrics</a>, \
             <a href=\"/healthz\">/healthz</a>, <a href=\"/readyz\">/readyz</a></footer>\
             </body></html>\n",
        );
        out
    }

    fn head(&self, out: &mut String, sessions: usize) {
        let refresh = match self.paused {
            true => String::new(),
            false => format!("<meta http-equiv=\"refresh\" content=\"{REFRESH}\">"),
        };
        let _ = write!(
            out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <meta name=\"robots\" content=\"noindex\">{refresh}\
             <title>{} · mt_ftp</title><link rel=\"icon\" href=\"data:image/svg+xml,\
             %3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath \
             fill='none' stroke='%230b6bcb' stroke-width='2' \
             d='M5 14V3M2 6l3-3 3 3M11 2v11M8 10l3 3 3-3'/%3E%3C/svg%3E\">\
             <style>{STYLE}</style></head><body>",
            count(sessions as u64, "session")
        );
    }

    fn header(&self, out: &mut String) {
        let (class, state) = match self.server.shutdown.stage() {
            Stage::Running => ("good", "serving"),
            Stage::Draining => ("warn", "draining: no new sessions"),
            Stage::Stopping => ("bad", "stopping"),
        };
        let serving: Vec<String> = self.serving.iter().map(SocketAddr::to_string).collect();
        let moment = rfc3339(self.now);
        let clock = moment.get(11..19).unwrap_or_default();
        let (how, link, word) = match self.paused {
            true => ("does not refresh", "/", "resume"),
            false => ("refreshes every 5 s", "/?paused", "pause"),
        };
        let _ = write!(
            out,
            "<header><h1>mt_ftp <span>{} on {}</span></h1><p class=\"pill {class}\">{state}</p>\
             <p class=\"about\"><time datetime=\"{moment}\">{clock} UTC</time>; this page {how} \
             (<a href=\"{link}\">{word}</a>)</p></header>",
            env!("CARGO_PKG_VERSION"),
            text(serving.join(", ")),
        );
    }

    fn tiles(&self, out: &mut String, moving: usize) {
        let (server, counters) = (self.server, &self.server.counters);
        let (latest, traffic) = (self.history.latest(), server.session_list.traffic());
        let (logins, failed_logins) = counters.logins();
        let rejected: u64 = counters.rejections().iter().map(|(_, times)| times).sum();
        let sum = |wanted: &dyn Fn(TransferKind) -> bool| {
            let kinds = TransferKind::ALL.into_iter().filter(|kind| wanted(*kind));
            kinds.fold((0, 0), |(done, failed), kind| {
                let counts = counters.transfers(kind);
                (done + counts.done, failed + counts.failed)
            })
        };
        let (files, failed) = sum(&|kind| !kind.is_listing());
        let (listings, _) = sum(&TransferKind::is_listing);
        out.push_str("<dl class=\"tiles\">");
        for (name, value, more) in [
            (
                "Sessions",
                server.session_limits.count().to_string(),
                format!("{} since startup", server.sessions_so_far()),
            ),
            ("Active transfers", moving.to_string(), "now".into()),
            ("In", rate(latest.received), format!("{} in total", bytes(traffic.received as f64))),
            ("Out", rate(latest.sent), format!("{} in total", bytes(traffic.sent as f64))),
            (
                "Files",
                files.to_string(),
                format!("{failed} failed; {}", count(listings, "listing")),
            ),
            ("Logins", logins.to_string(), format!("{failed_logins} failed")),
            ("Rejected", rejected.to_string(), self.reasons()),
            (
                "Uptime",
                html::short(counters.uptime()),
                format!("since {}", html::since(counters.began, self.now)),
            ),
        ] {
            let _ = write!(out, "<div><dt>{name}</dt><dd>{value}</dd><dd>{more}</dd></div>");
        }
        out.push_str("</dl>");
    }

    /// Returns the reasons for which clients were rejected, with their counts.
    fn reasons(&self) -> String {
        let reasons = self.server.counters.rejections().into_iter().filter(|(_, times)| *times > 0);
        let reasons: Vec<String> =
            reasons.map(|(why, times)| format!("{times} {}", why.name())).collect();
        if reasons.is_empty() { "none so far".into() } else { reasons.join(", ") }
    }

    fn throughput(&self, out: &mut String) {
        let values = |of: fn(&crate::server::monitor::http::history::Sample) -> f64| {
            self.history.samples().map(of)
        };
        let received = Series { class: "in", values: values(|sample| sample.received).collect() };
        let sent = Series { class: "out", values: values(|sample| sample.sent).collect() };
        let latest = self.history.latest();
        let label = format!(
            "Throughput of the last five minutes. In: {} now, {} at most. Out: {} now, {} at most.",
            rate(latest.received),
            rate(received.peak()),
            rate(latest.sent),
            rate(sent.peak())
        );
        let legend = "<span><i class=\"key in\"></i>in</span> <span><i class=\"key out\"></i>out\
                      </span>";
        let lines = [received, sent];
        figure(out, "Throughput", legend, &label, &lines, 1024, |top| {
            rate(top as f64).replace(".0 ", " ")
        });
    }

    fn sessions_chart(&self, out: &mut String) {
        let values = self.history.samples().map(|sample| sample.sessions as f64);
        let line = Series { class: "all", values: values.collect() };
        let label = format!(
            "Sessions of the last five minutes: {} now, {} at most.",
            self.history.latest().sessions,
            line.peak()
        );
        let legend = "<span><i class=\"key all\"></i>open</span>";
        figure(out, "Sessions", legend, &label, &[line], 2, |top| top.to_string());
    }

    /// Writes the addresses of the server and the access of visitors.
    fn access(&self, out: &mut String) {
        begin(out, "access", "Access", "");
        out.push_str("<ul class=\"texts\">");
        let name = match reach::is_local(self.serving) {
            true => "Only on this machine",
            false => "Reachable at",
        };
        let addresses = reach::addresses(self.serving);
        for address in &addresses {
            line(out, name, &text(reach::url(address)));
        }
        if let Some(address) = addresses.first() {
            let offers_tls = self.server.settings().tls.is_some();
            line(out, "Connect with", &text(reach::command(address, offers_tls)));
        }
        let may = self.server.settings().config.anonymous.map_or("not log in", Access::allows);
        line(out, "Anonymous visitors may", may);
        out.push_str("</ul></section>");
    }

    fn limits(&self, out: &mut String) {
        let (server, settings, process) = (self.server, self.server.settings(), Process::read());
        begin(out, "limits", "Limits", "");
        out.push_str("<ul>");
        meter(
            out,
            "Sessions",
            server.session_limits.count() as u64,
            Some(settings.config.max_sessions as u64),
        );
        if let Some((reserved, all)) = settings.ports().and_then(|ports| ports.reserved()) {
            meter(out, "Passive ports in use", reserved as u64, Some(all as u64));
        }
        let certificate = settings.tls.as_ref().and_then(|context| context.own_certificate());
        if let Some(days) =
            certificate.and_then(|certificate| tls::days_left(&certificate, self.now))
        {
            line(out, "Certificate valid for", &format!("{days} days"));
        }
        if let Some(open) = process.descriptors {
            meter(out, "Descriptors", open, process.max_descriptors);
        }
        if let Some(threads) = process.threads {
            meter(out, "Threads", threads, None);
        }
        if let Some(memory) = process.memory {
            line(out, "Memory", &bytes(memory as f64));
        }
        let most = settings.config.max_sessions_per_ip.map(|most| most as u64);
        let busiest = server.session_limits.busiest(BUSIEST).into_iter();
        // Without a limit, addresses with one session are not worth a line.
        for (address, sessions) in busiest.filter(|(_, sessions)| most.is_some() || *sessions > 1) {
            meter(out, &format!("From {address}"), sessions as u64, most);
        }
        out.push_str("</ul></section>");
    }
}

/// Begins a section of the page with its heading.
fn begin(out: &mut String, id: &str, name: &str, more: &str) {
    let _ = write!(
        out,
        "<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{name} <span>{more}</span></h2>"
    );
}

fn figure(
    out: &mut String,
    name: &str,
    legend: &str,
    label: &str,
    lines: &[Series],
    least: u64,
    scale: fn(u64) -> String,
) {
    let top = chart::top(lines, least);
    let _ = write!(
        out,
        "<section><figure><h2>{name} <span>{legend}</span></h2><div class=\"plot\">{}\
         <span class=\"scale high\">{}</span><span class=\"scale mid\">{}</span></div>\
         <div class=\"ends\"><span>5 min ago</span><span>now</span></div></figure></section>",
        chart::svg(label, lines, top),
        scale(top),
        scale(top / 2),
    );
}

/// Writes a line about a resource that may have a limit.
fn meter(out: &mut String, name: &str, used: u64, most: Option<u64>) {
    let Some(most) = most.filter(|most| *most > 0) else {
        return line(out, name, &used.to_string());
    };
    let percent = (used as f64 / most as f64 * 100.0).min(100.0);
    let class = if percent >= 90.0 { "high" } else { "in" };
    let _ = write!(
        out,
        "<li><div><span>{name}</span><span>{used} <span class=\"dim\">of {most}</span></span></div>\
         <progress class=\"{class}\" max=\"100\" value=\"{percent:.1}\" aria-label=\"{name}\">\
         </progress></li>"
    );
}

fn line(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, "<li><div><span>{name}</span><span>{value}</span></div></li>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_without_a_limit_is_a_number() {
        let shown = |most| {
            let mut out = String::new();
            meter(&mut out, "Doors", 9, most);
            out
        };
        assert!(!shown(None).contains("progress") && !shown(Some(0)).contains("progress"));
        assert!(shown(Some(10)).contains("class=\"high\" max=\"100\" value=\"90.0\""));
        assert!(shown(Some(3)).contains("value=\"100.0\""));
    }
}
