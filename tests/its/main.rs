//! The ITS from outside: scenario files under every preset of a GIC.

mod drawn;
mod isolation;
mod losses;
mod mutants;
mod presets;
