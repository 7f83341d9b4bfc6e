//! Stage 1 alone, past the TLB: what an address translation operation asks for.

use super::refusal::at_stage1;
use super::{Kind, Refusal, Stages};
use crate::attributes::Attributes;
use crate::regime::{Stage1, Stage2, granted};
use crate::stages::Log;
use passim_model::access::Access;
use passim_model::pgtable::walk::Leaf;

/// What stage 1 says of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct First {
    /// The leaf.
    pub(crate) leaf: Leaf,
    /// Output address of stage 1.
    pub(crate) output: u64,
    /// Memory attributes of the leaf.
    pub(crate) attributes: Attributes,
}

impl<L: Log> Stages<'_, L> {
    /// Walks stage 1 for `input` and judges its permission. Stage 2, where there is one, tells
    /// where the tables lie and nothing else; nothing is cached, and no leaf is updated.
    pub(crate) fn first(
        &mut self,
        stage1: &Stage1,
        stage2: Option<&Stage2>,
        input: u64,
        access: Access,
    ) -> Result<First, Refusal> {
        let refuse = |kind| at_stage1(stage1, kind);
        let Ok((half, address)) = stage1.select(input) else {
            return Err(refuse(Kind::Translation));
        };
        let Some(walk) = &half.walk else {
            return Err(refuse(Kind::Translation));
        };
        let leaf = self.walk_stage1(stage1, stage2, walk, address)?;
        let (unprivileged, privileged) = stage1.permissions(&leaf);
        if !granted(access, unprivileged, privileged).contains(access.needs()) {
            let level = Some(leaf.level as i8);
            return Err(Refusal { level, ..refuse(Kind::Permission) });
        }
        let attributes = stage1.attributes(half, &leaf);
        Ok(First { leaf, output: leaf.translate(address), attributes })
    }
}
