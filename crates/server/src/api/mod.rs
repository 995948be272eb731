//! The calls: one file each, in folders by resource.

pub(crate) mod bound;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod tasks;
pub(crate) mod workflows;

use std::sync::Arc;

use longhaul_engine::Engine;

use crate::config::ServerConfig;

/// Who asks, until there is authentication.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// What every call has at hand.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) config: Arc<ServerConfig>,
    /// The OpenAPI document, made once.
    pub(crate) openapi: Arc<str>,
}
