//! However a body is cut, it is the same message or none; texts survive `grpc-message`.

#![no_main]

#[path = "../../src/message.rs"]
mod message;

use bytes::Bytes;
use libfuzzer_sys::{arbitrary, fuzz_target};
use message::{Body, PREFIX_BYTES, Wrong, parse_timeout, percent_encoded};

const BYTES_MAX: usize = 64;

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    /// Makes a length that fits out of the one that was drawn.
    fits: bool,
    body: Vec<u8>,
    cuts: Vec<u8>,
    timeout: &'a [u8],
    text: &'a str,
}

fuzz_target!(|input: Input| {
    let mut body = input.body;
    if input.fits && body.len() >= PREFIX_BYTES {
        let size = (body.len() - PREFIX_BYTES) as u32;
        body[1..PREFIX_BYTES].copy_from_slice(&size.to_be_bytes());
    }
    assert_eq!(expected(&body), read(&body, &input.cuts).ok());
    check_timeout(input.timeout);
    assert_eq!(input.text, percent_decoded(&percent_encoded(input.text)));
});

/// The message of a body by the words of gRPC.
fn expected(body: &[u8]) -> Option<Vec<u8>> {
    let (prefix, message) = body.split_at_checked(PREFIX_BYTES)?;
    let size = u32::from_be_bytes(prefix[1..].try_into().unwrap()) as usize;
    (prefix[0] == 0 && size == message.len() && size <= BYTES_MAX).then(|| message.to_vec())
}

fn read(body: &[u8], cuts: &[u8]) -> Result<Vec<u8>, Wrong> {
    let mut reading = Body::new(BYTES_MAX);
    let mut rest = Bytes::copy_from_slice(body);
    for cut in cuts {
        let part = rest.split_to(usize::from(*cut).min(rest.len()));
        reading.add(part)?;
    }
    reading.add(rest)?;
    reading.finish().map(|message| message.to_vec())
}

fn check_timeout(text: &[u8]) {
    if let Some(timeout) = parse_timeout(text) {
        let (unit, digits) = text.split_last().unwrap();
        let count: u64 = std::str::from_utf8(digits).unwrap().parse().unwrap();
        let nanos = match unit {
            b'H' => 3_600_000_000_000,
            b'M' => 60_000_000_000,
            b'S' => 1_000_000_000,
            b'm' => 1_000_000,
            b'u' => 1_000,
            _ => 1,
        };
        assert_eq!(u128::from(count) * nanos, timeout.as_nanos());
    }
}

fn percent_decoded(encoded: &[u8]) -> String {
    let mut decoded = Vec::new();
    let mut rest = encoded.iter();
    while let Some(byte) = rest.next() {
        assert!(matches!(byte, b' '..=b'~'));
        if *byte == b'%' {
            let digits: Vec<u8> = rest.by_ref().take(2).copied().collect();
            let digits = std::str::from_utf8(&digits).unwrap();
            decoded.push(u8::from_str_radix(digits, 16).unwrap());
        } else {
            decoded.push(*byte);
        }
    }
    String::from_utf8(decoded).unwrap()
}
