//! Permissions of a VMSAv8-64 leaf, limited by the tables above it.
//!
//! For: reading, writing and executing at either privilege. Written from the tables of the Arm ARM
//! (DDI 0487, D8.4): AP and S2AP for data, XN and PXN for instructions, the limits of table
//! descriptors, and what a regime forbids on top (WXN, PAN).
//! Not for: permission indirection, the permissions of AArch32.

use crate::walk::Privilege;

/// Permissions of accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rights {
    /// Data may be read.
    pub read: bool,
    /// Data may be written.
    pub write: bool,
    /// Instructions may be fetched, whether or not data may be read.
    pub fetch: bool,
}

impl Rights {
    /// The permissions that both grant.
    pub fn and(self, other: Self) -> Self {
        Rights {
            read: self.read && other.read,
            write: self.write && other.write,
            fetch: self.fetch && other.fetch,
        }
    }
}

/// Settings that decide permissions, beside descriptors and the access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rules {
    /// Stage 1 of a regime with a single privilege (EL2, EL3).
    pub one_privilege: bool,
    /// WXN: writable memory is not executable.
    pub wxn: bool,
    /// PAN: memory accessible without privilege is not readable or writable with it.
    pub pan: bool,
    /// EPAN: for PAN, memory executable without privilege counts as well.
    pub epan: bool,
    /// Stage 2: XN\[1:0\] distinguishes privileges (FEAT_XNX). Without it only XN\[1\] applies.
    pub xnx: bool,
}

/// Permissions at stage 1: of a leaf, and of the bits of the tables above it combined by OR.
pub fn stage1(rules: Rules, privilege: Privilege, leaf: u64, tables: u64) -> Rights {
    let bit = |word: u64, at: u32| word >> at & 1 == 1;
    let read_only = bit(leaf, 7) || bit(tables, 62);
    let xn = bit(leaf, 54) || bit(tables, 60);
    if rules.one_privilege {
        // AP[1], APTable[0], PXN and PXNTable have no meaning here.
        let write = !read_only;
        return Rights { read: true, write, fetch: !(xn || rules.wxn && write) };
    }
    let open = bit(leaf, 6) && !bit(tables, 61);
    let pxn = bit(leaf, 53) || bit(tables, 59);
    let user = Rights { read: open, write: open && !read_only, fetch: !xn };
    match privilege {
        Privilege::Unprivileged => {
            Rights { fetch: user.fetch && !(rules.wxn && user.write), ..user }
        }
        Privilege::Privileged => {
            let theirs = user.read || user.write || (rules.epan && user.fetch);
            let kept_out = rules.pan && theirs;
            let write = !read_only && !kept_out;
            // Memory writable without privilege is privileged-execute-never; UWXN, which requests
            // that in AArch32, adds nothing.
            let fetch = !pxn && !user.write;
            Rights { read: !kept_out, write, fetch: fetch && !(rules.wxn && write) }
        }
    }
}

/// Permissions at stage 2.
pub fn stage2(rules: Rules, privilege: Privilege, leaf: u64) -> Rights {
    let bit = |at: u32| leaf >> at & 1 == 1;
    let fetch = match (bit(54), bit(53), privilege) {
        (high, _, _) if !rules.xnx => !high,
        (false, false, _) => true,
        (false, true, privilege) => privilege == Privilege::Unprivileged,
        (true, false, _) => false,
        (true, true, privilege) => privilege == Privilege::Privileged,
    };
    Rights { read: bit(6), write: bit(7), fetch }
}

#[cfg(test)]
mod tests;
