//! A rule nobody runs is not a rule: the code is measured against its own.

mod edges;
mod rooms;
mod tree;
mod words;
