//! What a kernel logs of an event, field by field.

use crate::iommu::Finding;
use passim_model::{Endpoint, Rid};

fn said(words: [u64; 4], fields: bool) -> String {
    let device = Rid::parse("00:01.0").map(Endpoint::from);
    Finding::Event { words, fields, device }.to_string()
}

/// F_PERMISSION of a privileged write at stage 1, of StreamID 8.
const PERMISSION: [u64; 4] = [8 << 32 | 0x13, 1 << 33 | 2 << 40, 0x1_0008, 0];

#[test]
fn an_event_is_its_doublewords() {
    assert_eq!(said(PERMISSION, false), "event 0x13: 0x800000013 0x20200000000 0x10008 0x0");
}

#[test]
fn later_kernels_name_the_fields() {
    let told = said(PERMISSION, true);
    let (raw, fields) = told.split_once("; ").unwrap();
    assert_eq!(raw, said(PERMISSION, false));
    assert_eq!(
        fields,
        "F_PERMISSION, device 00:01.0, stream 0x8, substream 0x0, address 0x10008, IPA 0x0, \
         privileged data write, stage 1, input address, STAG 0x0"
    );
    // Stage 2 denies access to a table's descriptor, and the transaction is stalled.
    let second = 1 << 44 | 1 << 40 | 1 << 39 | 1 << 35 | 1 << 31 | 5;
    let told = said([8 << 32 | 3 << 12 | 1 << 11 | 0x10, second, 0x2000, 0x5000], true);
    assert!(
        told.ends_with(
            "F_TRANSLATION, device 00:01.0, stream 0x8, substream 0x3, address 0x2000, IPA 0x5000, \
             unprivileged data read, stage 2, table read, stalled, STAG 0x5"
        ),
        "{told}"
    );
    let told = said([8 << 32 | 0x03, 0, 0, 0x4000_0200], true);
    assert!(told.ends_with(
        "F_STE_FETCH, device 00:01.0, stream 0x8, substream 0x0, fetched at 0x40000200"
    ));
    let told = said([9 << 32 | 0x04, 0, 0, 0], true);
    assert!(told.ends_with("C_BAD_STE, device 00:01.0, stream 0x9, substream 0x0"), "{told}");
}
