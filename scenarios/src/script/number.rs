//! Numbers as people write them.

use winnow::ascii::{digit1, hex_digit1};
use winnow::combinator::{alt, eof, opt, preceded, terminated};
use winnow::token::one_of;
use winnow::{ModalResult, Parser};

/// Reads `4096`, `0x1000` or `4K`: hexadecimal digits after `0x`, or decimal ones with an optional
/// unit K, M, G or T (powers of 1024). `None` for anything else and past 2^64 - 1.
pub fn number(text: &str) -> Option<u64> {
    terminated(alt((hexadecimal, decimal)), eof).parse(text).ok()
}

fn hexadecimal(input: &mut &str) -> ModalResult<u64> {
    preceded("0x", hex_digit1)
        .verify_map(|digits| u64::from_str_radix(digits, 16).ok())
        .parse_next(input)
}

fn decimal(input: &mut &str) -> ModalResult<u64> {
    (digit1, opt(one_of(['K', 'M', 'G', 'T'])))
        .verify_map(|(digits, unit): (&str, Option<char>)| {
            let scale = match unit {
                None => 1,
                Some('K') => 1 << 10,
                Some('M') => 1 << 20,
                Some('G') => 1 << 30,
                Some(_) => 1 << 40,
            };
            digits.parse::<u64>().ok()?.checked_mul(scale)
        })
        .parse_next(input)
}
