//! Graph of the places that a schema describes: one node for each schema, edges to the schemas of the same
//! value, of its members and of its items. A recursive schema is a cycle, so places are found at any depth.

/// Nodes by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    /// Nodes that describe the whole input.
    pub(super) start: Vec<u32>,
}

/// Schema in the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// True if the value is a secret.
    pub(super) secret: bool,
    /// True if the names of the value's members are secrets, too.
    pub(super) secret_names: bool,
    /// Further schemas of the same value.
    pub(super) same: Vec<u32>,
    /// Schemas of members by name.
    pub(super) members: Vec<(String, u32)>,
    /// Schemas that may describe any member.
    pub(super) any_member: Vec<u32>,
    /// Schemas of items.
    pub(super) items: Vec<u32>,
    /// Schemas of the names of members.
    pub(super) names: Vec<u32>,
    /// Schemas of the document that the value, a text, contains.
    pub(super) content: Vec<u32>,
}

impl Node {
    fn edges(&self) -> impl Iterator<Item = u32> {
        let members = self.members.iter().map(|(_, to)| to);
        let rest = [&self.same, &self.any_member, &self.items, &self.names, &self.content];
        rest.into_iter().flatten().chain(members).copied()
    }
}

impl Graph {
    /// Keeps only the nodes that lead to a secret, and gives the new number of each of them. A name that is a
    /// secret makes the whole object one, and a secret inside of a text the whole text.
    pub(super) fn pruned(self) -> (Graph, Vec<Option<u32>>) {
        let leads = self.leading_to_secrets();
        let any = |all: &[u32]| all.iter().any(|to| leads[*to as usize]);
        let mut number = vec![None; self.nodes.len()];
        let mut next = 0;
        for (place, leads) in number.iter_mut().zip(&leads) {
            if *leads {
                *place = Some(next);
                next += 1;
            }
        }
        let keep = |all: &[u32]| all.iter().filter_map(|to| number[*to as usize]).collect::<Vec<u32>>();
        let kept = self.nodes.iter().zip(&leads).filter(|(_, leads)| **leads).map(|(node, _)| Node {
            secret: node.secret || any(&node.names) || any(&node.content),
            secret_names: any(&node.names),
            same: keep(&node.same),
            members: node
                .members
                .iter()
                .filter_map(|(name, to)| Some((name.clone(), number[*to as usize]?)))
                .collect(),
            any_member: keep(&node.any_member),
            items: keep(&node.items),
            names: Vec::new(),
            content: Vec::new(),
        });
        let graph = Graph { nodes: kept.collect(), start: keep(&self.start) };
        (graph, number)
    }

    /// Returns for each node whether it may describe a value inside of a secret.
    pub(super) fn below_secrets(&self) -> Vec<bool> {
        let mut below = vec![false; self.nodes.len()];
        let mut open: Vec<u32> =
            (0..).zip(&self.nodes).filter(|(_, node)| node.secret).map(|(id, _)| id).collect();
        while let Some(from) = open.pop() {
            if !std::mem::replace(&mut below[from as usize], true) {
                open.extend(self.nodes[from as usize].edges());
            }
        }
        below
    }

    /// Returns for each node whether it leads to a secret.
    fn leading_to_secrets(&self) -> Vec<bool> {
        let mut into: Vec<Vec<u32>> = vec![Vec::new(); self.nodes.len()];
        for (node, from) in self.nodes.iter().zip(0..) {
            node.edges().for_each(|to| into[to as usize].push(from));
        }
        let mut leads: Vec<bool> = self.nodes.iter().map(|node| node.secret).collect();
        let mut open: Vec<u32> =
            (0..).zip(&self.nodes).filter(|(_, node)| node.secret).map(|(id, _)| id).collect();
        while let Some(to) = open.pop() {
            for from in &into[to as usize] {
                if !std::mem::replace(&mut leads[*from as usize], true) {
                    open.push(*from);
                }
            }
        }
        leads
    }

    /// The nodes and all that describe the same values, each once.
    pub(super) fn expanded(&self, nodes: &[u32]) -> Vec<u32> {
        let mut all: Vec<u32> = Vec::with_capacity(nodes.len());
        let mut known = std::collections::HashSet::with_capacity(nodes.len());
        let mut open = nodes.to_vec();
        while let Some(node) = open.pop() {
            if known.insert(node) {
                all.push(node);
                open.extend(&self.nodes[node as usize].same);
            }
        }
        all
    }

    /// Returns the schemas of a member of the values that these nodes describe.
    pub(super) fn member(&self, nodes: &[u32], name: &str) -> Vec<u32> {
        let mut all = Vec::new();
        for node in nodes.iter().map(|node| &self.nodes[*node as usize]) {
            all.extend(&node.any_member);
            all.extend(node.members.iter().filter(|(known, _)| known == name).map(|(_, to)| *to));
        }
        all
    }

    /// Returns the schemas of an item of the values that these nodes describe.
    pub(super) fn item(&self, nodes: &[u32]) -> Vec<u32> {
        nodes.iter().flat_map(|node| &self.nodes[*node as usize].items).copied().collect()
    }

    /// Joins two graphs: a place is a secret if either says so.
    pub(super) fn joined(mut self, other: Graph) -> Graph {
        let by = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let moved = |all: Vec<u32>| all.into_iter().map(|to| to + by).collect::<Vec<u32>>();
        self.nodes.extend(other.nodes.into_iter().map(|node| Node {
            same: moved(node.same),
            members: node.members.into_iter().map(|(name, to)| (name, to + by)).collect(),
            any_member: moved(node.any_member),
            items: moved(node.items),
            ..node
        }));
        self.start.extend(moved(other.start));
        self
    }
}
