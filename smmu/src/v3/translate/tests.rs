//! Transactions through a set-up SMMU. Names ending in `_t<n>` pin what a widely used emulator
//! was measured to answer differently from IHI 0070.

mod attributes;
mod caches;
mod config;
mod flags;
mod granules;
mod nested;
mod stage1;
mod stage2;
mod stale;
mod wide;
