//! Mistakes of ours that hostile input brings to light: a panic costs what was being read, and is told with its place.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};

thread_local! {
    /// Where this thread panicked last.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `work` without the default message on standard error for every panic, and remembers where each was.
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|info| {
        let at = info.location().map_or_else(String::new, |place| format!("{}:{}", place.file(), place.line()));
        PANICKED_AT.with(|place| place.replace(at));
    }));
    let result = work();
    panic::set_hook(hook);
    result
}

/// What `work` gives; if it panics, with what message and where.
///
/// # Errors
///
/// The panic's message, and its place where that is known: outside of [`quietly`], and for a panic of another thread, it is not.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    PANICKED_AT.with(RefCell::take);
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let at = PANICKED_AT.with(RefCell::take);
        if at.is_empty() { message(&*panic).to_owned() } else { format!("{} ({at})", message(&*panic)) }
    })
}

/// What is said of something that a panic made unreadable.
pub fn failed_on(what: &str, panic: &str) -> String {
    format!("gilaudit failed on {what}, which is a bug worth reporting: {panic}")
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_place() {
        let told = quietly(|| caught(|| -> u8 { panic!("no {}", "way") })).unwrap_err();
        assert!(told.starts_with("no way (") && told.contains("panics.rs:"), "{told}");
        assert_eq!(caught(|| 1), Ok(1));
    }
}
