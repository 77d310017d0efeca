//! What is told of transfers that are over.

use super::job::Job;
use super::log::{Field, Level, Seconds, Value};
use super::refusal::Refusal;
use super::session::Session;

impl Session<'_> {
    /// Tells of a transfer that is over.
    pub(super) fn record(&self, job: &Job, result: &Result<u64, Refusal>) {
        self.signed.end();
        let moved = self.signed.entry().moved();
        let seconds = Seconds(job.started.elapsed());
        let mut fields: Vec<Field<'_>> =
            vec![("path", &job.path), ("bytes", &moved), ("seconds", &seconds)];
        let Err(refusal) = result else {
            return self.log(Level::Info, job.kind.event(), &fields);
        };
        let reply = refusal.reply();
        let why = String::from_utf8_lossy(reply.text());
        fields.push(("failed", &why));
        fields.extend(refusal.cause().map(|cause| ("cause", cause as &dyn Value)));
        self.log(Level::Warn, job.kind.event(), &fields);
    }
}
