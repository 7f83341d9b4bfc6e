//! Stage 1 alone, without TLB entries: the walk of an address translation operation.

use super::refusal::at_stage1;
use super::{Kind, Refusal, Stages};
use crate::attributes::Attributes;
use crate::regime::{Stage1, Stage2, granted};
use crate::stages::Log;
use passim_model::access::Access;
use passim_model::pgtable::walk::Leaf;

/// The result of stage 1 for an address.
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
    /// Walks stage 1 for `input` and checks its permission. Stage 2, if there is one, translates
    /// only the addresses of the tables. The leaf is neither cached nor updated.
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
