//! Arm interrupt controller hardware.
