//! The metrics at `/metrics` in the text format of Prometheus, version 0.0.4.
//!
//! Names and units follow its conventions: seconds and bytes, counters end in `_total`, and
//! metrics of every process have the names that Prometheus client libraries use. Counters never
//! decrease while the server runs.

use crate::server::Server;
use crate::server::monitor::counters::STEPS;
use crate::server::monitor::http::process::Process;
use crate::server::monitor::transfer::TransferKind;
use crate::shutdown::Stage;
use std::fmt::{Display, Write as _};
use std::time::UNIX_EPOCH;

/// The media type of the metrics.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns all metrics.
pub fn text(server: &Server) -> String {
    let mut page = MetricsText(String::new());
    page.server(server);
    page.sessions(server);
    page.handshakes(server);
    page.transfers(server);
    page.durations(server);
    page.limits(server);
    page.logs(server);
    page.process(server);
    page.0
}

/// The text so far. Writing to a String cannot fail.
struct MetricsText(String);

impl MetricsText {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes a value with labels. Labels are constants without characters that need escaping.
    fn value(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.value(name, "", value);
    }

    fn server(&mut self, server: &Server) {
        const INFO: &str = "mt_ftp_build_info";
        self.family(INFO, "gauge", "Version of the server; the value is 1.");
        self.value(INFO, concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), 1);
        let draining = u8::from(server.shutdown.stage() != Stage::Running);
        const HELP: &str = "1 once the server admits no new sessions and waits for transfers.";
        self.one("mt_ftp_draining", "gauge", HELP, draining);
    }

    fn sessions(&mut self, server: &Server) {
        self.one(
            "mt_ftp_sessions_open",
            "gauge",
            "Current sessions.",
            server.session_limits.count(),
        );
        let all = server.sessions_so_far();
        self.one("mt_ftp_sessions_total", "counter", "Sessions since startup.", all);
        const REJECTED: &str = "mt_ftp_turned_away_total";
        self.family(REJECTED, "counter", "Rejected clients by reason.");
        for (why, times) in server.counters.rejections() {
            self.value(REJECTED, &format!("reason=\"{}\"", why.name()), times);
        }
        const LOGINS: &str = "mt_ftp_logins_total";
        let (ok, failed) = server.counters.logins();
        self.family(LOGINS, "counter", "Logins, including anonymous ones, by result.");
        self.value(LOGINS, "result=\"ok\"", ok);
        self.value(LOGINS, "result=\"failed\"", failed);
        const CHECKS: &str = "mt_ftp_password_checks_total";
        let checks = &server.password_checks;
        self.family(
            CHECKS,
            "counter",
            "Passwords checked, by their slow hash or by the cache of earlier logins.",
        );
        self.value(CHECKS, "by=\"hash\"", checks.hashed());
        self.value(CHECKS, "by=\"cache\"", checks.cached());
    }

    fn handshakes(&mut self, server: &Server) {
        const HANDSHAKES: &str = "mt_ftp_tls_handshakes_total";
        let (full, resumed) = server.counters.handshakes();
        let help = "Successful TLS handshakes of control and data connections.";
        self.family(HANDSHAKES, "counter", help);
        self.value(HANDSHAKES, "kind=\"full\"", full);
        self.value(HANDSHAKES, "kind=\"resumed\"", resumed);
        let certificate = server.settings().tls.as_ref().and_then(|tls| tls.own_certificate());
        let end = certificate.and_then(|certificate| certificate.not_after());
        if let Some(end) = end.and_then(|end| end.duration_since(UNIX_EPOCH).ok()) {
            const END: &str = "mt_ftp_tls_certificate_expires_seconds";
            self.one(
                END,
                "gauge",
                "The expiry time of the certificate in Unix seconds.",
                end.as_secs(),
            );
        }
        const FAILED: &str = "mt_ftp_tls_handshakes_failed_total";
        self.family(FAILED, "counter", "Failed TLS handshakes by reason.");
        for (kind, times) in server.counters.failed_handshakes() {
            self.value(FAILED, &format!("reason=\"{}\"", kind.name()), times);
        }
    }

    fn transfers(&mut self, server: &Server) {
        const TRANSFERS: &str = "mt_ftp_transfers_total";
        self.family(TRANSFERS, "counter", "Finished transfers by command and result.");
        for kind in TransferKind::ALL {
            let (counts, name) = (server.counters.transfers(kind), kind.event());
            self.value(TRANSFERS, &format!("kind=\"{name}\",result=\"ok\""), counts.done);
            self.value(TRANSFERS, &format!("kind=\"{name}\",result=\"failed\""), counts.failed);
        }
        let entries = server.session_list.all();
        let running = entries.iter().filter(|entry| entry.transfer_started().is_some()).count();
        self.one("mt_ftp_transfers_running", "gauge", "Current transfers.", running);
        const BYTES: &str = "mt_ftp_transferred_bytes_total";
        let traffic = server.session_list.traffic();
        let help = "Bytes over data connections, including those of current transfers; \"in\" is \
                    from clients.";
        self.family(BYTES, "counter", help);
        self.value(BYTES, "direction=\"in\"", traffic.received);
        self.value(BYTES, "direction=\"out\"", traffic.sent);
    }

    fn durations(&mut self, server: &Server) {
        const NAME: &str = "mt_ftp_transfer_duration_seconds";
        self.family(NAME, "histogram", "Duration of transfers by command.");
        for kind in TransferKind::ALL {
            let (counts, kind) = (server.counters.transfers(kind), kind.event());
            let mut sum = 0;
            for (step, count) in counts.steps.iter().enumerate() {
                sum += count;
                let most = STEPS.get(step).map_or("+Inf".to_string(), f64::to_string);
                let labels = format!("kind=\"{kind}\",le=\"{most}\"");
                self.value("mt_ftp_transfer_duration_seconds_bucket", &labels, sum);
            }
            let labels = format!("kind=\"{kind}\"");
            self.value("mt_ftp_transfer_duration_seconds_sum", &labels, counts.seconds);
            self.value("mt_ftp_transfer_duration_seconds_count", &labels, sum);
        }
    }

    fn limits(&mut self, server: &Server) {
        let settings = server.settings();
        const MAX: &str = "mt_ftp_sessions_limit";
        self.one(MAX, "gauge", "Maximum number of sessions.", settings.config.max_sessions);
        if let Some((reserved, all)) = settings.ports().and_then(|ports| ports.reserved()) {
            const USED: &str = "mt_ftp_passive_ports_reserved";
            self.one(USED, "gauge", "Passive ports that wait for a data connection.", reserved);
            const ALL: &str = "mt_ftp_passive_ports_limit";
            self.one(ALL, "gauge", "Passive ports in the configured range.", all);
        }
    }

    fn logs(&mut self, server: &Server) {
        const LOST: &str = "mt_ftp_log_lines_lost_total";
        self.family(LOST, "counter", "Log lines that could not be written in time, by log.");
        self.value(LOST, "log=\"events\"", server.log.lost());
        self.value(LOST, "log=\"transfers\"", server.transfers.lost());
    }

    fn process(&mut self, server: &Server) {
        let began = server.counters.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        let began = format!("{:.3}", began.as_secs_f64());
        const START: &str = "process_start_time_seconds";
        self.one(START, "gauge", "Start time of the server, in seconds since 1970.", began);
        let process = Process::read();
        for (name, help, value) in [
            ("process_open_fds", "Open descriptors.", process.descriptors),
            ("process_max_fds", "Maximum number of open descriptors.", process.max_descriptors),
            ("process_threads", "Threads.", process.threads),
            ("process_resident_memory_bytes", "Resident memory.", process.memory),
        ] {
            if let Some(value) = value {
                self.one(name, "gauge", help, value);
            }
        }
    }
}
