//! The PRI queue: page requests of devices, and automatic responses. IHI 0070 G.b chapter 8.
//!
//! Not here: software's responses, which are commands (`cmdq`).

use crate::transaction::Transaction;
use crate::v3::SmmuV3;
use crate::v3::irq::Source;
use crate::v3::wire::pri::{PRI_WORDS, Pri0, Pri1};
use crate::v3::wire::regs::{Cr0, EventqProd, Gerror};
use passim_model::Memory;
use passim_model::access::{Access, Perms};
use passim_model::ats::{PageRequest, PageResponse, ResponseCode};

/// The outcome of a page request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PageOutcome {
    /// It was written to the queue; software will answer.
    Queued,
    /// It was not written; the device gets this response.
    Answered(PageResponse),
    /// It was not written, and gets no response.
    Discarded,
}

impl SmmuV3 {
    /// Handles a device's page request, and returns its outcome. Software's own response comes
    /// later, as [`Effect::RespondToPages`](passim_model::Effect). IHI 0070 G.b 8.1, 8.2.
    pub fn page_request(&mut self, memory: &mut Memory, request: &PageRequest) -> PageOutcome {
        // IHI 0070 G.b 8.2: SMMUEN = 0 implies PRIQEN = 0.
        let enabled = self.registers.enabled(Cr0::PRIQEN) && self.registers.enabled(Cr0::SMMUEN);
        // IHI 0070 G.b 12.3: in service failure mode the SMMU stops accessing its queues; answering
        // as for any other unusable queue is a choice.
        if !enabled || self.failed || self.registers.error_active(Gerror::PRIQ_ABT_ERR) {
            return refuse(request);
        }
        let queue = self.registers.pri_queue(&self.features);
        let (prod, cons) = (self.registers.priq_prod, self.registers.priq_cons);
        let overflow = EventqProd::OVFLG.mask() as u32;
        let overflown = (prod ^ cons) & overflow != 0;
        if queue.is_full(prod, cons) || overflown {
            if !overflown {
                self.registers.priq_prod ^= overflow;
            }
            // IHI 0070 G.b 6.3.36: with LO, also where the last of a group is lost to an overflow.
            if self.registers.pri_interrupt_on_last() && request.last {
                self.interrupt(Source::PriQueue);
            }
            return self.answer_overflow(memory, request);
        }
        let substreams = self.features.substream_bits != 0;
        let Ok(entry) = memory.words_mut(queue.entry(prod), PRI_WORDS) else {
            self.activate_error(Gerror::PRIQ_ABT_ERR);
            return refuse(request);
        };
        entry.copy_from_slice(&words(request, substreams));
        self.registers.priq_prod = prod & overflow | queue.next(prod);
        self.counters.page_requests += 1;
        // IHI 0070 G.b 6.3.36: LO selects the last request of a group, or a queue that becomes
        // non-empty.
        let wanted = match self.registers.pri_interrupt_on_last() {
            true => request.last,
            false => queue.is_empty(prod, cons),
        };
        if wanted {
            self.interrupt(Source::PriQueue);
        }
        PageOutcome::Queued
    }

    /// The response to a request while the queue is full, or an overflow is not acknowledged. IHI
    /// 0070 G.b 8.1.
    fn answer_overflow(&mut self, memory: &mut Memory, request: &PageRequest) -> PageOutcome {
        if !request.last || request.is_stop_marker() {
            return PageOutcome::Discarded;
        }
        let requester = request.requester;
        let (stream, group) = (requester.stream, request.group);
        let substreams = self.features.substream_bits != 0;
        let substream = requester.substream.filter(|_| substreams);
        let mut response = PageResponse { stream, substream, group, code: ResponseCode::Success };
        if substream.is_some() && !self.features.pasid_in_responses {
            let txn = Transaction { requester, iova: request.page, access: Access::READ };
            match self.pasid_in_responses(memory, &txn) {
                Some(true) => {}
                Some(false) => response.substream = None,
                None => {
                    response.substream = None;
                    response.code = ResponseCode::Failure;
                }
            }
        }
        PageOutcome::Answered(response)
    }
}

/// The response while the queue is unusable. IHI 0070 G.b 8.2: to every request, without a PASID.
fn refuse(request: &PageRequest) -> PageOutcome {
    if request.is_stop_marker() {
        return PageOutcome::Discarded;
    }
    let (stream, group) = (request.requester.stream, request.group);
    PageOutcome::Answered(PageResponse {
        stream,
        substream: None,
        group,
        code: ResponseCode::Failure,
    })
}

/// The record of a request. IHI 0070 G.b 8: an SMMU without substreams records no PASID.
fn words(request: &PageRequest, substreams: bool) -> [u64; PRI_WORDS] {
    let requester = &request.requester;
    let substream = requester.substream.filter(|_| substreams);
    let tagged = substream.is_some();
    [
        Pri0::STREAM_ID.of(u64::from(requester.stream.get()))
            | Pri0::SUBSTREAM_ID.of(substream.map_or(0, |id| u64::from(id.get())))
            // IHI 0070 G.b 8: without a PASID, X and Priv are 0.
            | Pri0::PRIV.flag(tagged && request.privileged)
            | Pri0::X.flag(tagged && request.perms.contains(Perms::EXEC))
            | Pri0::R.flag(request.perms.contains(Perms::READ))
            | Pri0::W.flag(request.perms.contains(Perms::WRITE))
            | Pri0::LAST.flag(request.last)
            | Pri0::SSV.flag(tagged),
        Pri1::PRG_INDEX.of(u64::from(request.group)) | Pri1::PAGE.in_place(request.page.get()),
    ]
}

#[cfg(test)]
mod tests;
