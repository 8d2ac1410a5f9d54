//! File locks: fcntl(2) record locks and flock(2), their conflicts, their ends, and the deadlock.

use libc::{
    F_GETLK, F_OFD_SETLK, F_RDLCK, F_SETLK, F_SETLKW, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, O_RDONLY,
    O_RDWR, O_WRONLY,
};

use crate::child::{Gate, part, reap, spawn, until_asleep};
use crate::runner::{Area, plain};
use crate::sys::{Answer, Fd, close, fcntl, file, must, open, pipe, sys};

pub const AREA: Area = Area {
    name: "locks",
    checks: &[
        plain("record_conflicts", |t| {
            let fd = fresh();
            must(lock(fd, F_SETLK, F_WRLCK, 10, 10));
            part(t, |t| {
                let fd = must(open(c"f", O_RDWR));
                t.put([
                    lock(fd, F_SETLK, F_WRLCK, 0, 10),
                    lock(fd, F_SETLK, F_RDLCK, 19, 1),
                    lock(fd, F_SETLK, F_RDLCK, 20, 0),
                ]);
                t.put([lock(fd, F_SETLK, F_UNLCK, 10, 10), lock(fd, F_SETLK, F_WRLCK, 0, 0)]);
            });
        }),
        plain("record_shared", |t| {
            let fd = fresh();
            must(lock(fd, F_SETLK, F_RDLCK, 0, 0));
            part(t, |t| {
                let fd = must(open(c"f", O_RDWR));
                t.put([lock(fd, F_SETLK, F_RDLCK, 0, 0), lock(fd, F_SETLK, F_WRLCK, 5, 1)]);
            });
        }),
        plain("record_own_is_replaced", |t| {
            let fd = fresh();
            t.put([
                lock(fd, F_SETLK, F_WRLCK, 0, 100),
                lock(fd, F_SETLK, F_RDLCK, 10, 10),
                lock(fd, F_SETLK, F_UNLCK, 50, 10),
            ]);
            part(t, |t| {
                let fd = must(open(c"f", O_RDWR));
                t.put([
                    query(fd, F_WRLCK, 0, 0),
                    query(fd, F_WRLCK, 10, 0),
                    query(fd, F_WRLCK, 50, 10),
                    query(fd, F_WRLCK, 50, 0),
                ]);
                t.put([query(fd, F_RDLCK, 10, 10), query(fd, F_RDLCK, 100, 0)]);
            });
        }),
        plain("record_merges", |t| {
            let fd = fresh();
            for start in [0, 20, 10] {
                must(lock(fd, F_SETLK, F_WRLCK, start, 10));
            }
            part(t, |t| t.put(query(must(open(c"f", O_RDWR)), F_WRLCK, 5, 1)));
        }),
        plain("record_getlk", |t| {
            let fd = fresh();
            must(lock(fd, F_SETLK, F_WRLCK, 3, 4));
            t.is("own", query(fd, F_WRLCK, 0, 0));
            let parent = crate::sys::getpid();
            part(t, |t| {
                let mut what = record(F_WRLCK, 0, 0, 0);
                must(fcntl(must(open(c"f", O_RDWR)), F_GETLK, &mut what));
                t.is("pid", what[3] as i32 == parent);
                t.is("whence", what[0] >> 16 & 0xffff);
            });
        }),
        plain("record_refused", |t| {
            let fd = fresh();
            t.put([
                lock(fd, F_SETLK, 9, 0, 0),
                lock(fd, F_SETLK, F_WRLCK, -1, 5),
                lock(Fd(77), F_SETLK, F_WRLCK, 0, 0),
            ]);
            t.put([
                lock(must(open(c"f", O_RDONLY)), F_SETLK, F_WRLCK, 0, 0),
                lock(must(open(c"f", O_WRONLY)), F_SETLK, F_RDLCK, 0, 0),
            ]);
            t.put([
                lock(fd, F_GETLK, F_UNLCK, 0, 0),
                fcntl(fd, F_SETLK, 8),
                lock(must(pipe(0)).1, F_SETLK, F_WRLCK, 0, 0),
            ]);
            t.is("whence", fcntl(fd, F_SETLK, &record(F_WRLCK, 9, 0, 0)));
            t.is("overflow", lock(fd, F_SETLK, F_WRLCK, i64::MAX, 2));
            t.is("whole", lock(fd, F_SETLK, F_WRLCK, 0, i64::MAX));
        }),
        plain("record_negative_length", |t| {
            let fd = fresh();
            t.put(lock(fd, F_SETLK, F_WRLCK, 10, -5));
            t.put(lock(fd, F_SETLK, F_WRLCK, 3, -5));
            part(t, |t| t.put(query(must(open(c"f", O_RDWR)), F_WRLCK, 0, 0)));
        }),
        plain("record_from_the_end", |t| {
            file(c"f", "0123456789");
            let fd = must(open(c"f", O_RDWR));
            must(fcntl(fd, F_SETLK, &record(F_WRLCK, libc::SEEK_END as i16, -4, 2)));
            part(t, |t| t.put(query(must(open(c"f", O_RDWR)), F_WRLCK, 0, 0)));
        }),
        plain("record_lost_at_any_close", |t| {
            let fd = fresh();
            must(lock(fd, F_SETLK, F_WRLCK, 0, 0));
            must(close(must(open(c"f", O_RDONLY))));
            part(t, |t| t.put(lock(must(open(c"f", O_RDWR)), F_SETLK, F_WRLCK, 0, 0)));
        }),
        plain("record_not_inherited", |t| {
            let fd = fresh();
            must(lock(fd, F_SETLK, F_WRLCK, 0, 0));
            part(t, |t| t.put(lock(fd, F_SETLK, F_WRLCK, 0, 0)));
        }),
        plain("record_lost_at_exit", |t| {
            let fd = fresh();
            part(t, |_| {
                must(lock(fd, F_SETLK, F_WRLCK, 0, 0));
            });
            t.put(lock(fd, F_SETLK, F_WRLCK, 0, 0));
        }),
        plain("record_waits", |t| {
            let fd = fresh();
            must(lock(fd, F_SETLK, F_WRLCK, 0, 0));
            let child = spawn(|| i32::from(lock(must(open(c"f", O_RDWR)), F_SETLKW, F_WRLCK, 0, 0).is_ok()));
            until_asleep(child);
            must(lock(fd, F_SETLK, F_UNLCK, 0, 0));
            t.put(reap(child));
        }),
        plain("record_wait_interrupted", |t| {
            let fd = fresh();
            must(lock(fd, F_SETLK, F_WRLCK, 0, 0));
            let child = spawn(|| {
                must(user::raw::expendable::catch(libc::SIGUSR1, 0, 0).map_err(crate::sys::Errno));
                lock(must(open(c"f", O_RDWR)), F_SETLKW, F_WRLCK, 0, 0).map_or_else(|errno| errno.0, |_| 0)
            });
            until_asleep(child);
            must(crate::sys::kill(child, libc::SIGUSR1));
            t.put(reap(child).map(|ended| libc::WEXITSTATUS(ended.0) == libc::EINTR));
        }),
        plain("record_deadlock", |t| {
            let fd = fresh();
            let gate = Gate::new();
            must(lock(fd, F_SETLK, F_WRLCK, 0, 1));
            let child = spawn(|| {
                must(lock(fd, F_SETLK, F_WRLCK, 1, 1));
                gate.open();
                i32::from(lock(fd, F_SETLKW, F_WRLCK, 0, 1).is_err())
            });
            gate.wait();
            until_asleep(child);
            t.put(lock(fd, F_SETLKW, F_WRLCK, 1, 1));
            must(lock(fd, F_SETLK, F_UNLCK, 0, 1));
            t.put(reap(child));
        }),
        plain("ofd", |t| {
            let one = fresh();
            let two = must(open(c"f", O_RDWR));
            t.put([
                lock(one, F_OFD_SETLK, F_WRLCK, 0, 5),
                lock(two, F_OFD_SETLK, F_WRLCK, 4, 5),
                lock(two, F_OFD_SETLK, F_WRLCK, 5, 5),
            ]);
            t.is("dup", lock(Fd(must(sys!(SYS_dup, one)) as i32), F_OFD_SETLK, F_RDLCK, 0, 5));
            must(close(must(open(c"f", O_RDONLY))));
            t.is("kept", lock(two, F_OFD_SETLK, F_WRLCK, 0, 1));
            t.is("against_record", lock(one, F_SETLK, F_WRLCK, 5, 1));
            let mut with_pid = record(F_WRLCK, 0, 0, 0);
            with_pid[3] = 1;
            t.is("pid_set", fcntl(one, F_OFD_SETLK, &with_pid));
        }),
        plain("flock", |t| {
            let one = fresh();
            let two = must(open(c"f", O_RDONLY));
            t.put([
                flock(one, LOCK_EX),
                flock(two, LOCK_SH | LOCK_NB),
                flock(two, LOCK_EX | LOCK_NB),
                flock(one, LOCK_SH),
            ]);
            t.put([
                flock(two, LOCK_SH | LOCK_NB),
                flock(one, LOCK_EX | LOCK_NB),
                flock(two, LOCK_UN),
                flock(one, LOCK_EX | LOCK_NB),
            ]);
        }),
        plain("flock_refused", |t| {
            let one = fresh();
            t.put([
                flock(one, 0),
                flock(one, 15),
                flock(Fd(77), LOCK_EX),
                flock(one, LOCK_UN),
                flock(one, LOCK_SH | LOCK_EX),
            ]);
            t.is("pipe", flock(must(pipe(0)).0, LOCK_EX | LOCK_NB));
            t.is("directory", flock(must(open(c".", O_RDONLY)), LOCK_EX | LOCK_NB));
        }),
        plain("flock_shared_by_dup_and_fork", |t| {
            let one = fresh();
            must(flock(one, LOCK_EX));
            part(t, |t| t.put(flock(one, LOCK_EX | LOCK_NB)));
            must(close(Fd(must(sys!(SYS_dup, one)) as i32)));
            t.is("kept", flock(must(open(c"f", O_RDONLY)), LOCK_EX | LOCK_NB));
            part(t, |_| {
                must(flock(one, LOCK_UN));
            });
            t.is("dropped_by_child", flock(must(open(c"f", O_RDONLY)), LOCK_EX | LOCK_NB));
        }),
        plain("flock_lost_at_last_close", |t| {
            let one = fresh();
            must(flock(one, LOCK_EX));
            must(close(one));
            t.put(flock(must(open(c"f", O_RDONLY)), LOCK_EX | LOCK_NB));
        }),
        plain("flock_and_record_do_not_meet", |t| {
            let one = fresh();
            must(flock(one, LOCK_EX));
            part(t, |t| t.put(lock(must(open(c"f", O_RDWR)), F_SETLK, F_WRLCK, 0, 0)));
        }),
        plain("flock_waits", |t| {
            let one = fresh();
            must(flock(one, LOCK_EX));
            let child = spawn(|| i32::from(flock(must(open(c"f", O_RDONLY)), LOCK_EX).is_ok()));
            until_asleep(child);
            must(flock(one, LOCK_UN));
            t.put(reap(child));
        }),
    ],
};

fn fresh() -> Fd {
    file(c"f", "");
    must(open(c"f", O_RDWR))
}

/// A `struct flock`: type and whence, start, length, pid.
fn record(kind: i32, whence: i16, start: i64, length: i64) -> [u64; 4] {
    [kind as u16 as u64 | (whence as u16 as u64) << 16, start as u64, length as u64, 0]
}

fn lock(fd: Fd, command: i32, kind: i32, start: i64, length: i64) -> Answer {
    fcntl(fd, command, &record(kind, 0, start, length))
}

/// What stands against such a lock: kind, start and length.
fn query(fd: Fd, kind: i32, start: i64, length: i64) -> Answer<(&'static str, i64, i64)> {
    let mut what = record(kind, 0, start, length);
    fcntl(fd, F_GETLK, &mut what)?;
    let name = match what[0] as u16 as i32 {
        F_RDLCK => "read",
        F_WRLCK => "write",
        F_UNLCK => "free",
        _ => "?",
    };
    Ok((name, what[1] as i64, what[2] as i64))
}

fn flock(fd: Fd, operation: i32) -> Answer {
    sys!(SYS_flock, fd, operation)
}
