//! Pipes by one thread: what is ready at once, and what would wait.

use super::errno;
use crate::error::Errno;
use crate::mm::{ReadBuf, WriteBuf};
use crate::vfs::File;
use crate::vfs::file::{Events, OpenFlags};
use crate::vfs::pipe::{ATOMIC, CAPACITY, End, create};
use alloc::sync::Arc;
use alloc::vec;

fn pair() -> (Arc<File>, Arc<File>) {
    create(0, 0, OpenFlags::NONBLOCK)
}

fn write(file: &File, bytes: &[u8]) -> crate::error::Result<usize> {
    file.write(&mut WriteBuf::kernel(bytes))
}

fn read(file: &File, len: usize) -> crate::error::Result<usize> {
    file.read(&mut ReadBuf::kernel(&mut vec![0; len]))
}

#[test]
fn ends_and_their_errors() {
    let (reader, writer) = pair();
    assert_eq!(errno(read(&reader, 1)), Errno::EAGAIN);
    assert_eq!(write(&writer, b"hello"), Ok(5));
    assert_eq!(read(&reader, 100), Ok(5));
    assert_eq!(errno(write(&reader, b"x")), Errno::EBADF);
    assert_eq!(errno(read(&writer, 1)), Errno::EBADF);
    assert_eq!(errno(reader.seek(crate::vfs::openfile::Whence::Set, 0)), Errno::ESPIPE);
    assert_eq!(write(&writer, b"last"), Ok(4));
    drop(writer);
    assert_eq!((read(&reader, 100), read(&reader, 100)), (Ok(4), Ok(0)));
    let (reader, writer) = pair();
    drop(reader);
    assert_eq!(errno(write(&writer, b"x")), Errno::EPIPE);
}

#[test]
fn small_writes_are_whole_and_large_ones_partial() {
    let (reader, writer) = pair();
    assert_eq!(write(&writer, &vec![1; CAPACITY + 10]), Ok(CAPACITY));
    assert_eq!(errno(write(&writer, b"x")), Errno::EAGAIN);
    assert_eq!(read(&reader, 100), Ok(100));
    assert_eq!(errno(write(&writer, &[2; 101])), Errno::EAGAIN);
    assert_eq!(write(&writer, &[2; 100]), Ok(100));
    assert_eq!(read(&reader, ATOMIC + 50), Ok(ATOMIC + 50));
    assert_eq!(write(&writer, &vec![3; 2 * ATOMIC]), Ok(ATOMIC + 50));
}

#[test]
fn poll_and_capacity() {
    let (reader, writer) = pair();
    assert_eq!(reader.poll(None), Events::empty());
    assert_eq!(writer.poll(None), Events::OUT | Events::WRNORM);
    write(&writer, b"x").expect("write");
    assert_eq!(reader.poll(None), Events::IN | Events::RDNORM);
    let pipe = writer.operations::<End>().expect("a pipe").pipe().clone();
    assert_eq!(pipe.set_capacity(5000), Ok(8192));
    assert_eq!(write(&writer, &vec![0; 20_000]), Ok(8191));
    assert_eq!(writer.poll(None), Events::empty());
    assert_eq!(errno(pipe.set_capacity(100)), Errno::EBUSY);
    drop(writer);
    assert!(reader.poll(None).contains(Events::HUP | Events::IN));
}
