//! The nodes of a store that several share.

use longhaul_model::Timestamp;

/// A node, as it introduces itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// What it is called: no two that live have the same.
    pub name: String,
    /// Where it listens, for people.
    pub address: String,
    /// The version of its program.
    pub version: String,
    /// When it was started.
    pub started_at: Timestamp,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It runs tasks and serves the API.
    Active,
    /// It was not heard of for too long, and the others took over from it.
    Silent,
}

/// A node with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownNode {
    /// Who it is.
    pub node: Node,
    /// What it does.
    pub state: NodeState,
    /// When it was last heard of.
    pub seen_at: Timestamp,
}
