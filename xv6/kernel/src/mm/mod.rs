//! Memory: address spaces as areas, demand paging, copy-on-write, the page cache, reclaim, user copies.

/// The cached pages of one file.
pub struct PageCache;

/// Where a read puts its bytes.
pub struct ReadBuf<'a>(core::marker::PhantomData<&'a mut [u8]>);

/// Where a write takes its bytes from.
pub struct WriteBuf<'a>(core::marker::PhantomData<&'a [u8]>);
