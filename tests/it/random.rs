//! Long walks of random commands and damaged input, each determined by a seed.

mod fuzz;
mod model;
