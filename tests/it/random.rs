//! Randomized tests, each determined by a seed: a model-based test, and fuzzing.

mod fuzz;
mod model;
