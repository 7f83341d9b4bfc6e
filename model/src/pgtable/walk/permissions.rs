//! The permissions of a leaf, under the limits of its tables.
//!
//! The rules are functions of a descriptor. Only eight bits take part, so a table of every
//! combination is computed at compile time.

use crate::Perms;
use crate::pgtable::vmsav7s::walk::executable;
use crate::pgtable::vmsav8::{Stage1Leaf, Stage2Leaf, TableLimits};

/// What each kind of access may do.
#[derive(Clone, Copy)]
pub(super) struct Permissions {
    pub(super) unprivileged: Perms,
    pub(super) privileged: Perms,
    /// Where there is one privilege only.
    pub(super) undivided: Perms,
}

crate::layout! {
    /// The fields of leaves that permissions follow from.
    struct LeafFields {
        /// Stage 1: AP\[2:1\]. Stage 2: S2AP.
        AP = bits(7, 6);
        /// Stage 1: XN and PXN. Stage 2: XN\[1:0\].
        XN = bits(54, 53);
    }
}

crate::layout! {
    /// The fields of tables that permissions follow from.
    struct TableFields {
        /// APTable, XNTable, PXNTable.
        LIMITS = bits(62, 59);
    }
}

crate::layout! {
    /// These fields side by side: an index into [`STAGE1`] or [`STAGE2`].
    struct Key {
        /// [`LeafFields::AP`].
        AP = bits(1, 0);
        /// [`LeafFields::XN`].
        XN = bits(3, 2);
        /// [`TableFields::LIMITS`].
        LIMITS = bits(7, 4);
    }
}

/// Stage 1, by [`Key`].
static STAGE1: [Permissions; 256] = {
    let mut all = [NOTHING; 256];
    let mut key = 0;
    while key < all.len() {
        let limits = TableFields::LIMITS.of(Key::LIMITS.get(key as u64));
        all[key] = stage1_rule(leaf_of(key), limits);
        key += 1;
    }
    all
};

/// Stage 2, by [`Key`] without limits: its tables have none.
static STAGE2: [Permissions; 16] = {
    let mut all = [NOTHING; 16];
    let mut key = 0;
    while key < all.len() {
        all[key] = stage2_rule(leaf_of(key));
        key += 1;
    }
    all
};

const NOTHING: Permissions = Permissions { unprivileged: NONE, privileged: NONE, undivided: NONE };
const NONE: Perms = Perms::empty();

/// A descriptor with the fields of this key and nothing else.
const fn leaf_of(key: usize) -> u64 {
    let key = key as u64;
    LeafFields::AP.of(Key::AP.get(key)) | LeafFields::XN.of(Key::XN.get(key))
}

/// The key of a leaf, without limits.
#[inline]
const fn key_of(descriptor: u64) -> u64 {
    Key::AP.of(LeafFields::AP.get(descriptor)) | Key::XN.of(LeafFields::XN.get(descriptor))
}

/// The permissions of a stage 1 leaf below tables whose descriptors combine to `limits` by `|`.
#[inline]
pub(super) fn stage1(descriptor: u64, limits: u64) -> Permissions {
    let key = key_of(descriptor) | Key::LIMITS.of(TableFields::LIMITS.get(limits));
    STAGE1[key as usize]
}

/// The permissions of a stage 1 leaf of a VMSAv8-32 long-descriptor table.
// DDI 0487 G5.7 (VMSAv8-32): data accesses as in VMSAv8-64. XN forbids execution at both
// privileges, PXN privileged execution besides; what cannot be read is not executed, and what
// unprivileged accesses may write is privileged-executable unless UWXN forbids it.
pub(super) fn stage1_aarch32(descriptor: u64, limits: u64) -> Permissions {
    let data = stage1(descriptor, limits);
    let xn = Stage1Leaf::XN.is_set(descriptor) || TableLimits::XN_TABLE.is_set(limits);
    let pxn = Stage1Leaf::PXN.is_set(descriptor) || TableLimits::PXN_TABLE.is_set(limits);
    let of = |perms: Perms, forbidden| executable(perms.difference(Perms::EXEC), forbidden);
    Permissions {
        unprivileged: of(data.unprivileged, xn),
        privileged: of(data.privileged, xn || pxn),
        undivided: of(data.undivided, xn),
    }
}

/// The permissions of a stage 2 leaf.
#[inline]
pub(super) fn stage2(descriptor: u64) -> Permissions {
    STAGE2[key_of(descriptor) as usize]
}

/// `perms` if `allowed`, else none.
const fn only_if(allowed: bool, perms: Perms) -> Perms {
    if allowed { perms } else { NONE }
}

// DDI 0487 D8.4: AP[2:1] gives data permissions, APTable takes from them; XN and PXN forbid
// execution at either privilege, XNTable and PXNTable likewise.
const fn stage1_rule(descriptor: u64, limits: u64) -> Permissions {
    let read_only = Stage1Leaf::AP_READ_ONLY.is_set(descriptor)
        || TableLimits::AP_TABLE_READ_ONLY.is_set(limits);
    let unprivileged_access = Stage1Leaf::AP_UNPRIVILEGED.is_set(descriptor)
        && !TableLimits::AP_TABLE_NO_UNPRIVILEGED.is_set(limits);
    let xn = Stage1Leaf::XN.is_set(descriptor) || TableLimits::XN_TABLE.is_set(limits);
    // DDI 0487 D8.4: what unprivileged accesses may write is never privileged-executable.
    let pxn = Stage1Leaf::PXN.is_set(descriptor)
        || TableLimits::PXN_TABLE.is_set(limits)
        || unprivileged_access && !read_only;
    let data = Perms::READ.union(only_if(!read_only, Perms::WRITE));
    Permissions {
        unprivileged: only_if(unprivileged_access, data).union(only_if(!xn, Perms::EXEC)),
        privileged: data.union(only_if(!pxn, Perms::EXEC)),
        undivided: data.union(only_if(!xn, Perms::EXEC)),
    }
}

// DDI 0487 D8.4: S2AP is the same for both privileges. XN[1:0] (FEAT_XNX): 0b00 both may execute,
// 0b01 only unprivileged, 0b10 neither, 0b11 only privileged.
const fn stage2_rule(descriptor: u64) -> Permissions {
    let data = only_if(Stage2Leaf::S2AP_READ.is_set(descriptor), Perms::READ)
        .union(only_if(Stage2Leaf::S2AP_WRITE.is_set(descriptor), Perms::WRITE));
    let xn = Stage2Leaf::XN.get(descriptor);
    let unprivileged = data.union(only_if(matches!(xn, 0b00 | 0b01), Perms::EXEC));
    let privileged = data.union(only_if(matches!(xn, 0b00 | 0b11), Perms::EXEC));
    Permissions { unprivileged, privileged, undivided: unprivileged }
}
