//! Confines a panic to one session and logs it.
//!
//! No panic is expected. If one happens, the thread of the session unwinds: its guards release its
//! resources, the log names the source line, and the client receives a 421 if possible.

use crate::server::log::{Field, Level, Log};
use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

thread_local! {
    /// The source line of the last panic of this thread; `None` outside of [`catch`].
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The description of a panic.
#[derive(Debug)]
pub struct Panicked {
    /// The source file and line.
    pub place: String,
    /// The message of the panic.
    pub words: String,
}

/// Installs a panic hook that prints nothing for a panic inside [`catch`], because the caller of
/// [`catch`] reports it. Other panics are written to `log` if there is one, because standard error
/// may be an unread pipe.
pub fn install(log: Option<Arc<Log>>) {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let noted = PLACE.try_with(|place| record_place(place, info)).unwrap_or(false);
        match &log {
            _ if noted => {}
            Some(log) => log_panic(log, info),
            None => before(info),
        }
    }));
}

/// Logs a panic of a thread that may end the process.
fn log_panic(log: &Log, info: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let fields: [Field<'_>; 3] = [
        ("thread", &thread.name().unwrap_or_default()),
        ("place", &place),
        ("words", &message(info.payload())),
    ];
    log.event(Level::Error, "panic", &fields);
    log.flush(Instant::now() + Duration::from_secs(1));
}

fn record_place(place: &RefCell<Option<String>>, info: &PanicHookInfo<'_>) -> bool {
    let Ok(mut place) = place.try_borrow_mut() else { return false };
    let Some(place) = place.as_mut() else { return false };
    *place = info.location().map(ToString::to_string).unwrap_or_default();
    true
}

/// Runs `work`, and returns the description of its panic if it panics.
///
/// # Errors
/// Fails if `work` panicked. State that it shares is behind locks, which are released and remain
/// usable.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    PLACE.set(Some(String::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    let place = PLACE.take().unwrap_or_default();
    result.map_err(|payload| Panicked { place, words: message(payload.as_ref()) })
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_message() {
        assert_eq!(catch(|| 7).unwrap(), 7);
        let panicked = catch(|| panic!("at the {}", "disco")).unwrap_err();
        assert_eq!(panicked.words, "at the disco");
        assert_eq!(catch(|| panic!("plain")).unwrap_err().words, "plain");
    }
}
