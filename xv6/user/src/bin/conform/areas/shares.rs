//! Shares of the machine: what getrusage(2) and wait4(2) tell of what was used, and who gets the CPU: priorities, policies, affinity.

use user::raw::expendable::store;

use crate::child::{reap, spawn};
use crate::line::Hex;
use crate::runner::{Area, plain};
use crate::sys::{memory, must, open, sys};

pub const AREA: Area = Area {
    name: "processes",
    checks: &[
        plain("priority", |t| {
            let nice = |which: i32, who: i32| sys!(SYS_getpriority, which, who);
            t.put([nice(0, 0), nice(9, 0), nice(0, 1 << 22)]);
            t.put([
                sys!(SYS_setpriority, 0, 0, 5),
                nice(0, 0),
                sys!(SYS_setpriority, 0, 0, 99),
                nice(0, 0),
                sys!(SYS_setpriority, 0, 0, 0),
            ]);
            must(sys!(SYS_prlimit64, 0, libc::RLIMIT_NICE, &[0u64, 0], 0));
            t.is("lower", sys!(SYS_setpriority, 0, 0, -5));
        }),
        plain("usage_of_children", |t| {
            let mut before = [0i64; 18];
            t.put(sys!(SYS_getrusage, libc::RUSAGE_CHILDREN, &mut before));
            t.put(before[..4].to_vec());
            t.put(sys!(SYS_getrusage, 9, &mut before));
            t.put(sys!(SYS_getrusage, 0, 8));
            t.put(sys!(SYS_getrusage, libc::RUSAGE_THREAD, &mut before));
        }),
        plain("memory_of_children", |t| {
            const KIB: i64 = 6 << 10;
            let usage = || {
                let mut usage = [0i64; 18];
                must(sys!(SYS_getrusage, libc::RUSAGE_CHILDREN, &mut usage));
                usage
            };
            let large = |usage: &[i64; 18]| [usage[4] >= KIB, usage[8] >= KIB / 4, usage[16] > 0];
            let before = usage();
            let child = spawn(|| {
                let fresh = memory(KIB as usize / 4);
                for page in (0..KIB as usize / 4).rev() {
                    store(fresh + page * 4096, 1);
                }
                must(sys!(SYS_munmap, fresh, KIB << 10));
                must(sys!(SYS_nanosleep, &[0i64, 1_000_000], 0));
                0
            });
            let (mut status, mut of_child) = ([0i32], [0i64; 18]);
            must(sys!(SYS_wait4, child, &mut status, 0, &mut of_child));
            t.is("wait4", large(&of_child));
            t.is("getrusage", large(&usage()));
            // A later, smaller one does not lower the peak.
            must(reap(spawn(|| 0)));
            t.is("kept", usage()[4] == before[4].max(of_child[4]));
        }),
        plain("faults_of_threads", |t| {
            const PAGES: usize = 64;
            let faults = |who| {
                let mut usage = [0i64; 18];
                must(sys!(SYS_getrusage, who, &mut usage));
                usage[8] as usize
            };
            let before = [libc::RUSAGE_SELF, libc::RUSAGE_THREAD].map(faults);
            let thread = std::thread::spawn(move || {
                let fresh = memory(PAGES);
                // Downwards, so that no kernel fills ahead.
                for page in (0..PAGES).rev() {
                    store(fresh + page * 4096, 1);
                }
                let own = faults(libc::RUSAGE_THREAD);
                let zeros = must(open(c"/dev/zero", libc::O_RDONLY));
                must(sys!(SYS_read, zeros, memory(PAGES), PAGES * 4096));
                (own >= PAGES, faults(libc::RUSAGE_THREAD) - own >= PAGES / 8)
            });
            let (own, by_a_call) = thread.join().unwrap_or_default();
            t.is("its_own", own);
            t.is("by_a_call", by_a_call);
            let after = [libc::RUSAGE_SELF, libc::RUSAGE_THREAD].map(faults);
            t.is("of_all", after[0] - before[0] >= PAGES);
            t.is("not_another_thread's", after[1] - before[1] < PAGES);
        }),
        plain("sched", |t| {
            let mut set = [0u64; 16];
            t.put(sys!(SYS_sched_getaffinity, 0, 4, &mut set));
            t.put(sys!(SYS_sched_getaffinity, 1 << 22, 128, &mut set));
            t.put(sys!(SYS_sched_setaffinity, 0, 8, &[0u64]));
            t.put(sys!(SYS_sched_setaffinity, 0, 8, &[1u64]));
            must(sys!(SYS_sched_getaffinity, 0, 128, &mut set));
            t.put(Hex(set[0]));
            t.put(sys!(SYS_sched_yield));
            t.put([
                sys!(SYS_sched_getscheduler, 0),
                sys!(SYS_sched_getscheduler, 1 << 22),
                sys!(SYS_sched_getscheduler, -1),
            ]);
            t.put([
                sys!(SYS_sched_get_priority_max, 0),
                sys!(SYS_sched_get_priority_max, 1),
                sys!(SYS_sched_get_priority_min, 1),
                sys!(SYS_sched_get_priority_max, 77),
            ]);
            t.put(sys!(SYS_sched_setscheduler, 0, 0, &[1i32]));
            t.is("of_no_thread", [sys!(SYS_sched_getaffinity, -1, 128, &mut set), sys!(SYS_getpriority, 0, -1)]);
            t.is(
                "parameters",
                [
                    sys!(SYS_sched_setparam, 0, &[0i32]),
                    sys!(SYS_sched_setparam, 0, &[1i32]),
                    sys!(SYS_sched_setparam, -1, &[0i32]),
                    sys!(SYS_sched_setparam, 1 << 22, &[0i32]),
                    sys!(SYS_sched_setparam, 0, 8),
                    sys!(SYS_sched_rr_get_interval, -1, &mut set),
                    sys!(SYS_sched_rr_get_interval, 1 << 22, &mut set),
                    sys!(SYS_sched_rr_get_interval, 0, 8),
                    sys!(SYS_sched_rr_get_interval, 0, &mut set),
                ],
            );
            t.is(
                "policies",
                [3, 5, 0, 77].map(|policy| {
                    let answer = sys!(SYS_sched_setscheduler, 0, policy, &[0i32]);
                    (
                        answer,
                        sys!(SYS_sched_getscheduler, 0),
                        reap(spawn(|| must(sys!(SYS_sched_getscheduler, 0)) as i32)),
                    )
                }),
            );
        }),
    ],
};
