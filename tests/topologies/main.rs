//! Machines of every shape: recorded ones have the groups that a kernel gave them, random ones boot.

mod bus;
mod random;
mod recorded;
