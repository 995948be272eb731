//! Each verb by examples: `verb_condition_result`.

mod attempt;
mod begin;
mod cancel;
mod claims;
mod due;
mod fan;
mod keys;
mod lease;
mod line;
mod operator;
mod park;
mod recover;
mod unread;
mod values;
