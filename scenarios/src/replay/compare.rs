//! Compares an answer of the model with the recorded one, and describes the difference.

use passim_model::{Errno, Refusal};
use passim_vfio::call::Answer;

use super::report::{Difference, RuleNote};

/// An answer as a recording holds it: a return value, or an errno.
pub(super) type Recorded = Result<i64, i32>;

/// The recorded answer of a call that returns -1 and sets errno.
pub(super) fn recorded(ret: i64, errno: i32) -> Recorded {
    if ret < 0 { Err(errno) } else { Ok(ret) }
}

/// The recorded answer of a call that returns a negative errno.
pub(super) fn negative_errno(ret: i32) -> Recorded {
    if ret < 0 { Err(ret.wrapping_neg()) } else { Ok(i64::from(ret)) }
}

/// The place of a difference.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Line number, 1-based.
    pub(super) line: u64,
    /// The call.
    pub(super) call: String,
}

impl Place {
    /// A difference here, without rule or hint.
    pub(super) fn differs(
        &self,
        kernel: impl Into<String>,
        model: impl Into<String>,
    ) -> Difference {
        Difference {
            line: self.line,
            call: self.call.clone(),
            kernel: kernel.into(),
            model: model.into(),
            rule: None,
            nearest: None,
            hint: None,
            follows: None,
            parts: false,
        }
    }

    /// Compares return value or errno.
    pub(super) fn ret(&self, recorded: Recorded, answer: &Answer) -> Option<Difference> {
        let model = answer.ret.map_err(|refusal| refusal.errno.number());
        if model == recorded {
            return None;
        }
        let mut difference = self.differs(outcome(recorded), outcome(model));
        difference.rule = answer.ret.as_ref().err().map(RuleNote::from);
        difference.hint = hint(recorded, model);
        // One succeeded where the other failed.
        difference.parts = true;
        Some(difference)
    }

    /// Compares bytes: `what` names them.
    pub(super) fn bytes(&self, what: &str, kernel: &[u8], model: &[u8]) -> Option<Difference> {
        if kernel == model {
            return None;
        }
        if kernel.len() != model.len() {
            let length = |bytes: &[u8]| format!("{what}: {} bytes", bytes.len());
            return Some(self.differs(length(kernel), length(model)));
        }
        let first = kernel.iter().zip(model).position(|(a, b)| a != b).unwrap_or(0);
        let shown = |bytes: &[u8]| {
            let from = first & !7;
            let to = bytes.len().min(from.saturating_add(16));
            format!(
                "{what}: byte {first:#x} differs, from {from:#x}: {}",
                hex::encode(&bytes[from..to])
            )
        };
        Some(self.differs(shown(kernel), shown(model)))
    }

    /// Compares a number: `what` names it.
    pub(super) fn number(&self, what: &str, kernel: u64, model: u64) -> Option<Difference> {
        let shown = |value| format!("{what} {value:#x}");
        (kernel != model).then(|| self.differs(shown(kernel), shown(model)))
    }

    /// The model refused where the recording contains no refusal.
    pub(super) fn refused(&self, kernel: &str, refusal: &Refusal) -> Difference {
        let mut difference = self.differs(kernel, refusal.errno.to_string());
        difference.rule = Some(RuleNote::from(refusal));
        difference
    }
}

/// `0x10` or `-1 EINVAL`.
fn outcome(answer: Recorded) -> String {
    match answer {
        // An address.
        Ok(ret) if ret >= 1 << 20 => format!("returned {ret:#x}"),
        Ok(ret) => format!("returned {ret}"),
        Err(number) => match Errno::from_number(number) {
            Some(errno) => format!("refused with {errno}"),
            None => format!("refused with errno {number}"),
        },
    }
}

fn hint(recorded: Recorded, model: Recorded) -> Option<String> {
    let text = match (recorded, model) {
        (Ok(_), Ok(_)) => {
            "descriptors are the lowest free number: a step before may be missing or too many"
        }
        (Ok(_), Err(_)) => "the rule named above does not hold for the kernel here",
        (Err(_), Ok(_)) => "the kernel has a check that the model lacks, or passed otherwise",
        (Err(_), Err(_)) => "another check comes first",
    };
    Some(text.to_owned())
}
