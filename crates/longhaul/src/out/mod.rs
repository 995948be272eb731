//! How answers are shown.
pub(crate) mod style;
