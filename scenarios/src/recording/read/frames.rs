//! The contents of a file of zstd frames.

use std::fmt;
use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Decompresses all frames, skips skippable ones, and verifies checksums.
pub(super) struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a frame, or the end of the file.
    Between,
    /// In a frame.
    Inside,
}

/// Why a file is not a zstd stream. It is wrapped in an [`io::Error`], and so distinguishable from
/// an error of the disk.
#[derive(Debug)]
pub(super) struct Corrupt(String);

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a sound zstd stream: {}", self.0)
    }
}

impl std::error::Error for Corrupt {}

fn corrupt(reason: impl fmt::Display) -> io::Error {
    io::Error::other(Corrupt(reason.to_string()))
}

impl<R: BufRead> Frames<R> {
    /// The frames of `source`.
    pub(super) fn new(source: R) -> Self {
        Self { source, decoder: FrameDecoder::new(), state: State::Between }
    }

    /// Reads a frame header. RFC 8878, 3.1.2: a skippable frame holds no content.
    fn begin_frame(&mut self) -> io::Result<()> {
        match self.decoder.reset(&mut self.source) {
            Ok(()) => {
                self.state = State::Inside;
                Ok(())
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let length = u64::from(length);
                let skipped = io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
                if skipped < length { Err(corrupt("a skippable frame ends early")) } else { Ok(()) }
            }
            Err(error) => Err(corrupt(error)),
        }
    }

    /// Decodes until output is available or the frame ends.
    fn decode(&mut self) -> io::Result<()> {
        while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
            self.decoder
                .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(corrupt)?;
        }
        Ok(())
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.state = State::Between;
        let stored = self.decoder.get_checksum_from_data();
        if stored.is_some() && stored != self.decoder.get_calculated_checksum() {
            return Err(corrupt("the contents do not match their checksum"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.state {
                State::Between if self.source.fill_buf()?.is_empty() => return Ok(0),
                State::Between => self.begin_frame()?,
                State::Inside => {
                    self.decode()?;
                    let read = self.decoder.read(buffer)?;
                    if read > 0 || buffer.is_empty() {
                        return Ok(read);
                    }
                    self.end_frame()?;
                }
            }
        }
    }
}
