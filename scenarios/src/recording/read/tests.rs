use std::io::Read;

use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::frames::Frames;
use super::{Line, Lines, Recording};

fn decompress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    Frames::new(bytes).read_to_end(&mut out).map(|_| out)
}

fn compress(text: &str) -> Vec<u8> {
    compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)
}

#[test]
fn lines_keep_their_numbers() {
    let text = "{\"multi\":1}\n\n{\"step\":\"close\"}\n{\"groups\":1}";
    let records: Vec<_> = Recording::from_reader("r.jsonl", text.as_bytes()).collect();
    assert_eq!(records.len(), 3);
    let first = records[0].as_ref().unwrap();
    assert_eq!((first.line, &first.content), (1, &Line::Summary("multi")));
    assert_eq!(records[1].as_ref().unwrap_err().line(), Some(3));
    assert_eq!(records[2].as_ref().unwrap().line, 4);
}

#[test]
fn bytes_that_are_not_utf8_spoil_their_line_only() {
    let lines: Vec<_> = Lines::from_reader("r", &b"ok\na\xffb\nok\n"[..]).collect();
    assert_eq!(lines.len(), 3);
    let error = lines[1].as_ref().unwrap_err();
    assert_eq!(error.to_string(), "r:2:2: not UTF-8: byte 0xff");
    assert_eq!(lines[2].as_ref().unwrap().number, 3);
}

#[test]
fn a_line_without_end_is_refused() {
    let lines: Vec<_> = Lines::from_reader("r", std::io::repeat(b'x')).collect();
    assert_eq!(lines.len(), 1);
    let error = lines[0].as_ref().unwrap_err();
    assert_eq!(error.to_string(), "r: line 1 is longer than 16 MiB");
}

#[test]
fn a_stream_without_end_is_refused() {
    let endless = b"\n".repeat(1 << 20);
    let endless = std::iter::repeat_with(move || endless.clone());
    let mut lines = Lines::from_reader("r", Cycle { blocks: endless, block: Vec::new(), at: 0 });
    // Count down to just before the limit instead of reading a gibibyte.
    lines.allowance = 4 << 20;
    let error = lines.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "r: more than 1024 MiB of text");
    assert!(lines.next().is_none());
}

struct Cycle<I> {
    blocks: I,
    block: Vec<u8>,
    at: usize,
}

impl<I: Iterator<Item = Vec<u8>>> Read for Cycle<I> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.block.len() {
            self.block = self.blocks.next().unwrap_or_default();
            self.at = 0;
        }
        let read = (&self.block[self.at..]).read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

#[test]
fn frames_follow_one_another() {
    let mut file = compress("one\n");
    // RFC 8878, 3.1.2: magic number 0x184D2A50, length, content.
    file.extend([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9]);
    file.extend(compress("two\n"));
    assert_eq!(decompress(&file).unwrap(), b"one\ntwo\n");
    assert_eq!(decompress(&[]).unwrap(), b"");
}

#[test]
fn what_is_no_zstd_stream_is_refused() {
    let whole = compress(&"a line of text\n".repeat(100));
    assert!(decompress(b"plain text, not compressed").is_err());
    for end in 1..whole.len() {
        assert!(decompress(&whole[..end]).is_err(), "{end}");
    }
    assert!(decompress(&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9]).is_err());
}

proptest! {
    #[test]
    fn a_damaged_stream_is_read_or_refused(at in 0usize..200, bit in 0u32..8) {
        let mut file = compress(&"{\"step\":\"touch\"}\n".repeat(30));
        let at = at % file.len();
        file[at] ^= 1 << bit;
        let _ = decompress(&file);
    }
}
