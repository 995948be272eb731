//! Runs many seeds, and looks for planted faults.

#[path = "it/plants.rs"]
mod plants;
#[path = "it/seeds.rs"]
mod seeds;
