//! A mistake of ours ends one session and not the others, and is heard of.
//!
//! None is expected. Where one happens all the same, the session's thread unwinds: its guards give
//! back what it held, the log says where it was, and the client gets a 421 if it can still be told.

use crate::server::log::{Field, Level, Log};
use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

thread_local! {
    /// Where this thread panicked last; `None` outside [`catch`].
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What is known of a panic.
#[derive(Debug)]
pub struct Panicked {
    /// File and line.
    pub place: String,
    /// What it said.
    pub words: String,
}

/// From now on panics inside [`catch`] are not printed: whoever catches them tells of them. Others
/// go to `log` if there is one, because standard error may be a pipe that nobody reads.
pub fn keep_quiet(log: Option<Arc<Log>>) {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let noted = PLACE.try_with(|place| note(place, info)).unwrap_or(false);
        match &log {
            _ if noted => {}
            Some(log) => tell(log, info),
            None => before(info),
        }
    }));
}

/// Logs a panic of a thread that may end the process.
fn tell(log: &Log, info: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let fields: [Field<'_>; 3] = [
        ("thread", &thread.name().unwrap_or_default()),
        ("place", &place),
        ("words", &words(info.payload())),
    ];
    log.event(Level::Error, "panic", &fields);
    log.flush(Instant::now() + Duration::from_secs(1));
}

fn note(place: &RefCell<Option<String>>, info: &PanicHookInfo<'_>) -> bool {
    let Ok(mut place) = place.try_borrow_mut() else { return false };
    let Some(place) = place.as_mut() else { return false };
    *place = info.location().map(ToString::to_string).unwrap_or_default();
    true
}

/// Runs `work`, and gives what is known of its panic if it had one.
///
/// # Errors
/// It panicked. What it had changed for others is behind locks, which let go and are used again.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    PLACE.set(Some(String::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    let place = PLACE.take().unwrap_or_default();
    result.map_err(|payload| Panicked { place, words: words(payload.as_ref()) })
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_words() {
        assert_eq!(catch(|| 7).unwrap(), 7);
        let panicked = catch(|| panic!("at the {}", "disco")).unwrap_err();
        assert_eq!(panicked.words, "at the disco");
        assert_eq!(catch(|| panic!("plain")).unwrap_err().words, "plain");
    }
}
