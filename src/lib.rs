//! mt
pub mod args;
pub mod net;
pub mod protocol;
pub mod pump;
pub mod server;
pub mod shutdown;
pub mod sys;
