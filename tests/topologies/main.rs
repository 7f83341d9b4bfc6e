//! Machines of every shape: recorded ones have the groups that a kernel gave them, random ones boot.

mod random;
mod recorded;
