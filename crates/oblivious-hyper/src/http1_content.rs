//! The content of HTTP/1.1 messages (RFC 9112 §6 and §7), as it arrives piece by piece.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::http1_message::{Framing, HEAD_LIMIT, HeadEnd, Invalid, MAX_FIELDS, fields};

/// The most bytes that the size of a chunk may have with its extensions.
const CHUNK_LINE_LIMIT: usize = 4 * 1024;

/// Where in a content the next byte belongs.
#[derive(Debug)]
pub(crate) enum Content {
    /// There are this many more.
    Length(u64),
    /// It is that of a line with the size of a chunk.
    ChunkSize,
    /// There are this many more in the chunk; after them, its line ends.
    Chunk(u64),
    Trailers(HeadEnd),
    UntilClose,
}

/// A piece of a content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    /// That was all.
    End,
    /// More must be read first.
    Missing,
}

impl Content {
    pub(crate) const fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::ChunkSize,
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// How many more bytes there are, if that is known.
    pub(crate) const fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            _ => None,
        }
    }

    /// Whether it is over if the server closes the connection now.
    #[cfg(feature = "client")]
    pub(crate) const fn may_be_closed(&self) -> bool {
        matches!(self, Self::UntilClose | Self::Length(0))
    }

    /// Takes the next piece out of `buffer`, which has what was read.
    pub(crate) fn take(&mut self, buffer: &mut BytesMut) -> Result<Piece, Invalid> {
        loop {
            match self {
                Self::Length(0) => return Ok(Piece::End),
                _ if buffer.is_empty() => return Ok(Piece::Missing),
                Self::UntilClose => return Ok(Piece::Data(buffer.split().freeze())),
                Self::Length(left) => return Ok(Piece::Data(take_up_to(left, buffer))),
                Self::ChunkSize => match chunk_size(buffer)? {
                    Some(0) => *self = Self::Trailers(HeadEnd::default()),
                    Some(size) => *self = Self::Chunk(size),
                    None => return Ok(Piece::Missing),
                },
                Self::Chunk(0) => match buffer.first_chunk() {
                    Some(b"\r\n") => {
                        _ = buffer.split_to(2);
                        *self = Self::ChunkSize;
                    }
                    Some(_) => {
                        return Err(Invalid("a chunk does not end where it says"));
                    }
                    None => return Ok(Piece::Missing),
                },
                Self::Chunk(left) => return Ok(Piece::Data(take_up_to(left, buffer))),
                Self::Trailers(end) => {
                    let trailers = take_trailers(end, buffer)?;
                    if !matches!(trailers, Piece::Missing) {
                        *self = Self::Length(0);
                    }
                    return Ok(trailers);
                }
            }
        }
    }
}

fn take_up_to(left: &mut u64, buffer: &mut BytesMut) -> Bytes {
    let length = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
    // `usize` has at most 64 bits on every platform that Rust supports.
    *left -= length as u64;
    buffer.split_to(length).freeze()
}

/// Takes the line with the size of a chunk (RFC 9112 §7.1).
fn chunk_size(buffer: &mut BytesMut) -> Result<Option<u64>, Invalid> {
    let line = &buffer[..buffer.len().min(CHUNK_LINE_LIMIT)];
    // The parser takes a size without digits for 0, the end of the content.
    if line.first().is_some_and(|first| !first.is_ascii_hexdigit()) {
        return Err(Invalid("a chunk has no size"));
    }
    match httparse::parse_chunk_size(line) {
        Ok(httparse::Status::Complete((length, size))) => {
            _ = buffer.split_to(length);
            Ok(Some(size))
        }
        Ok(httparse::Status::Partial) if buffer.len() < CHUNK_LINE_LIMIT => Ok(None),
        Ok(httparse::Status::Partial) => Err(Invalid("a chunk extension is too long")),
        Err(_) => Err(Invalid("a chunk has no valid size")),
    }
}

/// Takes what is after the last chunk (RFC 9112 §7.1.2), up to the empty line.
fn take_trailers(end: &mut HeadEnd, buffer: &mut BytesMut) -> Result<Piece, Invalid> {
    // Usually there are none.
    if let Some(b"\r\n") = buffer.first_chunk() {
        _ = buffer.split_to(2);
        return Ok(Piece::End);
    }
    if buffer.len() < 2 {
        return Ok(Piece::Missing);
    }
    let Some(length) = end.find(buffer)? else { return Ok(Piece::Missing) };
    let block = buffer.split_to(length).freeze();
    let mut parsed = [httparse::EMPTY_HEADER; MAX_FIELDS];
    match httparse::parse_headers(&block, &mut parsed) {
        Ok(httparse::Status::Complete((_, parsed))) => fields(&block, parsed).map(Piece::Trailers),
        _ => Err(Invalid("its trailers cannot be read")),
    }
}

// The trailers are bounded like a head.
const _: () = assert!(CHUNK_LINE_LIMIT <= HEAD_LIMIT);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a reader makes of `parts`, which arrive one after the other: the data, and the trailers
    /// or what is still missing.
    fn read(framing: Framing, parts: &[&[u8]]) -> Result<(Vec<u8>, Vec<Piece>), String> {
        let (mut content, mut buffer) = (Content::new(framing), BytesMut::new());
        let (mut data, mut others) = (Vec::new(), Vec::new());
        for part in parts {
            buffer.extend_from_slice(part);
            loop {
                match content.take(&mut buffer).map_err(|error| error.to_string())? {
                    Piece::Data(piece) => data.extend_from_slice(&piece),
                    Piece::Missing => break,
                    Piece::End => {
                        others.push(Piece::End);
                        break;
                    }
                    trailers => others.push(trailers),
                }
            }
        }
        Ok((data, others))
    }

    fn whole(framing: Framing, text: &str) -> Result<(Vec<u8>, Vec<Piece>), String> {
        read(framing, &[text.as_bytes()])
    }

    /// RFC 9112 §7.1
    #[test]
    fn chunks_are_joined() {
        for (text, expected) in [
            ("0\r\n\r\n", ""),
            ("3\r\nabc\r\n0\r\n\r\n", "abc"),
            ("003;x=\"y\"\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789"),
        ] {
            let expected = expected.as_bytes().to_vec();
            assert_eq!(whole(Framing::Chunked, text), Ok((expected, vec![Piece::End])), "{text:?}");
        }
    }

    /// RFC 9112 §7.1.2
    #[test]
    fn trailers_come_after_the_last_chunk() {
        let (data, rest) = whole(Framing::Chunked, "1\r\na\r\n0\r\nx: y\r\n\r\n").unwrap();
        let trailers = HeaderMap::from_iter([("x".parse().unwrap(), "y".parse().unwrap())]);
        assert_eq!((&*data, rest), (&b"a"[..], vec![Piece::Trailers(trailers), Piece::End]));
    }

    /// RFC 9112 §7.1, §8
    #[test]
    fn what_is_not_chunked_is_an_error_and_what_is_cut_off_has_no_end() {
        let long = format!("1;{}\r\na", "x".repeat(CHUNK_LINE_LIMIT));
        for text in [
            "x\r\n",
            "\r\n",
            ";x\r\n\r\n",
            "-1\r\n",
            "11111111111111111\r\n",
            "3\r\nabcd\r\n",
            "3\nabc\n0\n\n",
            "0\r\nx y: z\r\n\r\n",
            &long,
        ] {
            assert!(whole(Framing::Chunked, text).is_err(), "{text:?}");
        }
        let text = "3\r\nabc\r\n0\r\nx: y\r\n\r\n";
        for cut in 0..text.len() {
            let (_, rest) = whole(Framing::Chunked, &text[..cut]).unwrap();
            assert_eq!(rest, [], "{cut}");
        }
        assert_eq!(whole(Framing::Length(4), "abc"), Ok((b"abc".to_vec(), vec![])));
    }

    #[test]
    fn nothing_is_taken_of_what_comes_after() {
        for (framing, text) in
            [(Framing::Length(1), "a"), (Framing::Chunked, "1\r\na\r\n0\r\n\r\n")]
        {
            let mut buffer = BytesMut::from(format!("{text}HTTP/1.1").as_bytes());
            let mut content = Content::new(framing);
            assert_eq!(content.take(&mut buffer).unwrap(), Piece::Data("a".into()));
            assert_eq!(content.take(&mut buffer).unwrap(), Piece::End);
            assert_eq!(content.take(&mut buffer).unwrap(), Piece::End);
            assert_eq!(buffer, "HTTP/1.1");
        }
    }

    proptest! {
        #[test]
        fn where_it_is_cut_makes_no_difference(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..5),
            damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                text.extend_from_slice(chunk);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\na: b\r\n\r\n");
            if let Some((index, byte)) = damage {
                let index = index.index(text.len());
                text[index] = byte;
            }
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let parts: Vec<_> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
            let at_once = read(Framing::Chunked, &[&text]);
            if damage.is_none() {
                prop_assert_eq!(&at_once.as_ref().unwrap().0, &chunks.concat());
            }
            match (at_once, read(Framing::Chunked, &parts)) {
                (Ok((data, mut rest)), Ok((other, mut other_rest))) => {
                    // A reader that goes on after the end is told of it again.
                    rest.dedup();
                    other_rest.dedup();
                    prop_assert_eq!((data, rest), (other, other_rest));
                }
                (at_once, in_parts) => prop_assert_eq!(at_once.is_err(), in_parts.is_err()),
            }
        }
    }
}
