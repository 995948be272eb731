//! Panics of handlers: caught, and told with their message and place.

use std::any::Any;
use std::cell::RefCell;
use std::panic;
use std::sync::Once;

use crate::action_error::ActionError;

thread_local! {
    /// Place of the latest panic of this thread, until somebody asks for it.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has panics note their places, from now on; the hook that was there before goes on to do its part. A
/// program that replaces the hook later only loses the places.
pub(crate) fn note_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string);
            // A thread that ends has no place to keep it, and nobody there asks.
            let _ = PLACE.try_with(|kept| kept.replace(place));
            before(panic);
        }));
    });
}

/// Returns the error for a panic of a handler that this thread has just caught: a mistake in the handler.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> ActionError {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = format!("the worker's function panicked: {}", said.unwrap_or("it did not say why"));
    let error = ActionError::new("HANDLER_PANICKED", message);
    match PLACE.take() {
        Some(place) => error.with("place", place),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_is_told_with_its_message_and_place() {
        note_places();
        let line = line!() + 1;
        let caught = panic::catch_unwind(|| panic!("no host {}", 7)).unwrap_err();
        let error = panicked(caught.as_ref());
        assert_eq!(error.message, "the worker's function panicked: no host 7");
        assert!(error.context["place"].starts_with(&format!("{}:{line}:", file!())), "{:?}", error.context);
        // Told once: the next panic must not be given the place of this one.
        assert!(!panicked(&()).context.contains_key("place"));
    }
}
