//! The tables of the page: sessions, recent transfers, and recent warnings and errors.

use crate::server::log::{Event, Level};
use crate::server::monitor::counters::FinishedTransfer;
use crate::server::monitor::http::html::{self, bytes, count, rate, text};
use crate::server::monitor::http::page::{StatusPage, begin};
use crate::server::monitor::sessions::{SessionEntry, SessionState};
use crate::server::monitor::transfer::{TransferInfo, TransferKind};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// The maximum number of sessions that are shown.
const MAX_ROWS: usize = 200;

impl StatusPage<'_> {
    pub(super) fn sessions(
        &self,
        out: &mut String,
        moving: &[Arc<SessionEntry>],
        quiet: &[Arc<SessionEntry>],
    ) {
        let all = moving.len() + quiet.len();
        begin(out, "here", "Sessions", &count(all as u64, "session"));
        if all == 0 {
            return empty_section(out, "No sessions.");
        }
        table(
            out,
            "here",
            &[
                ("tight", "No."),
                ("who", "User"),
                ("tight roomy", "Connected"),
                ("what", "Activity"),
            ],
        );
        // Sessions with transfers come first, then the newest sessions.
        let shown = moving.iter().chain(quiet.iter().rev()).take(MAX_ROWS);
        shown.for_each(|entry| self.session(out, entry));
        out.push_str("</tbody></table>");
        if all > MAX_ROWS {
            let _ = write!(out, "<p class=\"none\">and {} more</p>", all - MAX_ROWS);
        }
        out.push_str("</section>");
    }

    fn session(&self, out: &mut String, entry: &SessionEntry) {
        let SessionState { user, info, tls } = entry.state();
        let who = user.map_or("<span class=\"dim\">not logged in</span>".into(), |user| {
            format!("<bdi>{}</bdi>", text(user))
        });
        let here = html::short(entry.since.elapsed());
        let together = here.replace(' ', "&nbsp;");
        let via = entry.via.map_or(String::new(), |via| format!(" via&nbsp;{}", via.ip()));
        let under = tls.map_or(String::new(), |version| format!(" {version}"));
        let _ = write!(
            out,
            "<tr><th scope=\"row\" class=\"tight\">{}</th><td class=\"who\">{who}\
             <small>{}{via}{under}<span class=\"narrow\"> for&nbsp;{together}</span></small></td>\
             <td class=\"tight roomy\">{here}</td><td class=\"what\">",
            entry.number,
            entry.peer.ip(),
        );
        match info {
            Some(info) => self.transfer(out, entry, &info),
            None => out.push_str("<span class=\"dim\">idle</span>"),
        }
        out.push_str("</td></tr>");
    }

    fn transfer(&self, out: &mut String, entry: &SessionEntry, info: &TransferInfo) {
        let moved = entry.moved();
        let rate_now = self.history.rate(entry.number, info.started, moved);
        let mut parts = vec![match info.expected {
            Some(size) => format!("{} of {}", bytes(moved as f64), bytes(size as f64)),
            None => bytes(moved as f64),
        }];
        parts.push(rate(rate_now));
        out.push_str(&describe_transfer(info));
        if let Some(size) = info.expected.filter(|size| *size > 0) {
            let percent = (moved as f64 / size as f64 * 100.0).clamp(0.0, 100.0);
            let class = direction(info.kind);
            let _ = write!(
                out,
                "<progress class=\"{class}\" max=\"100\" value=\"{percent:.1}\" \
                 aria-label=\"{percent:.0} percent\"></progress>"
            );
            parts.extend(remaining_time(size.saturating_sub(moved), rate_now));
        }
        // Lines may break only between the parts.
        let parts = parts.iter().map(|part| part.replace(' ', "\u{a0}"));
        let _ = write!(out, "<small>{}</small>", parts.collect::<Vec<_>>().join(" · "));
    }

    pub(super) fn last_transfers(&self, out: &mut String) {
        let last = self.server.counters.last.newest_first();
        begin(out, "last", "FinalLink transfers", "");
        if last.is_empty() {
            return empty_section(out, "No transfers yet.");
        }
        let columns = [
            ("tight", "When"),
            ("tight roomy", "No."),
            ("who", "User"),
            ("what", "File"),
            ("number roomy", "Size"),
            ("number roomy", "Duration"),
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
        // Avoids an extreme rate for a transfer of almost no duration.
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
            describe_transfer(&done.info),
            html::precise_duration(done.took),
            rate(done.bytes as f64 / seconds),
        );
    }

    pub(super) fn problems(&self, out: &mut String) {
        let events = self.server.log.recent().newest_first();
        begin(out, "problems", "Warnings and errors", "");
        if events.is_empty() {
            return empty_section(out, "None so far.");
        }
        table(out, "problems", &[("tight", "When"), ("tight", "Event"), ("", "Details")]);
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
}

/// Ends a section that has nothing to show.
fn empty_section(out: &mut String, why: &str) {
    let _ = write!(out, "<p class=\"none\">{why}</p></section>");
}

/// Begins a table with these classes and names of columns.
fn table(out: &mut String, id: &str, columns: &[(&str, &str)]) {
    let _ = write!(out, "<table aria-labelledby=\"{id}\"><thead><tr>");
    for (class, name) in columns {
        let _ = write!(out, "<th scope=\"col\" class=\"{class}\">{name}</th>");
    }
    out.push_str("</tr></thead><tbody>");
}

/// Returns the direction and the path of a transfer.
fn describe_transfer(info: &TransferInfo) -> String {
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

/// Returns the remaining time of a transfer, if it is moving and will end within 100 days.
fn remaining_time(bytes: u64, rate: f64) -> Option<String> {
    const LONGEST: f64 = 100.0 * 86_400.0;
    let seconds = bytes as f64 / rate;
    let known = rate >= 1.0 && seconds <= LONGEST;
    known.then(|| format!("{} left", html::duration(Duration::from_secs_f64(seconds.ceil()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stalled_transfer_has_no_remaining_time() {
        assert_eq!(remaining_time(10, 0.0), None);
        assert_eq!(remaining_time(u64::MAX, 1.0), None);
        assert_eq!(remaining_time(0, f64::INFINITY), Some("0 s left".into()));
        assert_eq!(remaining_time(100, 40.0), Some("3 s left".into()));
    }
}
