//! Messages from a request to an eventfd.

mod affinity;
mod board;
mod config;
mod exhausted;
mod numbers;
mod random;
mod series;
mod set_irqs;
