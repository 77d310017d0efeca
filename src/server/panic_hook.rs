//! A mistake of ours ends one session and not the others, and is heard of.
//!
//! None is expected. Where one happens all the same, the session's thread unwinds: its guards give
//! back what it held, the log says where it was, and the client gets a 421 if it can still be told.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

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

/// From now on panics inside [`catch`] are not printed: whoever catches them tells of them.
pub fn keep_quiet() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let noted = PLACE.with(|place| note(place, info));
        if !noted {
            before(info);
        }
    }));
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
