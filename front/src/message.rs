//! What is read of bytes that clients choose: the one message of a body, and times. It needs nothing
//! of HTTP/2, so that `fuzz/` can ask it anything.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

/// Bytes before each message: whether it is compressed, and its length.
pub const PREFIX_BYTES: usize = 5;

/// Why a body is no message.
#[derive(Debug, PartialEq)]
pub enum Wrong {
    /// It would be so large.
    TooLarge(usize),
    NotOneMessage,
    Compressed,
}

/// The parts of a body that should be one message.
pub struct Body {
    bytes_max: usize,
    /// What has come when it came in one piece, which is nearly always so.
    first: Bytes,
    /// What has come when it came in several.
    gathered: BytesMut,
}

impl Body {
    pub fn new(bytes_max: usize) -> Body {
        Body {
            bytes_max,
            first: Bytes::new(),
            gathered: BytesMut::new(),
        }
    }

    /// Takes what has come; fails as soon as its beginning shows that it is no message.
    pub fn add(&mut self, part: Bytes) -> Result<(), Wrong> {
        if self.first.is_empty() && self.gathered.is_empty() {
            self.first = part;
        } else {
            if self.gathered.is_empty() {
                self.gathered.extend_from_slice(&self.first);
            }
            self.gathered.extend_from_slice(&part);
        }
        let got = self.got();
        if got.len() < PREFIX_BYTES {
            return Ok(());
        }
        let size = message_size(got);
        if size > self.bytes_max {
            return Err(Wrong::TooLarge(size));
        }
        if got.len() > PREFIX_BYTES + size {
            return Err(Wrong::NotOneMessage);
        }
        Ok(())
    }

    /// The message without its prefix, at the end of the body.
    pub fn finish(&mut self) -> Result<Bytes, Wrong> {
        let got = self.got();
        if got.len() < PREFIX_BYTES || got.len() != PREFIX_BYTES + message_size(got) {
            return Err(Wrong::NotOneMessage);
        }
        match got[0] {
            0 => {}
            1 => return Err(Wrong::Compressed),
            _ => return Err(Wrong::NotOneMessage),
        }
        let whole = if self.gathered.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.gathered).freeze()
        };
        Ok(whole.slice(PREFIX_BYTES..))
    }

    fn got(&self) -> &[u8] {
        if self.gathered.is_empty() {
            &self.first
        } else {
            &self.gathered
        }
    }
}

fn message_size(got: &[u8]) -> usize {
    u32::from_be_bytes([got[1], got[2], got[3], got[4]]) as usize
}

/// A `grpc-timeout`: at most eight digits and one of H, M, S, m, u, n.
pub fn parse_timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count = digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// A text as a `grpc-message`: printable ASCII, and `%XX` for everything else.
pub fn percent_encoded(text: &str) -> Bytes {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = Vec::with_capacity(text.len());
    for &byte in text.as_bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            encoded.extend_from_slice(&[b'%', DIGITS[high], DIGITS[low]]);
        }
    }
    encoded.into()
}
