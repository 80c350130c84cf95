//! Reads a Zstandard file, frame after frame, as the programs do that pack in parts.
//!
//! **Invariant:** what an archive may refer to, and frames that bring nothing, are limited.
//! **Invariant:** a failure is told in words of this house, and one of the disk stays one of the disk.

use std::error::Error as _;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read, copy, sink};

use ruzstd::decoding::errors::{FrameDecoderError, FrameHeaderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::artifact::bad_archive::FarWindow;

/// As much of its past as an archive may refer to: zstd's own levels below "ultra" stay under 8 MiB.
const WINDOW_MAX: u64 = 32 << 20;

/// Frames in a row that bring nothing, such as those with a table of the others: one or two are usual.
const IDLE_MAX: usize = 1_000;

/// A Zstandard file.
pub(super) struct Frames {
    from: BufReader<File>,
    decoder: FrameDecoder,
    in_frame: bool,
    idle: usize,
}

impl Frames {
    pub(super) fn of(file: File) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW_MAX);
        Self { from: BufReader::new(file), decoder, in_frame: false, idle: 0 }
    }

    /// What is left of this frame.
    fn decode(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
            let one = BlockDecodingStrategy::UptoBlocks(1);
            self.decoder.decode_blocks(&mut self.from, one).map_err(|it| plain(&it))?;
        }
        self.decoder.read(buffer)
    }

    /// Goes to the next frame; false at the end.
    fn next(&mut self) -> io::Result<bool> {
        if self.from.fill_buf()?.is_empty() {
            return Ok(false);
        }
        self.idle += 1;
        if self.idle > IDLE_MAX {
            return Err(io::Error::other("too many of its frames bring nothing"));
        }
        match self.decoder.init(&mut self.from) {
            Ok(()) => self.in_frame = true,
            // Meant for somebody else: a table of frames, or how they were made.
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let length = u64::from(length);
                if copy(&mut self.from.by_ref().take(length), &mut sink())? < length {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
            Err(error) => return Err(plain(&error)),
        }
        Ok(true)
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.in_frame {
                let read = self.decode(buffer)?;
                if read > 0 || buffer.is_empty() {
                    self.idle = 0;
                    return Ok(read);
                }
                self.in_frame = false;
            }
            if !self.next()? {
                return Ok(0);
            }
        }
    }
}

/// The same without the words of the library, which are meant for those who write it.
fn plain(error: &FrameDecoderError) -> io::Error {
    let window = match error {
        FrameDecoderError::WindowSizeTooBig { requested, .. } => Some(*requested),
        FrameDecoderError::FrameHeaderError(FrameHeaderError::WindowTooBig { got })
        | FrameDecoderError::FailedToInitialize(FrameHeaderError::WindowTooBig { got }) => {
            Some(*got)
        }
        _ => None,
    };
    if let Some(needed) = window {
        return io::Error::other(FarWindow { needed, limit: WINDOW_MAX });
    }
    let mut cause = error.source();
    while let Some(deeper) = cause {
        // A disk that fails, or an end that comes too early, is no fault of the frame.
        if let Some(source) = deeper.downcast_ref::<io::Error>() {
            let number = source.raw_os_error();
            return number.map_or_else(|| source.kind().into(), io::Error::from_raw_os_error);
        }
        cause = deeper.source();
    }
    io::Error::other(match error {
        FrameDecoderError::DictNotProvided { .. } => "it was packed with a dictionary",
        FrameDecoderError::ReadFrameHeaderError(_) => "what should be a Zstandard frame is none",
        _ => "a Zstandard frame in it is damaged",
    })
}
