//! ptrace(2): stepping, registers, events, what the tracer's end does, and who may ask.

use libc::{
    PTRACE_CONT, PTRACE_DETACH, PTRACE_EVENT_CLONE, PTRACE_EVENT_EXEC, PTRACE_EVENT_EXIT, PTRACE_EVENT_FORK,
    PTRACE_EVENT_STOP, PTRACE_GETEVENTMSG, PTRACE_GETREGS, PTRACE_GETSIGINFO, PTRACE_INTERRUPT, PTRACE_O_EXITKILL,
    PTRACE_O_TRACECLONE, PTRACE_O_TRACEEXEC, PTRACE_O_TRACEEXIT, PTRACE_O_TRACEFORK, PTRACE_O_TRACESYSGOOD,
    PTRACE_PEEKTEXT, PTRACE_PEEKUSER, PTRACE_POKETEXT, PTRACE_POKEUSER, PTRACE_SEIZE, PTRACE_SETOPTIONS,
    PTRACE_SETREGS, PTRACE_SINGLESTEP, PTRACE_SYSCALL, PTRACE_TRACEME, SIGCHLD, SIGKILL, SIGSTOP,
};

use crate::child::{Ended, Gate, end, end_of, exit, part, reap, signal_name, spawn, state, until};
use crate::runner::{Area, plain};
use crate::sys::{Answer, getpid, kill, must, sys};

/// `struct user_regs_struct`: how many words, and where the ones used here are.
const WORDS: usize = 27;
const R15: usize = 0;
const RAX: usize = 10;
const ORIG_RAX: usize = 15;
const RIP: usize = 16;
const CS: usize = 17;
const EFLAGS: usize = 18;
const FS_BASE: usize = 21;

/// The CPU's trap flag.
const TRAP_FLAG: u64 = 0x100;
/// A `syscall` instruction.
const SYSCALL: u64 = 0x050f;
/// An `int3` instruction.
const INT3: u64 = 0xcc;
/// wait4(2): children of every kind.
const WALL: i32 = 0x4000_0000;

pub const AREA: Area = Area {
    name: "ptrace",
    checks: &[
        plain("singlestep", |t| {
            let child = traced(|| {
                must(sys!(SYS_getppid));
                3
            });
            let mut seen = Vec::new();
            for _ in 0..5 {
                let before = registers(child)[RIP];
                must(ptrace(PTRACE_SINGLESTEP, child, 0, 0));
                let stop = stop(child);
                let mut info = [0i32; 32];
                must(sys!(SYS_ptrace, PTRACE_GETSIGINFO, child, 0, &mut info));
                let now = registers(child);
                seen.push(format!("{stop}/{}/{}/{}", info[2], now[RIP] != before, now[EFLAGS] & TRAP_FLAG));
            }
            // The first may still be the system call that it stopped in.
            seen.remove(0);
            seen.dedup();
            t.put(seen);
            for _ in 0..20_000 {
                let here = registers(child)[RIP];
                if peek(child, here) & 0xffff == SYSCALL {
                    must(ptrace(PTRACE_SINGLESTEP, child, 0, 0));
                    let stop = stop(child);
                    let now = registers(child);
                    let parent = u64::from(getpid().unsigned_abs());
                    t.is("over_a_call", (stop, now[RIP].wrapping_sub(here)));
                    t.is("its_result", now[RAX] == parent);
                    break;
                }
                must(ptrace(PTRACE_SINGLESTEP, child, 0, 0));
                must(reap_stop(child));
            }
            must(ptrace(PTRACE_CONT, child, 0, 0));
            t.put(reap(child));
        }),
        plain("breakpoint", |t| {
            let child = traced(|| 4);
            let here = registers(child)[RIP];
            let word = peek(child, here);
            t.put(ptrace(PTRACE_POKETEXT, child, here as usize, (word & !0xff | INT3) as usize));
            go(child);
            t.put(stop(child));
            let mut info = [0i32; 32];
            must(sys!(SYS_ptrace, PTRACE_GETSIGINFO, child, 0, &mut info));
            let mut now = registers(child);
            t.put((info[2], now[RIP].wrapping_sub(here)));
            must(ptrace(PTRACE_POKETEXT, child, here as usize, word as usize));
            now[RIP] = here;
            must(set_registers(child, &now));
            go(child);
            t.put(reap(child));
        }),
        plain("registers", |t| {
            let child = traced(|| 0);
            let old = registers(child);
            let mut new = old;
            (new[R15], new[EFLAGS]) = (0x1234_5678_9abc_def0, old[EFLAGS] | 0x3_3001);
            t.put(set_registers(child, &new));
            let now = registers(child);
            t.put((now[R15] == new[R15], crate::line::Hex((now[EFLAGS] ^ old[EFLAGS]) & !1)));
            let refused = [(CS, 0), (FS_BASE, 1 << 63)].map(|(word, value)| {
                let mut bad = old;
                bad[word] = value;
                set_registers(child, &bad)
            });
            t.is("refused", refused);
            t.is(
                "by_word",
                [
                    ptrace(PTRACE_POKEUSER, child, 8 * R15, 77),
                    ptrace(PTRACE_POKEUSER, child, 8 * R15 + 1, 77),
                    ptrace(PTRACE_POKEUSER, child, 1 << 20, 77),
                    ptrace(PTRACE_POKEUSER, child, 8 * CS, 0),
                ],
            );
            let mut word = [0u64];
            t.put(sys!(SYS_ptrace, PTRACE_PEEKUSER, child, 8 * R15, &mut word));
            t.put((word[0], registers(child)[R15]));
            t.put([
                sys!(SYS_ptrace, PTRACE_PEEKUSER, child, 3, &mut word),
                sys!(SYS_ptrace, PTRACE_PEEKUSER, child, 1 << 20, &mut word),
                sys!(SYS_ptrace, PTRACE_GETREGS, child, 0, 16),
                sys!(SYS_ptrace, PTRACE_SETREGS, child, 0, 16),
            ]);
            end(child);
        }),
        plain("changes_a_call", |t| {
            let child =
                traced(|| i32::from(must(sys!(SYS_getppid)) == 4321) + 2 * i32::from(sys!(SYS_getppid).is_err()));
            must(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD as usize));
            // Twice on the way in and out of getppid(2): its result is changed, then it is not made at all.
            let mut calls = 0;
            while calls < 2 {
                must(ptrace(PTRACE_SYSCALL, child, 0, 0));
                must(reap_stop(child));
                let mut regs = registers(child);
                if regs[ORIG_RAX] as i64 != libc::SYS_getppid {
                    continue;
                }
                if calls == 1 {
                    regs[ORIG_RAX] = u64::MAX;
                    must(set_registers(child, &regs));
                }
                must(ptrace(PTRACE_SYSCALL, child, 0, 0));
                t.put(stop(child));
                let mut regs = registers(child);
                t.put(regs[RAX] as i64 == i64::from(getpid()));
                if calls == 0 {
                    regs[RAX] = 4321;
                    must(set_registers(child, &regs));
                }
                calls += 1;
            }
            must(ptrace(PTRACE_CONT, child, 0, 0));
            t.put(reap(child));
        }),
        plain("events", |t| {
            let child = traced(|| {
                let grandchild = must(sys!(SYS_fork)) as i32;
                if grandchild == 0 {
                    exit(7);
                }
                must(reap(grandchild));
                let _ = std::thread::spawn(|| ()).join();
                let words = [c"prog".as_ptr().expose_provenance(), c"--helper".as_ptr().expose_provenance(), 0];
                let _ = sys!(SYS_execve, c"../prog", &words, &[0usize]);
                1
            });
            let events = PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;
            must(ptrace(PTRACE_SETOPTIONS, child, 0, events as usize));
            go(child);
            t.is("fork", stop(child));
            let grandchild = message(child) as i32;
            t.put(stop(grandchild));
            go(grandchild);
            t.put((stop(grandchild), message(grandchild)));
            go(grandchild);
            t.put(stop(grandchild));
            go(child);
            t.is("clone", stop(child));
            let thread = message(child) as i32;
            t.put((stop(thread), thread != child));
            go(child);
            go(thread);
            t.put((stop(thread), message(thread)));
            go(thread);
            t.put(stop(thread));
            t.is("exec", stop(child));
            t.put(message(child) == u64::from(child.unsigned_abs()));
            go(child);
            t.is("exit", (stop(child), message(child)));
            go(child);
            t.put(stop(child));
        }),
        plain("exitkill", |t| {
            for (label, options) in [("kills", PTRACE_O_EXITKILL), ("lets_go", 0)] {
                let target = any_tracer_sleeper();
                part(t, |t| t.put(ptrace(PTRACE_SEIZE, target, 0, options as usize)));
                if options == 0 {
                    until("untraced", || tracer(target) == "0");
                    // It may still be on its way to its sleep.
                    until("at rest", || state(target) != 'R');
                    t.is(label, state(target).to_string());
                    must(kill(target, SIGKILL));
                }
                t.is(label, reap(target));
            }
        }),
        plain("tracer_is_a_thread", |t| {
            let target = any_tracer_sleeper();
            let (seized, looked) = (Gate::new(), Gate::new());
            let thread = std::thread::spawn(move || {
                let answer = ptrace(PTRACE_SEIZE, target, 0, 0);
                seized.open();
                looked.wait();
                answer.and_then(|_| ptrace(PTRACE_INTERRUPT, target, 0, 0)).map(|_| stop(target))
            });
            seized.wait();
            t.is("another_thread", ptrace(PTRACE_INTERRUPT, target, 0, 0));
            looked.open();
            t.is("the_thread", thread.join().unwrap_or(Ok("panic".to_owned())));
            until("untraced", || tracer(target) == "0");
            t.is("after_it", [ptrace(PTRACE_DETACH, target, 0, 0)]);
            end(target);
        }),
        plain("traceme_names_the_thread", |t| {
            let fork = |ready: Gate| match must(sys!(SYS_clone, SIGCHLD, 0, 0, 0, 0)) {
                0 => {
                    ready.wait();
                    must(ptrace(PTRACE_TRACEME, 0, 0, 0));
                    must(kill(getpid(), SIGSTOP));
                    exit(7)
                }
                child => child as i32,
            };
            let (looked, (tell, told)) = (Gate::new(), std::sync::mpsc::channel());
            let thread = std::thread::spawn(move || {
                let ready = Gate::new();
                let child = fork(ready);
                ready.open();
                let first = stop(child);
                let _ = tell.send(child);
                looked.wait();
                let answer = ptrace(PTRACE_CONT, child, 0, 0).map(|_| stop(child));
                (first, answer)
            });
            let child = told.recv().unwrap_or(0);
            t.is("another_thread", [ptrace(PTRACE_SETOPTIONS, child, 0, 0), ptrace(PTRACE_CONT, child, 0, 0)]);
            looked.open();
            let (first, answer) = thread.join().unwrap_or((String::new(), Ok(String::new())));
            t.is("the_thread", (first, answer));
            // When that has ended, it is another of the parent's.
            let ready = Gate::new();
            let child = std::thread::spawn(move || fork(ready)).join().unwrap_or(0);
            ready.open();
            t.is("after_it", stop(child));
            t.put(ptrace(PTRACE_CONT, child, 0, 0));
            t.put(stop(child));
        }),
        plain("refused", |t| {
            t.put([ptrace(PTRACE_CONT, getpid(), 0, 0), ptrace(PTRACE_SEIZE, getpid(), 0, 0), ptrace(9999, 1, 0, 0)]);
            t.put(end_of(|| {
                i32::from(ptrace(PTRACE_TRACEME, 0, 0, 0).is_ok() && ptrace(PTRACE_TRACEME, 0, 0, 0).is_err())
            }));
            let child = traced(|| 0);
            t.put([
                ptrace(PTRACE_SETOPTIONS, child, 0, 1 << 30),
                ptrace(PTRACE_CONT, child, 0, 65),
                ptrace(PTRACE_INTERRUPT, child, 0, 0),
                ptrace(9999, child, 0, 0),
                ptrace(PTRACE_CONT, child, 0, 0),
            ]);
            t.put(reap(child));
        }),
    ],
};

fn ptrace(request: i32, pid: i32, address: usize, data: usize) -> Answer {
    sys!(SYS_ptrace, request, pid, address, data)
}

/// A child that is traced and stopped by its own `SIGSTOP`, about to run `life`.
fn traced(life: impl FnOnce() -> i32) -> i32 {
    let child = spawn(|| {
        must(ptrace(PTRACE_TRACEME, 0, 0, 0));
        must(kill(getpid(), SIGSTOP));
        life()
    });
    must(reap_stop(child));
    child
}

/// A sleeping child that lets anybody trace it, where that must be said (Yama).
fn any_tracer_sleeper() -> i32 {
    let ready = Gate::new();
    let child = spawn(|| {
        let _ = sys!(SYS_prctl, 0x5961_6d61, u64::MAX, 0, 0, 0);
        ready.open();
        loop {
            let _ = sys!(SYS_pause);
        }
    });
    ready.wait();
    child
}

/// The next stop or end of `pid`, as wait4(2) has it.
fn reap_stop(pid: i32) -> Answer<i32> {
    let mut status = [0i32];
    sys!(SYS_wait4, pid, &mut status, WALL, 0).map(|_| status[0])
}

/// The next stop or end of `pid` but for one by `SIGCHLD`, which goes on: `SIGTRAP`, `SIGTRAP|0x80`, `fork`, `exit-7`.
fn stop(pid: i32) -> String {
    loop {
        let status = match reap_stop(pid) {
            Ok(status) => status,
            Err(errno) => return errno.name(),
        };
        if status & 0xff != 0x7f {
            let mut text = String::new();
            crate::line::Show::show(&Ended(status), &mut text);
            return text;
        }
        let (signal, event) = ((status >> 8) & 0xff, status >> 16);
        if signal == SIGCHLD && event == 0 {
            must(ptrace(PTRACE_CONT, pid, 0, SIGCHLD as usize));
            continue;
        }
        return match event {
            0 if signal & 0x80 != 0 => format!("{}|0x80", signal_name(signal & 0x7f)),
            0 => signal_name(signal),
            PTRACE_EVENT_FORK => "fork".to_owned(),
            PTRACE_EVENT_CLONE => "clone".to_owned(),
            PTRACE_EVENT_EXEC => "exec".to_owned(),
            PTRACE_EVENT_EXIT => "exit".to_owned(),
            PTRACE_EVENT_STOP => format!("stop/{}", signal_name(signal)),
            other => other.to_string(),
        };
    }
}

fn go(pid: i32) {
    must(ptrace(PTRACE_CONT, pid, 0, 0));
}

fn message(pid: i32) -> u64 {
    let mut message = [0u64];
    must(sys!(SYS_ptrace, PTRACE_GETEVENTMSG, pid, 0, &mut message));
    message[0]
}

fn registers(pid: i32) -> [u64; WORDS] {
    let mut registers = [0; WORDS];
    must(sys!(SYS_ptrace, PTRACE_GETREGS, pid, 0, &mut registers));
    registers
}

fn set_registers(pid: i32, registers: &[u64; WORDS]) -> Answer {
    sys!(SYS_ptrace, PTRACE_SETREGS, pid, 0, registers)
}

fn peek(pid: i32, address: u64) -> u64 {
    let mut word = [0u64];
    must(sys!(SYS_ptrace, PTRACE_PEEKTEXT, pid, address, &mut word));
    word[0]
}

/// `TracerPid` of a process.
fn tracer(pid: i32) -> String {
    let lines = crate::sys::lines(&format!("/proc/{pid}/status"));
    lines.iter().find_map(|line| line.strip_prefix("TracerPid:")).unwrap_or("none").trim().to_owned()
}
