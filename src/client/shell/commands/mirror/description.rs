//! Descriptions of the steps of a mirror: lines of `--dry-run`, and JSON objects.

use super::Mirror;
use super::plan::MirrorStep;
use super::walk::joined;
use crate::client::error::Error;
use crate::client::output::json::{Action, Change, Side, of_transfer, print_object, with_error};
use crate::client::output::print_lines;
use crate::json::Object;
use crate::text::shown;

impl Mirror<'_> {
    /// Prints the steps of `--dry-run`.
    pub(super) fn print_steps(&self, steps: &[MirrorStep]) -> Result<(), Error> {
        if self.session.transfers.json {
            return steps.iter().map(|step| self.planned(step)).try_for_each(print_object);
        }
        print_lines(&steps.iter().map(|step| self.line(step)).collect::<String>())
    }

    /// Prints the result of a step other than a transfer as an object, with `--json`.
    pub(super) fn print_result(
        &self,
        step: &MirrorStep,
        result: &Result<(), Error>,
    ) -> Result<(), Error> {
        if !self.session.transfers.json {
            return Ok(());
        }
        print_object(result.as_ref().err().into_iter().fold(self.object(step), with_error))
    }

    fn line(&self, step: &MirrorStep) -> String {
        let verb = if self.wanted.upload { "put" } else { "get" };
        match step {
            MirrorStep::Refuse(path) => format!("refuse {}\n", shown(path)),
            MirrorStep::Remove(path) => format!("delete {}\n", shown(path)),
            MirrorStep::RemoveDir(path) => format!("rmdir {}\n", shown(path)),
            MirrorStep::MakeDir(path) => format!("mkdir {}\n", shown(path)),
            MirrorStep::Transfer(path, _) => format!("{verb} {}\n", shown(path)),
            MirrorStep::Link(path, to) => format!("link {} -> {}\n", shown(path), shown(to)),
        }
    }

    /// Returns the object for a step of `--dry-run`.
    fn planned(&self, step: &MirrorStep) -> Object {
        let object = match step {
            MirrorStep::Refuse(path) => {
                with_error(self.object(step), &Error::InTheWay(path.clone()))
            }
            _ => self.object(step),
        };
        object.flag("dry_run", true)
    }

    /// Returns the object for a step, without its result.
    fn object(&self, step: &MirrorStep) -> Object {
        let remote = |path: &[u8]| joined(&self.remote, path);
        let local = |path: &[u8]| match self.at(path) {
            Ok(at) => at.as_os_str().as_encoded_bytes().to_vec(),
            // The path is no local name, which is the error of the step.
            Err(_) => path.to_vec(),
        };
        let upload = self.wanted.upload;
        let (path, change) = match step {
            MirrorStep::Refuse(path) => (path, Change::Replace),
            MirrorStep::Remove(path) => (path, Change::Delete),
            MirrorStep::RemoveDir(path) => (path, Change::RemoveDir),
            MirrorStep::MakeDir(path) => (path, Change::MakeDir),
            MirrorStep::Link(path, target) => (path, Change::MakeLink { target }),
            MirrorStep::Transfer(path, _) => {
                let action = if upload { Action::Store } else { Action::Retrieve };
                return of_transfer(action, &remote(path), &local(path));
            }
        };
        match upload {
            true => change.object(Side::Remote, &remote(path)),
            false => change.object(Side::Local, &local(path)),
        }
    }
}
