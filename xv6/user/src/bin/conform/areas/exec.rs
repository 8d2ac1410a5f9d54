//! execve(2) and execveat(2): what may be executed, the errors, scripts, and what a new program inherits.

use std::ffi::CStr;

use libc::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, O_CLOEXEC, O_PATH, O_RDONLY, O_RDWR, O_WRONLY, SIGUSR1};
use user::raw::expendable;

use crate::child::{end_of, part};
use crate::line::{Line, RESULT};
use crate::runner::{Area, plain, root};
use crate::sys::{Answer, CWD, Errno, Fd, chmod, file, mkdir, must, open, symlink, sys, text};

const PROGRAM: &CStr = c"../prog";

pub const AREA: Area = Area {
    name: "exec",
    checks: &[
        plain("missing", |t| t.put([exec(c"n", &[]), exec(c"", &[]), exec(c"n/x", &[])])),
        plain("kinds", |t| {
            must(mkdir(c"d"));
            must(symlink(c"self", c"self"));
            must(sys!(SYS_mknod, c"p", libc::S_IFIFO | 0o777, 0));
            t.put([
                exec(c"d", &[]),
                exec(c"self", &[]),
                exec(c"p", &[]),
                exec(c"/dev/null", &[]),
                exec(c"../prog/", &[]),
                exec(c"../prog/x", &[]),
            ]);
        }),
        plain("not_executable", |t| {
            file(c"f", "#!/x\n");
            t.put(exec(c"f", &[]));
            must(chmod(c"f", 0o077));
            t.is("owner_without_x", exec(c"f", &[]));
            must(mkdir(c"d"));
            file(c"d/f", "");
            must(chmod(c"d", 0o600));
            t.is("unsearchable", exec(c"d/f", &[]));
        }),
        root("root_needs_some_x", |t| {
            file(c"f", "");
            t.put(exec(c"f", &[]));
            must(chmod(c"f", 0o001));
            t.put(exec(c"f", &[]));
        }),
        plain("formats", |t| {
            for content in ["", "x", "text\n", "#!\n", "#! \n", "\u{7f}ELF", "#", "\0\0\0\0"] {
                script(content);
                t.put(exec(c"f", &[]));
            }
        }),
        plain("truncated_elf", |t| {
            let whole = must(std::fs::read("../prog").map_err(|_| Errno(libc::ENOENT)));
            for length in [16, 63, 64, 120] {
                must(std::fs::write("f", &whole[..length]).map_err(|_| Errno(libc::EIO)));
                must(chmod(c"f", 0o755));
                t.put(exec(c"f", &[]));
            }
        }),
        plain("foreign_elf", |t| {
            let whole = must(std::fs::read("../prog").map_err(|_| Errno(libc::ENOENT)));
            // Type, machine, size of a program header, number of them.
            for (at, value) in [(16, 1), (18, 40), (54, 1), (56, 0), (57, 0xff)] {
                let mut bytes = whole[..4096].to_vec();
                bytes[at] = value;
                if at == 56 {
                    bytes[57] = 0;
                }
                must(std::fs::write("f", &bytes).map_err(|_| Errno(libc::EIO)));
                must(chmod(c"f", 0o755));
                t.put(exec(c"f", &[]));
            }
        }),
        plain("busy_text", |t| {
            must(std::fs::copy("../prog", "f").map_err(|_| Errno(libc::EIO)));
            must(chmod(c"f", 0o755));
            let fd = must(open(c"f", O_WRONLY));
            t.put(exec(c"f", &[c"--helper", c"args"]));
            must(crate::sys::close(fd));
            t.put(exec(c"f", &[c"--helper", c"args", c"runs"]));
            let child = crate::child::spawn(|| execute(c"f", &[c"--helper", c"pause"], &[]).0);
            crate::child::until("it executes", || {
                std::fs::read_link(format!("/proc/{child}/exe")).is_ok_and(|path| path.ends_with("f"))
            });
            t.is("write", open(c"f", O_RDWR));
            t.is("truncate", sys!(SYS_truncate, c"f", 0));
            t.is("read", open(c"f", O_RDONLY));
            t.is("unlink", crate::sys::unlink(c"f"));
            crate::child::end(child);
        }),
        plain("arguments", |t| {
            run(t, PROGRAM, &[c"--helper", c"args", c"one", c"", c"two words"], &[]);
        }),
        plain("environment", |t| run(t, PROGRAM, &[c"--helper", c"env"], &[c"A=1", c"B=two"])),
        plain("no_arguments", |t| {
            t.put(in_child(|| sys!(SYS_execve, PROGRAM, &[0usize], &[0usize]).err().unwrap_or(Errno(0))));
            t.put(bare(PROGRAM));
        }),
        plain("bad_addresses", |t| {
            t.put([
                sys!(SYS_execve, 8, 0, 0),
                sys!(SYS_execve, PROGRAM, 8, 0),
                sys!(SYS_execve, PROGRAM, &[8usize, 0], 0),
                sys!(SYS_execve, PROGRAM, 0, 8),
            ]);
        }),
        plain("too_big", |t| {
            let long = text(&"x".repeat(131_071));
            let longer = text(&"x".repeat(131_072));
            t.put(exec(c"n", &[&long]));
            t.is("one_string", exec(PROGRAM, &[&longer]));
            must(sys!(SYS_prlimit64, 0, libc::RLIMIT_STACK, &[1u64 << 20, 1 << 20], 0));
            t.is("together", exec(PROGRAM, &[&long, &long, &long]));
        }),
        plain("script", |t| {
            script("#!../prog\n");
            run(t, c"./f", &[c"--helper", c"args", c"one"], &[]);
            script("#! \t../prog  \n");
            run(t, c"f", &[c"--helper", c"args", c"two"], &[]);
            script("#!../prog");
            run(t, c"f", &[c"--helper", c"args", c"no line end"], &[]);
        }),
        plain("script_arguments", |t| {
            // All words after the first are one argument, the script's name the next.
            script("#!../prog --helper\n");
            t.put(exec(c"f", &[]));
            script("#!../prog --helper args  x y \n");
            t.put(exec(c"f", &[c"--helper", c"args", c"z"]));
            script("#!../prog -x\n");
            run(t, c"f", &[c"--helper", c"all", c"one"], &[]);
        }),
        plain("script_without_interpreter", |t| {
            script("#!nowhere\n");
            t.put(exec(c"f", &[]));
            script("#!.\n");
            t.put(exec(c"f", &[]));
            file(c"g", "");
            script("#!g\n");
            t.put(exec(c"f", &[]));
        }),
        plain("script_nesting", |t| {
            file(c"s0", "#!../prog\n");
            must(chmod(c"s0", 0o755));
            for i in 1..=6 {
                let name = text(&format!("s{i}"));
                file(&name, &format!("#!s{}\n", i - 1));
                must(chmod(&name, 0o755));
            }
            t.put([c"s3", c"s4", c"s5", c"s6"].map(bare));
        }),
        plain("script_itself", |t| {
            script("#!f\n");
            t.put(exec(c"f", &[]));
        }),
        plain("script_long_line", |t| {
            script(&format!("#!{}\n", "x".repeat(300)));
            t.put(exec(c"f", &[]));
            script(&format!("#!../prog {}\n", "x".repeat(300)));
            t.put(bare(c"f"));
        }),
        plain("execveat", |t| {
            let directory = must(open(c"..", O_PATH));
            let at = |fd: Fd, path: &CStr, flags: i32| {
                in_child(|| {
                    sys!(SYS_execveat, fd, path, &[c"prog".as_ptr().expose_provenance(), 0], 0, flags)
                        .err()
                        .unwrap_or(Errno(0))
                })
            };
            t.put([
                at(directory, c"prog", 0),
                at(directory, c"n", 0),
                at(Fd(77), c"prog", 0),
                at(directory, c"prog", 1),
            ]);
            t.put([
                at(must(open(PROGRAM, O_PATH)), c"", AT_EMPTY_PATH),
                at(must(open(PROGRAM, O_RDONLY)), c"", 0),
                at(directory, c"", AT_EMPTY_PATH),
            ]);
            must(symlink(c"../prog", c"l"));
            t.put([at(CWD, c"l", AT_SYMLINK_NOFOLLOW), at(CWD, c"l", 0)]);
        }),
        plain("descriptors", |t| {
            file(c"f", "");
            must(sys!(SYS_dup2, must(open(c"f", O_RDONLY | O_CLOEXEC)), 40));
            must(sys!(SYS_dup3, 40, 41, O_CLOEXEC));
            must(sys!(SYS_close_range, 3, 39, 0));
            run(t, PROGRAM, &[c"--helper", c"fds"], &[]);
        }),
        plain("signals", |t| {
            must(sys!(SYS_rt_sigaction, libc::SIGUSR2, &[1u64, 0, 0, 0], 0, 8));
            must(expendable::catch(SIGUSR1, 0, 0).map_err(Errno));
            must(sys!(SYS_rt_sigprocmask, libc::SIG_BLOCK, &[1u64 << 9], 0, 8));
            // Rust's start ignores SIGPIPE and catches faults.
            must(sys!(SYS_kill, crate::sys::getpid(), 10));
            run(t, PROGRAM, &[c"--helper", c"status", c"SigBlk", c"SigIgn", c"SigCgt"], &[]);
        }),
        plain("pending_signals_stay", |t| {
            must(sys!(SYS_rt_sigprocmask, libc::SIG_BLOCK, &[1u64 << 9], 0, 8));
            part(t, |t| {
                must(sys!(SYS_kill, crate::sys::getpid(), 10));
                run_here(t, PROGRAM, &[c"--helper", c"status", c"SigPnd", c"ShdPnd"], &[]);
            });
        }),
        plain("name", |t| run(t, PROGRAM, &[c"--helper", c"status", c"Name"], &[])),
        plain("proc_exe", |t| {
            t.put(std::fs::read_link("/proc/self/exe").is_ok_and(|path| path.ends_with("conform")));
            t.put(bare(&text("../prog")));
        }),
        root("setuid_program", |t| {
            must(std::fs::copy("../prog", "f").map_err(|_| Errno(libc::EIO)));
            must(sys!(SYS_chown, c"f", 1000, 1001));
            for bits in [0o755, 0o4755, 0o6755] {
                must(chmod(c"f", bits));
                run(t, c"f", &[c"--helper", c"ids"], &[]);
            }
            must(chmod(c"f", 0o4755));
            part(t, |t| {
                must(sys!(SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
                run(t, c"f", &[c"--helper", c"ids"], &[]);
            });
        }),
        root("setuid_script_is_not", |t| {
            file(c"f", "#!../prog\n");
            must(sys!(SYS_chown, c"f", 1000, 1000));
            must(chmod(c"f", 0o4755));
            t.put(bare(c"f"));
        }),
        root("capabilities_after_exec", |t| {
            let show = |t: &mut Line| run_here(t, PROGRAM, &[c"--helper", c"status", c"CapInh", c"CapAmb"], &[]);
            part(t, show);
            part(t, |t| {
                must(sys!(SYS_setresuid, 1000, 1000, 1000));
                run_here(t, PROGRAM, &[c"--helper", c"status", c"CapPrm", c"CapEff"], &[]);
            });
            part(t, |t| {
                must(sys!(SYS_prctl, libc::PR_SET_KEEPCAPS, 1));
                must(sys!(SYS_setresuid, 1000, 1000, 1000));
                run_here(t, PROGRAM, &[c"--helper", c"status", c"CapPrm", c"CapEff"], &[]);
            });
        }),
        plain("threads_end", |t| {
            // Often: the other thread may be anywhere on its way to its pause.
            let ends = (0..50).map(|_| {
                end_of(|| {
                    std::thread::spawn(|| {
                        loop {
                            let _ = sys!(SYS_pause);
                        }
                    });
                    sys!(
                        SYS_execve,
                        PROGRAM,
                        &[c"prog".as_ptr().expose_provenance(), c"--helper".as_ptr().expose_provenance(), 0],
                        &[0usize]
                    )
                    .map_or_else(|errno| errno.0, |_| 0)
                })
            });
            let mut ends: Vec<_> = ends.collect();
            ends.dedup();
            ends.into_iter().for_each(|end| t.put(end));
        }),
        plain("pid_stays", |t| {
            let (r, w) = must(crate::sys::pipe(0));
            let child = crate::child::spawn(|| {
                must(sys!(SYS_dup2, w, 1));
                execute(PROGRAM, &[c"--helper", c"status", c"Pid"], &[]).0
            });
            t.put(crate::child::reap(child));
            t.put(crate::sys::read(r, 64).map(|text| text.contains(&format!("Pid:{child}]"))));
        }),
    ],
};

/// Executable file `f` with this content.
fn script(content: &str) {
    let _ = crate::sys::unlink(c"f");
    file(c"f", content);
    must(chmod(c"f", 0o755));
}

/// The status of a child that could not execute: its errno then is in the pipe that an exec closes.
const NOT_EXECUTED: i32 = 111;

/// execve(2) of `path` in a child, with itself as argument 0: the errno, or how the program ended. Its output is the line's.
fn exec(path: &CStr, arguments: &[&CStr]) -> Answer<crate::child::Ended> {
    in_child(|| execute(path, arguments, &[]))
}

/// Runs `step` in a child: the errno it comes back with, or how the child ended.
fn in_child(step: impl FnOnce() -> Errno) -> Answer<crate::child::Ended> {
    let (r, w) = must(crate::sys::pipe(O_CLOEXEC));
    let child = crate::child::spawn(|| {
        must(sys!(SYS_dup2, RESULT, 1));
        must(sys!(SYS_write, w, &[step().0], 4));
        NOT_EXECUTED
    });
    must(crate::sys::close(w));
    let mut errno = [0i32];
    let told = must(sys!(SYS_read, r, &mut errno, 4));
    must(crate::sys::close(r));
    let ended = crate::child::reap(child)?;
    if told == 0 { Ok(ended) } else { Err(Errno(errno[0])) }
}

/// Executes `path` with no argument, not even a name.
fn bare(path: &CStr) -> Answer<crate::child::Ended> {
    in_child(|| sys!(SYS_execve, path, 0, 0).err().unwrap_or(Errno(0)))
}

/// Executes `path` in a child, whose output is the line's.
fn run(line: &mut Line, path: &CStr, arguments: &[&CStr], environment: &[&CStr]) {
    part(line, |line| run_here(line, path, arguments, environment));
}

fn run_here(line: &mut Line, path: &CStr, arguments: &[&CStr], environment: &[&CStr]) {
    must(sys!(SYS_dup2, RESULT, 1));
    line.put(Err::<(), _>(execute(path, arguments, environment)));
}

fn execute(path: &CStr, arguments: &[&CStr], environment: &[&CStr]) -> Errno {
    let words = |first: Option<&CStr>, rest: &[&CStr]| -> Vec<usize> {
        let all = first.into_iter().chain(rest.iter().copied());
        all.map(|word| word.as_ptr().expose_provenance()).chain([0]).collect()
    };
    let (arguments, environment) = (words(Some(path), arguments), words(None, environment));
    sys!(SYS_execve, path, arguments.as_slice(), environment.as_slice()).err().unwrap_or(Errno(0))
}
