//! The served tree: the jail around it, uploads into it, its quotas and its listings.

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
