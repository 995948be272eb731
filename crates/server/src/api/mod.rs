//! The calls: one file each, in folders by resource.

pub(crate) mod audit;
pub(crate) mod bound;
pub(crate) mod clock;
pub(crate) mod credentials;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod locks;
pub(crate) mod metrics;
pub(crate) mod nodes;
pub(crate) mod queues;
pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod tasks;
pub(crate) mod tokens;
pub(crate) mod ui;
pub(crate) mod users;
pub(crate) mod workers;
pub(crate) mod workflows;

use std::sync::Arc;

use longhaul_auth::Auth;
use longhaul_engine::{Engine, Node};

use crate::config::{Dialects, ServerConfig};
use crate::meters::Meters;
use crate::share::Shares;

/// State that every handler needs.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) auth: Arc<Auth>,
    pub(crate) config: Arc<ServerConfig>,
    /// Settings of the Tasks API for each client.
    pub(crate) dialects: Arc<Dialects>,
    pub(crate) shares: Arc<Shares>,
    /// Facts about this node.
    pub(crate) node: Arc<Node>,
    /// The OpenAPI document, made once.
    pub(crate) openapi: Arc<str>,
    /// Counters of requests.
    pub(crate) meters: Arc<Meters>,
}
