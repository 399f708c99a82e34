//! Bytes, as `std::io` has them. Neither end waits: a ring without room, or without bytes, is
//! `WouldBlock`.

use std::io::{self, ErrorKind, Read, Write};

use super::{Consumer, Producer};

/// Copies what there is room for. `WouldBlock` if there is none.
impl Write for Producer<u8> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (pushed, _) = self.push_partial_slice(bytes);
        if pushed.is_empty() && !bytes.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(pushed.len())
    }

    /// Does nothing: what is written can be read at once.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Moves what there is. `WouldBlock` if there is nothing, and the end (zero bytes) if there is
/// nothing and the producer was dropped.
impl Read for Consumer<u8> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let last = self.is_abandoned();
        let (popped, rest) = self.pop_partial_slice(into);
        if popped.is_empty() && !rest.is_empty() && !last {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(popped.len())
    }
}
