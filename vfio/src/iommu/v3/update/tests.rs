use super::super::entry::{cd_used, ste_used};
use super::{Words, hitless};

const ABORT: Words = [1, 0, 0, 0, 0, 0, 0, 0];
const BYPASS: Words = [0b1001, 1 << 44, 0, 0, 0, 0, 0, 0];
const STAGE1: Words = [0x4398_700b, 0xd6, 0, 0, 0, 0, 0, 0];
const STAGE2: Words = [0xd, 0, 0x044c_3594_0000_0001, 0x1_09c6_2000, 0, 0, 0, 0];
const INVALID: Words = [0; 8];
const CD7: Words = [0x7_e204_c000_3510, 0x480c_0000, 0, 0xffff_ffff_f404_ff44, 0, 0, 0, 0];
const CD8: Words = [0x8_e204_c000_3510, 0x480c_2000, 0, 0xffff_ffff_f404_ff44, 0, 0, 0, 0];

fn rounds(from: Words, to: Words, used: fn(&Words) -> Words) -> usize {
    hitless(&from, &to, used).len()
}

/// The number of SYNCs that the kernel's own tests of this expect.
#[test]
fn rounds_are_as_many_as_the_kernel_takes() {
    assert_eq!(rounds(BYPASS, ABORT, ste_used), 2);
    assert_eq!(rounds(ABORT, BYPASS, ste_used), 2);
    assert_eq!(rounds(STAGE1, ABORT, ste_used), 2);
    assert_eq!(rounds(ABORT, STAGE1, ste_used), 2);
    assert_eq!(rounds(STAGE1, BYPASS, ste_used), 3);
    assert_eq!(rounds(STAGE2, ABORT, ste_used), 2);
    assert_eq!(rounds(ABORT, STAGE2, ste_used), 2);
    assert_eq!(rounds(STAGE1, STAGE2, ste_used), 3);
    assert_eq!(rounds(STAGE2, STAGE1, ste_used), 3);
    assert_eq!(rounds(STAGE1, STAGE1, ste_used), 0);
    assert_eq!(rounds(INVALID, CD7, cd_used), 2);
    assert_eq!(rounds(CD7, INVALID, cd_used), 2);
    assert_eq!(rounds(CD7, CD8, cd_used), 3);
}

/// Whatever doublewords of two neighbouring rounds the SMMU reads together, they form the old
/// entry, the new one, or an invalid one.
#[test]
fn no_mixture_means_anything_else() {
    let entries = [ABORT, BYPASS, STAGE1, STAGE2, INVALID];
    for from in entries {
        for to in entries {
            check(from, to, ste_used);
        }
    }
    for from in [INVALID, CD7, CD8] {
        for to in [INVALID, CD7, CD8] {
            check(from, to, cd_used);
        }
    }
}

fn check(from: Words, to: Words, used: fn(&Words) -> Words) {
    let meaning = |entry: &Words| {
        let used = used(entry);
        let mut seen = *entry;
        for (word, used) in seen.iter_mut().zip(used) {
            *word &= used;
        }
        seen
    };
    let mut at = from;
    for round in hitless(&from, &to, used) {
        for mixture in 0..1u32 << round.len() {
            let mut read = at;
            for (n, (index, value)) in round.iter().enumerate() {
                if mixture >> n & 1 != 0 {
                    read[*index] = *value;
                }
            }
            let seen = meaning(&read);
            assert!([meaning(&from), meaning(&to), [0; 8]].contains(&seen), "{seen:x?}");
        }
        for (index, value) in round {
            at[index] = value;
        }
    }
    assert_eq!(at, to);
}
