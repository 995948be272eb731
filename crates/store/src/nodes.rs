//! The nodes of a store that several share.

use longhaul_model::Timestamp;

/// Identity of a node, as it registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Name of the node: no two living nodes have the same.
    pub name: String,
    /// Address of the node, for people.
    pub address: String,
    /// Version of the node's program.
    pub version: String,
    /// Time at which the node was started.
    pub started_at: Timestamp,
}

/// Activity of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// The node runs tasks and serves the API.
    Active,
    /// The node was not heard of for too long, and the others took over from it.
    Silent,
}

/// Node with its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownNode {
    /// Identity of the node.
    pub node: Node,
    /// Activity of the node.
    pub state: NodeState,
    /// Time at which the node was last heard of.
    pub seen_at: Timestamp,
}
