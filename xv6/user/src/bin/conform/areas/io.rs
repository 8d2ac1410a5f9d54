//! Reading, writing and seeking: read(2), pread(2), readv(2), preadv2(2), lseek(2), copy_file_range(2), sendfile(2).

use libc::{O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_WRONLY, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET};

use crate::runner::{Area, plain};
use crate::sys::{
    Answer, Arg, Fd, content, file, fstat, lseek, memory, mkdir, must, open, pipe, pread, read, shown, stat, sys, write,
};

pub const AREA: Area = Area {
    name: "io",
    checks: &[
        plain("read_to_the_end", |t| {
            let fd = with("text");
            t.put([read(fd, 3), read(fd, 3), read(fd, 3)]);
        }),
        plain("read_nothing", |t| {
            t.put(sys!(SYS_read, with("text"), 0, 0));
            t.is("bad_address", sys!(SYS_read, with("text"), -1, 0));
            t.is("bad_descriptor", sys!(SYS_read, 77, 0, 0));
        }),
        plain("read_bad_address", |t| {
            let fd = with("text");
            t.put(sys!(SYS_read, fd, 8, 4));
            t.is("kernel", sys!(SYS_read, fd, 0xffff_8000_0000_0000u64, 4));
            t.is("at", lseek(fd, 0, SEEK_CUR));
            t.is("at_end", read(with(""), 4));
        }),
        plain("read_partly_bad", |t| {
            let fd = with(&"x".repeat(8192));
            let page = memory(2);
            must(sys!(SYS_munmap, page + 4096, 4096));
            t.put(sys!(SYS_read, fd, page + 4090, 100).map(|n| n <= 6));
            t.is("pipe", {
                let (r, w) = must(pipe(0));
                must(write(w, "0123456789"));
                sys!(SYS_read, r, page + 4096, 10)
            });
        }),
        plain("write_bad_address", |t| {
            let fd = with("text");
            t.put(sys!(SYS_write, fd, 8, 4));
            t.is("nothing", sys!(SYS_write, fd, 8, 0));
            t.is("size", fstat(fd).map(|s| s.st_size));
        }),
        plain("huge_count", |t| {
            let fd = with("text");
            t.put(sys!(SYS_read, fd, memory(1), usize::MAX));
            t.put(sys!(SYS_read, fd, memory(1), isize::MAX as usize));
            t.put(sys!(SYS_write, 77, 0, usize::MAX));
        }),
        plain("write_grows", |t| {
            let fd = with("text");
            t.put(lseek(fd, 6, SEEK_SET));
            t.put(write(fd, "more"));
            t.put(content(c"f"));
        }),
        plain("pread", |t| {
            let fd = with("text");
            t.put([pread(fd, 2, 1), pread(fd, 9, 2), pread(fd, 9, 4), pread(fd, 9, 1 << 40), pread(fd, 1, -1)]);
            t.is("at", lseek(fd, 0, SEEK_CUR));
            let (r, _) = must(pipe(0));
            t.is("pipe", pread(r, 1, 0));
            t.is("directory", pread(must(open(c".", O_RDONLY)), 1, 0));
            t.is("minus_first", pread(Fd(77), 1, -1));
        }),
        plain("pwrite", |t| {
            let fd = with("text");
            t.put(sys!(SYS_pwrite64, fd, "AB", 2, 6));
            t.put(sys!(SYS_pwrite64, fd, "AB", 2, -1));
            t.put(sys!(SYS_pwrite64, fd, "AB", 0, 100));
            t.put(content(c"f"));
            let (_, w) = must(pipe(0));
            t.is("pipe", sys!(SYS_pwrite64, w, "AB", 2, 0));
        }),
        plain("beyond_the_largest", |t| {
            let fd = with("");
            t.put(sys!(SYS_pwrite64, fd, "x", 1, i64::MAX));
        }),
        plain("readv", |t| {
            let fd = with("0123456789");
            let (mut a, mut b) = ([0u8; 3], [0u8; 4]);
            let parts = [(&mut a).word(), 3, 0, 0, (&mut b).word(), 4];
            t.put(sys!(SYS_readv, fd, &parts, 3));
            t.put([shown(&a), shown(&b)]);
            t.put(sys!(SYS_readv, fd, &parts, 3));
            t.put(sys!(SYS_readv, fd, &parts, 3));
        }),
        plain("iovec_limits", |t| {
            let fd = with("text");
            t.put(sys!(SYS_readv, fd, 0, 0));
            t.put(sys!(SYS_readv, fd, 0, -1));
            let many = vec![0usize; 2 * 1025];
            t.put(sys!(SYS_readv, fd, many.as_slice(), 1024));
            t.put(sys!(SYS_readv, fd, many.as_slice(), 1025));
            t.is("negative", sys!(SYS_readv, fd, &[8usize, usize::MAX], 1));
            t.is("bad_array", sys!(SYS_readv, fd, 8, 1));
            t.is("bad_part", sys!(SYS_readv, fd, &[8usize, 4], 1));
            t.is("bad_descriptor", sys!(SYS_writev, 77, 0, 0));
        }),
        plain("writev", |t| {
            let fd = with("");
            let parts = ["one".word(), 3, 0, 0, "two".word(), 3];
            t.put(sys!(SYS_writev, fd, &parts, 3));
            t.is("second_bad", sys!(SYS_writev, fd, &["ab".word(), 2, 8, 2], 2));
            t.put(content(c"f"));
        }),
        plain("preadv_pwritev", |t| {
            let fd = with("0123456789");
            let mut a = [0u8; 3];
            t.put(sys!(SYS_preadv, fd, &[(&mut a).word(), 3], 1, 4, 0));
            t.put(shown(&a));
            t.put(sys!(SYS_pwritev, fd, &["ab".word(), 2], 1, 1, 0));
            t.put(sys!(SYS_preadv, fd, &[(&mut a).word(), 3], 1, -1, -1));
            t.is("v2", sys!(SYS_preadv2, fd, &[(&mut a).word(), 3], 1, -1, -1, 0));
            t.is("at", lseek(fd, 0, SEEK_CUR));
            t.is("v2_flag", sys!(SYS_preadv2, fd, &[(&mut a).word(), 3], 1, 0, 0, 0x4000_0000));
            t.put(content(c"f"));
        }),
        plain("pwritev2_append", |t| {
            let fd = with("0123");
            t.put(sys!(SYS_pwritev2, fd, &["ab".word(), 2], 1, 0, 0, libc::RWF_APPEND));
            t.put(content(c"f"));
        }),
        plain("lseek", |t| {
            let fd = with("text");
            t.put([lseek(fd, 2, SEEK_SET), lseek(fd, 1, SEEK_CUR), lseek(fd, -1, SEEK_END), lseek(fd, 10, SEEK_END)]);
            t.put([lseek(fd, -1, SEEK_SET), lseek(fd, -100, SEEK_CUR), lseek(fd, 0, 5), lseek(fd, 0, 99)]);
            t.is("at", lseek(fd, 0, SEEK_CUR));
            t.is("overflow", lseek(fd, i64::MAX, SEEK_CUR));
            t.is("read", read(fd, 1));
        }),
        plain("lseek_refused", |t| {
            let (r, w) = must(pipe(0));
            t.put([lseek(r, 0, SEEK_SET), lseek(w, 0, SEEK_CUR), lseek(Fd(77), 0, SEEK_SET), lseek(r, 0, 99)]);
            let eventfd = must(sys!(SYS_eventfd2, 0, 0)) as i32;
            t.is("eventfd", lseek(Fd(eventfd), 0, SEEK_SET));
            t.is("null", lseek(must(open(c"/dev/null", O_RDWR)), 9, SEEK_SET));
            t.is("zero", lseek(must(open(c"/dev/zero", O_RDWR)), 9, SEEK_SET));
        }),
        plain("seek_data_hole_plain", |t| {
            let fd = with("text");
            t.put([lseek(fd, 0, SEEK_DATA), lseek(fd, 0, SEEK_HOLE), lseek(fd, 3, SEEK_HOLE), lseek(fd, 3, SEEK_DATA)]);
            t.put([
                lseek(fd, 4, SEEK_DATA),
                lseek(fd, 4, SEEK_HOLE),
                lseek(fd, -1, SEEK_DATA),
                lseek(fd, 9, SEEK_HOLE),
            ]);
            t.is("empty", lseek(must(open(c"g", O_CREAT | O_RDWR)), 0, SEEK_HOLE));
        }),
        plain("seek_data_hole_sparse", |t| {
            let fd = with("");
            must(sys!(SYS_pwrite64, fd, "x", 1, 1 << 20));
            // A file system may know no holes; then all is data.
            t.put(lseek(fd, 0, SEEK_DATA).map(|at| at == 0 || at == 1 << 20));
            t.put(lseek(fd, 1 << 20, SEEK_HOLE));
        }),
        plain("ftruncate", |t| {
            let fd = with("text");
            t.put(sys!(SYS_ftruncate, fd, 2));
            t.put(content(c"f"));
            t.put(sys!(SYS_ftruncate, fd, 5));
            t.put(content(c"f"));
            t.put(sys!(SYS_ftruncate, fd, -1));
            t.is("read_only", sys!(SYS_ftruncate, must(open(c"f", O_RDONLY)), 0));
            t.is("pipe", sys!(SYS_ftruncate, must(pipe(0)).1, 0));
            t.is("null", sys!(SYS_ftruncate, must(open(c"/dev/null", O_RDWR)), 0));
            t.is("closed", sys!(SYS_ftruncate, 77, 0));
        }),
        plain("truncate", |t| {
            file(c"f", "text");
            must(mkdir(c"d"));
            t.put(sys!(SYS_truncate, c"f", 1));
            t.put(content(c"f"));
            t.put(sys!(SYS_truncate, c"d", 1));
            t.put(sys!(SYS_truncate, c"n", 1));
            t.put(sys!(SYS_truncate, c"f", -1));
            t.put(sys!(SYS_truncate, c"n", -1));
            t.put(sys!(SYS_truncate, c"f/", 1));
            t.is("null", sys!(SYS_truncate, c"/dev/null", 0));
            must(crate::sys::chmod(c"f", 0o444));
            t.is("read_only", sys!(SYS_truncate, c"f", 0));
        }),
        plain("truncated_tail_is_zero", |t| {
            let fd = with(&"x".repeat(5000));
            must(sys!(SYS_ftruncate, fd, 10));
            must(sys!(SYS_ftruncate, fd, 5000));
            t.put(pread(fd, 4, 8));
            t.put(pread(fd, 4, 4094));
        }),
        plain("offset_shared_by_dup", |t| {
            let fd = with("text");
            let two = Fd(must(sys!(SYS_dup, fd)) as i32);
            t.put([read(fd, 1), read(two, 1), read(fd, 1)]);
            let other = must(open(c"f", O_RDONLY));
            t.is("other", read(other, 1));
        }),
        plain("offset_shared_by_fork", |t| {
            let fd = with("text");
            crate::child::part(t, |t| t.put(read(fd, 2)));
            t.put(read(fd, 2));
        }),
        plain("append_by_two", |t| {
            let one = must(open(c"f", O_CREAT | O_WRONLY | O_APPEND));
            let two = must(open(c"f", O_WRONLY | O_APPEND));
            must(write(one, "a"));
            must(write(two, "b"));
            must(write(one, "c"));
            t.put(content(c"f"));
        }),
        plain("fallocate", |t| {
            let fd = with("text");
            t.put(sys!(SYS_fallocate, fd, 0, 0, 100));
            t.is("size", fstat(fd).map(|s| s.st_size));
            t.is("keep", sys!(SYS_fallocate, fd, libc::FALLOC_FL_KEEP_SIZE, 0, 200));
            t.is("size", fstat(fd).map(|s| s.st_size));
        }),
        plain("fallocate_refused", |t| {
            let fd = with("text");
            t.put(sys!(SYS_fallocate, fd, 0, -1, 1));
            t.put(sys!(SYS_fallocate, fd, 0, 0, 0));
            t.put(sys!(SYS_fallocate, fd, 0, i64::MAX, 1));
            t.is("read_only", sys!(SYS_fallocate, must(open(c"f", O_RDONLY)), 0, 0, 1));
            t.is("pipe", sys!(SYS_fallocate, must(pipe(0)).1, 0, 0, 1));
            t.is("directory", sys!(SYS_fallocate, must(open(c".", O_RDONLY)), 0, 0, 1));
            t.is("null", sys!(SYS_fallocate, must(open(c"/dev/null", O_RDWR)), 0, 0, 1));
            t.is("mode", sys!(SYS_fallocate, fd, 1 << 12, 0, 1));
            t.is("punch_without_keep", sys!(SYS_fallocate, fd, libc::FALLOC_FL_PUNCH_HOLE, 0, 1));
        }),
        plain("copy_file_range", |t| {
            let from = with("0123456789");
            let to = must(open(c"g", O_CREAT | O_RDWR));
            t.put(sys!(SYS_copy_file_range, from, 0, to, 0, 4, 0));
            t.is("at", [lseek(from, 0, SEEK_CUR), lseek(to, 0, SEEK_CUR)]);
            let mut offsets = [8i64];
            t.put(sys!(SYS_copy_file_range, from, &mut offsets, to, 0, 100, 0));
            t.is("offset", offsets[0]);
            t.put(content(c"g"));
            t.is("end", sys!(SYS_copy_file_range, from, &mut offsets, to, 0, 100, 0));
            t.is("none", sys!(SYS_copy_file_range, from, 0, to, 0, 0, 0));
        }),
        plain("copy_file_range_refused", |t| {
            let from = with("0123456789");
            let to = must(open(c"g", O_CREAT | O_RDWR));
            t.is("flags", sys!(SYS_copy_file_range, from, 0, to, 0, 4, 1));
            t.is("overlap", sys!(SYS_copy_file_range, from, &[0u64], from, &[2u64], 4, 0));
            t.is("read_only", sys!(SYS_copy_file_range, from, 0, must(open(c"g", O_RDONLY)), 0, 4, 0));
            t.is("append", sys!(SYS_copy_file_range, from, 0, must(open(c"g", O_WRONLY | O_APPEND)), 0, 4, 0));
            t.is("write_only", sys!(SYS_copy_file_range, must(open(c"f", O_WRONLY)), 0, to, 0, 4, 0));
            t.is("directory", sys!(SYS_copy_file_range, must(open(c".", O_RDONLY)), 0, to, 0, 4, 0));
            t.is("pipe", sys!(SYS_copy_file_range, from, 0, must(pipe(0)).1, 0, 4, 0));
            t.is("closed", sys!(SYS_copy_file_range, 77, 0, to, 0, 4, 0));
        }),
        plain("sendfile", |t| {
            let from = with("0123456789");
            let (r, w) = must(pipe(0));
            t.put(sys!(SYS_sendfile, w, from, 0, 4));
            t.put(read(r, 10));
            let mut offset = [7i64];
            t.put(sys!(SYS_sendfile, w, from, &mut offset, 10));
            t.put(read(r, 10));
            t.is("offset", offset[0]);
            t.is("at", lseek(from, 0, SEEK_CUR));
            let to = must(open(c"g", O_CREAT | O_RDWR));
            t.is("to_file", sys!(SYS_sendfile, to, from, 0, 100));
            t.put(content(c"g"));
            t.is("end", sys!(SYS_sendfile, to, from, 0, 100));
        }),
        plain("sendfile_refused", |t| {
            let from = with("0123456789");
            let (r, w) = must(pipe(0));
            t.is("closed", [sys!(SYS_sendfile, 77, from, 0, 4), sys!(SYS_sendfile, w, 77, 0, 4)]);
            t.is("read_only", sys!(SYS_sendfile, must(open(c"f", O_RDONLY)), from, 0, 4));
            t.is("negative", sys!(SYS_sendfile, w, from, &[-1i64], 4));
            t.is("bad_address", sys!(SYS_sendfile, w, from, 8, 4));
            t.is("directory", sys!(SYS_sendfile, w, must(open(c".", O_RDONLY)), 0, 4));
            t.is("append", sys!(SYS_sendfile, must(open(c"g", O_CREAT | O_WRONLY | O_APPEND)), from, 0, 4));
            t.is("reader", sys!(SYS_sendfile, r, from, 0, 4));
            t.is("offset_in_pipe", sys!(SYS_sendfile, w, r, &[0i64], 4));
        }),
        plain("devices", |t| {
            let null = must(open(c"/dev/null", O_RDWR));
            t.put([read(null, 5), write(null, "text").map(|n| n.to_string())]);
            let zero = must(open(c"/dev/zero", O_RDWR));
            t.put([read(zero, 3), write(zero, "text").map(|n| n.to_string())]);
            let full = must(open(c"/dev/full", O_RDWR));
            t.put([read(full, 3), write(full, "text").map(|n| n.to_string())]);
            let random = must(open(c"/dev/urandom", O_RDONLY));
            t.put(sys!(SYS_read, random, memory(1), 16));
            t.is("bad_address", sys!(SYS_read, zero, 8, 4));
        }),
        plain("getrandom", |t| {
            t.put(sys!(SYS_getrandom, memory(1), 256, 0));
            t.put(sys!(SYS_getrandom, memory(1), 8, libc::GRND_NONBLOCK));
            t.put(sys!(SYS_getrandom, 8, 8, 0));
            t.put(sys!(SYS_getrandom, memory(1), 0, 0));
            t.is("flags", sys!(SYS_getrandom, memory(1), 8, 0x100));
            t.is("both", sys!(SYS_getrandom, memory(1), 8, 6));
        }),
        plain("fsync", |t| {
            let fd = with("text");
            t.put([sys!(SYS_fsync, fd), sys!(SYS_fdatasync, fd), sys!(SYS_syncfs, fd)]);
            t.is("directory", sys!(SYS_fsync, must(open(c".", O_RDONLY))));
            t.is("read_only", sys!(SYS_fsync, must(open(c"f", O_RDONLY))));
            t.is("pipe", [sys!(SYS_fsync, must(pipe(0)).1), sys!(SYS_fdatasync, must(pipe(0)).0)]);
            t.is("closed", [sys!(SYS_fsync, 77), sys!(SYS_syncfs, 77)]);
        }),
        plain("readahead_fadvise", |t| {
            let fd = with("text");
            t.put(sys!(SYS_fadvise64, fd, 0, 0, libc::POSIX_FADV_DONTNEED));
            t.put(sys!(SYS_fadvise64, fd, 0, 0, 99));
            t.put(sys!(SYS_fadvise64, must(pipe(0)).0, 0, 0, 0));
            t.put(sys!(SYS_fadvise64, 77, 0, 0, 0));
        }),
        plain("sync_file_range", |t| {
            let fd = with("text");
            t.put(sys!(SYS_sync_file_range, fd, 0, 0, 0));
            t.put(sys!(SYS_sync_file_range, fd, 0, 0, 0x100));
            t.put(sys!(SYS_sync_file_range, fd, -1, 0, 0));
            t.put(sys!(SYS_sync_file_range, must(pipe(0)).0, 0, 0, 0));
        }),
        plain("blocks_and_sizes", |t| {
            let fd = with(&"x".repeat(10000));
            t.put(fstat(fd).map(|s| s.st_size));
            t.is("blocks", stat(c"f").map(|s| s.st_blocks >= 8 && s.st_blksize >= 512));
        }),
    ],
};

/// File `f` with this content, open for both ways at its start.
fn with(content: &str) -> Fd {
    file(c"f", content);
    let opened: Answer<Fd> = open(c"f", O_RDWR);
    must(opened)
}
