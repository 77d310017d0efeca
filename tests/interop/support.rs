//! What the tests share: a server with a client's directory, the servers of others, what files hold,
//! and a proxy that cuts transfers.

pub(crate) mod content;
pub(crate) mod cutting_proxy;
pub(crate) mod fixture;
pub(crate) mod servers;
