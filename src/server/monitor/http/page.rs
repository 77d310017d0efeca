//! `/`: a page that one keeps open, to see who is here and what moves.
//!
//! It needs no script, refreshes itself, and holds no more rows than somebody can read, however
//! many sessions there are. Everything from outside goes through [`text`].

use crate::server::Server;
use crate::server::log::{Event, Level};
use crate::server::monitor::counters::FinishedTransfer;
use crate::server::monitor::http::chart::{self, Line};
use crate::server::monitor::http::history::History;
use crate::server::monitor::http::html::{self, bytes, count, rate, text};
use crate::server::monitor::http::process::Process;
use crate::server::monitor::sessions::{SessionEntry, SessionState};
use crate::server::monitor::transfer::{TransferInfo, TransferKind};
use crate::shutdown::Stage;
use crate::text::rfc3339;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The style sheet, which stands in the page.
pub const STYLE: &str = include_str!("style.css");

/// How often the page is made anew, in seconds.
const REFRESH: u32 = 5;

/// How many sessions are shown.
const MOST_ROWS: usize = 200;

/// How many addresses are shown.
const BUSIEST: usize = 5;

/// What a page is made from.
pub struct View<'a> {
    /// The server.
    pub server: &'a Server,
    /// Its last minutes.
    pub history: &'a History,
    /// Where it listens.
    pub name: &'a str,
    /// The time.
    pub now: SystemTime,
    /// Whether the page stays as it is.
    pub paused: bool,
}

impl View<'_> {
    /// The whole page. Writing to a String cannot fail.
    pub fn page(&self) -> String {
        let entries = self.server.session_list.all();
        let (moving, quiet): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.moves_since().is_some());
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
        self.limits(&mut out);
        out.push_str(
            "</div></main><footer>For machines: <a href=\"/metrics\">/metrics</a>, \
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
            Stage::Draining => ("warn", "draining: nobody new comes in"),
            Stage::Stopping => ("bad", "stopping"),
        };
        let moment = rfc3339(self.now);
        let clock = moment.get(11..19).unwrap_or_default();
        let (how, link, word) = match self.paused {
            true => ("stands still", "/", "go on"),
            false => ("is new every 5 s", "/?paused", "pause"),
        };
        let _ = write!(
            out,
            "<header><h1>mt_ftp <span>{} on {}</span></h1><p class=\"pill {class}\">{state}</p>\
             <p class=\"about\"><time datetime=\"{moment}\">{clock} UTC</time>; this page {how} \
             (<a href=\"{link}\">{word}</a>)</p></header>",
            env!("CARGO_PKG_VERSION"),
            text(self.name),
        );
    }

    fn tiles(&self, out: &mut String, moving: usize) {
        let (server, counters) = (self.server, &self.server.counters);
        let (latest, traffic) = (self.history.latest(), server.session_list.traffic());
        let (logins, failed_logins) = counters.logins();
        let away: u64 = counters.turned_away().iter().map(|(_, times)| times).sum();
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
                format!("{} since the start", server.sessions_so_far()),
            ),
            ("Moving now", moving.to_string(), "transfers".into()),
            ("In", rate(latest.received), format!("{} in all", bytes(traffic.received as f64))),
            ("Out", rate(latest.sent), format!("{} in all", bytes(traffic.sent as f64))),
            (
                "Files",
                files.to_string(),
                format!("{failed} failed; {}", count(listings, "listing")),
            ),
            ("Logins", logins.to_string(), format!("{failed_logins} failed")),
            ("Turned away", away.to_string(), self.reasons()),
            (
                "Up for",
                html::short(counters.uptime()),
                format!("since {}", html::since(counters.began, self.now)),
            ),
        ] {
            let _ = write!(out, "<div><dt>{name}</dt><dd>{value}</dd><dd>{more}</dd></div>");
        }
        out.push_str("</dl>");
    }

    /// Why clients were turned away, where any were.
    fn reasons(&self) -> String {
        let reasons =
            self.server.counters.turned_away().into_iter().filter(|(_, times)| *times > 0);
        let reasons: Vec<String> =
            reasons.map(|(why, times)| format!("{times} {}", why.name())).collect();
        if reasons.is_empty() { "nobody so far".into() } else { reasons.join(", ") }
    }

    fn throughput(&self, out: &mut String) {
        let values = |of: fn(&crate::server::monitor::http::history::Sample) -> f64| {
            self.history.samples().map(of)
        };
        let received = Line { class: "in", values: values(|sample| sample.received).collect() };
        let sent = Line { class: "out", values: values(|sample| sample.sent).collect() };
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
        let line = Line { class: "all", values: values.collect() };
        let label = format!(
            "Sessions of the last five minutes: {} now, {} at most.",
            self.history.latest().sessions,
            line.peak()
        );
        let legend = "<span><i class=\"key all\"></i>open</span>";
        figure(out, "Sessions", legend, &label, &[line], 2, |top| top.to_string());
    }

    fn sessions(
        &self,
        out: &mut String,
        moving: &[Arc<SessionEntry>],
        quiet: &[Arc<SessionEntry>],
    ) {
        let all = moving.len() + quiet.len();
        begin(out, "here", "Who is here", &count(all as u64, "session"));
        if all == 0 {
            return none(out, "Nobody is connected.");
        }
        table(
            out,
            "here",
            &[("tight", "No."), ("who", "Who"), ("tight roomy", "Here for"), ("what", "Doing")],
        );
        // Those that move first, and then who came last.
        let shown = moving.iter().chain(quiet.iter().rev()).take(MOST_ROWS);
        shown.for_each(|entry| self.session(out, entry));
        out.push_str("</tbody></table>");
        if all > MOST_ROWS {
            let _ = write!(out, "<p class=\"none\">and {} more</p>", all - MOST_ROWS);
        }
        out.push_str("</section>");
    }

    fn session(&self, out: &mut String, entry: &SessionEntry) {
        let SessionState { user, info } = entry.state();
        let who = user.map_or("<span class=\"dim\">not logged in</span>".into(), |user| {
            format!("<bdi>{}</bdi>", text(user))
        });
        let here = html::short(entry.since.elapsed());
        let together = here.replace(' ', "&nbsp;");
        let via = entry.via.map_or(String::new(), |via| format!(" via&nbsp;{}", via.ip()));
        let _ = write!(
            out,
            "<tr><th scope=\"row\" class=\"tight\">{}</th><td class=\"who\">{who}\
             <small>{}{via}<span class=\"narrow\"> for&nbsp;{together}</span></small></td>\
             <td class=\"tight roomy\">{here}</td><td class=\"what\">",
            entry.number,
            entry.peer.ip(),
        );
        match info {
            Some(info) => self.info(out, entry, &info),
            None => out.push_str("<span class=\"dim\">idle</span>"),
        }
        out.push_str("</td></tr>");
    }

    fn info(&self, out: &mut String, entry: &SessionEntry, info: &TransferInfo) {
        let moved = entry.moved();
        let rate_now = self.history.rate(entry.number, info.started, moved);
        let mut parts = vec![match info.expected {
            Some(size) => format!("{} of {}", bytes(moved as f64), bytes(size as f64)),
            None => bytes(moved as f64),
        }];
        parts.push(rate(rate_now));
        out.push_str(&what(info));
        if let Some(size) = info.expected.filter(|size| *size > 0) {
            let percent = (moved as f64 / size as f64 * 100.0).clamp(0.0, 100.0);
            let class = direction(info.kind);
            let _ = write!(
                out,
                "<progress class=\"{class}\" max=\"100\" value=\"{percent:.1}\" \
                 aria-label=\"{percent:.0} percent\"></progress>"
            );
            parts.extend(left(size.saturating_sub(moved), rate_now));
        }
        // A line ends between the parts.
        let parts = parts.iter().map(|part| part.replace(' ', "\u{a0}"));
        let _ = write!(out, "<small>{}</small>", parts.collect::<Vec<_>>().join(" · "));
    }

    fn last_transfers(&self, out: &mut String) {
        let last = self.server.counters.last.newest_first();
        begin(out, "last", "Last transfers", "");
        if last.is_empty() {
            return none(out, "No file has moved yet.");
        }
        let columns = [
            ("tight", "When"),
            ("tight roomy", "No."),
            ("who", "Who"),
            ("what", "What"),
            ("number roomy", "Size"),
            ("number roomy", "Took"),
            ("number roomy", "Rate"),
        ];
        table(out, "last", &columns);
        last.iter().for_each(|done| self.done(out, done));
        out.push_str("</tbody></table></section>");
    }

    fn done(&self, out: &mut String, done: &FinishedTransfer) {
        let user = done.user.as_ref().map_or("–".into(), text);
        let failed = done.failed.as_ref().map_or(String::new(), |why| {
            format!("<small class=\"failed\">failed: {}</small>", text(why))
        });
        // Of a moment nobody can say how fast it was.
        let seconds = done.took.as_secs_f64().max(0.001);
        let size = bytes(done.bytes as f64);
        let _ = write!(
            out,
            "<tr><td class=\"tight\">{}</td><td class=\"tight roomy\">{}</td>\
             <td class=\"who\"><bdi>{user}</bdi> <small>{}</small></td>\
             <td class=\"what\">{} <span class=\"narrow dim\">{size}</span>{failed}</td>\
             <td class=\"number roomy\">{size}</td><td class=\"number roomy\">{}</td><td class=\"number roomy\">{}</td></tr>",
            html::ago(done.ended, self.now),
            done.session,
            done.peer.ip(),
            what(&done.info),
            html::took(done.took),
            rate(done.bytes as f64 / seconds),
        );
    }

    fn problems(&self, out: &mut String) {
        let events = self.server.log.recent().newest_first();
        begin(out, "problems", "Failures and refusals", "");
        if events.is_empty() {
            return none(out, "None so far.");
        }
        table(out, "problems", &[("tight", "When"), ("tight", "What"), ("", "Details")]);
        for Event { time, level, name, fields } in &events {
            let class = if *level == Level::Error { "bad" } else { "warn" };
            let details: Vec<String> = fields
                .iter()
                .map(|(name, value)| {
                    format!("<span class=\"dim\">{}</span> <bdi>{}</bdi>", text(name), text(value))
                })
                .collect();
            let _ = write!(
                out,
                "<tr><td class=\"tight\">{}</td><td class=\"tight\"><span class=\"pill {class}\">{}\
                 </span></td><td class=\"long\">{}</td></tr>",
                html::ago(*time, self.now),
                text(name),
                details.join(" · ")
            );
        }
        out.push_str("</tbody></table></section>");
    }

    fn limits(&self, out: &mut String) {
        let (server, settings, process) = (self.server, self.server.settings(), Process::look());
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
        if let Some(open) = process.descriptors {
            meter(out, "Descriptors", open, process.most_descriptors);
        }
        if let Some(threads) = process.threads {
            meter(out, "Threads", threads, None);
        }
        if let Some(memory) = process.memory {
            line(out, "Memory", &bytes(memory as f64));
        }
        let most = settings.config.max_sessions_per_ip.map(|most| most as u64);
        let busiest = server.session_limits.busiest(BUSIEST).into_iter();
        // That each has one is no news where that is no limit.
        for (address, sessions) in busiest.filter(|(_, sessions)| most.is_some() || *sessions > 1) {
            meter(out, &format!("From {address}"), sessions as u64, most);
        }
        out.push_str("</ul></section>");
    }
}

/// A part of the page with its heading.
fn begin(out: &mut String, id: &str, name: &str, more: &str) {
    let _ = write!(
        out,
        "<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{name} <span>{more}</span></h2>"
    );
}

/// The end of a part that has nothing to show.
fn none(out: &mut String, why: &str) {
    let _ = write!(out, "<p class=\"none\">{why}</p></section>");
}

/// The beginning of a table: the classes and names of its columns.
fn table(out: &mut String, id: &str, columns: &[(&str, &str)]) {
    let _ = write!(out, "<table aria-labelledby=\"{id}\"><thead><tr>");
    for (class, name) in columns {
        let _ = write!(out, "<th scope=\"col\" class=\"{class}\">{name}</th>");
    }
    out.push_str("</tr></thead><tbody>");
}

fn figure(
    out: &mut String,
    name: &str,
    legend: &str,
    label: &str,
    lines: &[Line],
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

/// What a transfer moves, and in which direction.
fn what(info: &TransferInfo) -> String {
    let word = match info.kind {
        TransferKind::Retrieve => "download",
        TransferKind::Store | TransferKind::Append | TransferKind::StoreUnique => "upload",
        TransferKind::List | TransferKind::Names | TransferKind::Facts => "listing",
    };
    let class = direction(info.kind);
    format!("<b class=\"{class}\">{word}</b> <bdi>{}</bdi>", text(&info.path))
}

fn direction(kind: TransferKind) -> &'static str {
    if kind.is_upload() { "in" } else { "out" }
}

/// How long so many bytes will take, if they move at all.
fn left(bytes: u64, rate: f64) -> Option<String> {
    const LONGEST: f64 = 100.0 * 86_400.0;
    let seconds = bytes as f64 / rate;
    let known = rate >= 1.0 && seconds <= LONGEST;
    known.then(|| format!("{} left", html::duration(Duration::from_secs_f64(seconds.ceil()))))
}

/// A line about something that may have a limit.
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
    fn what_stands_still_has_no_end_in_sight() {
        assert_eq!(left(10, 0.0), None);
        assert_eq!(left(u64::MAX, 1.0), None);
        assert_eq!(left(0, f64::INFINITY), Some("0 s left".into()));
        assert_eq!(left(100, 40.0), Some("3 s left".into()));
    }

    #[test]
    fn a_meter_without_an_end_is_a_number() {
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
