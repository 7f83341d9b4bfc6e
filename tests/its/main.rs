//! The ITS from outside: scenario files under every preset of a GIC.

mod drawn;
mod features;
mod isolation;
mod losses;
mod mutants;
mod presets;
