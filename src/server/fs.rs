//! The tree that is served: the jail around it, uploads into it, quotas on it and listings of it.

pub(super) mod glob;
pub(super) mod jail;
pub(super) mod listing;
pub(super) mod partial;
pub(super) mod quota;
pub(super) mod served_tree;
pub(super) mod sorted_names;
pub(super) mod stored_text;
pub(super) mod tree_size;
pub(super) mod upload;
