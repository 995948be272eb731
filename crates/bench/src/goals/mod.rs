//! The goals, a file for each group of them.

pub(crate) mod auth;
pub(crate) mod growth;
pub(crate) mod horizon;
pub(crate) mod idle;
pub(crate) mod lists;
pub(crate) mod nodes;
pub(crate) mod postgres;
pub(crate) mod rates;
pub(crate) mod sizes;
pub(crate) mod upkeep;
pub(crate) mod waiting;
pub(crate) mod workers;
