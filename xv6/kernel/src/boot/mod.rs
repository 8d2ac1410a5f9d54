//! From `kernel_main` to the first program.
//!
//! ```text
//!   first CPU   options, interrupt handlers, drivers, kernel threads ─ start the other CPUs ─ schedule
//!   "boot"      (a kernel thread: it may sleep on disks)  root ─ /dev ─ /dev/console ─ load init ─ process 1
//! ```
//!
//! What fails before process 1 runs is told in one line, and the machine ends: there is nobody else to tell.

mod options;

use crate::cgroup;
use crate::drivers::klog;
use crate::error::Result;
use crate::exec::{self, Program};
use crate::mm;
use crate::ns::{CgroupNamespace, IpcNamespace, NetNamespace, NsProxy, PidNamespace, UserNamespace, UtsNamespace};
use crate::task::{self, Cred, sched};
use crate::time::timer;
use crate::tty;
use crate::vfs::file::OpenFlags;
use crate::vfs::{self, FdTable, Walk, WalkFlags, open};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use hal::log::Level;
use options::Options;

/// Memory that a task is reckoned to need (kernel stack, page tables, structures), in frames: it bounds how many there may be.
const FRAMES_PER_TASK: usize = 32;

/// The first CPU's way into the scheduler. `hal` calls it (through the binary's entry symbol) when the machine is set up.
pub fn main() -> ! {
    let options = Options::parse(hal::boot::cmdline());
    hal::log::set_console_level(options.log_level);
    hal::panic::set_hook(name_task);
    hal::irq::on_timer(timer::interrupt);
    hal::irq::on_kick(kicked);
    klog::init();
    tty::console::init(options.window);
    mm::oom::set_killer(task::oom::kill_biggest);
    mm::set_payer_finder(task::oom::payer);
    let tasks = (hal::frame::total() / FRAMES_PER_TASK) as u64;
    cgroup::set_task_limit(tasks, (tasks / 16).max(64));
    spawn("console", tty::console::listen);
    spawn("flusher", mm::run_flusher);
    spawn("boot", run_init);
    hal::boot::start_others(sched::start_cpu);
    sched::start_cpu()
}

/// Another CPU, or this one in an awkward moment, has asked for attention.
fn kicked() {
    sched::kicked();
    klog::kicked();
}

fn spawn(name: &'static str, body: fn()) {
    if let Err(error) = task::spawn_kernel(name, body) {
        panic!("starting the kernel thread {name}: {error:?}");
    }
}

/// The panic screen's line about the running task.
fn name_task(out: &mut dyn Write) {
    if let Some(task) = task::try_current() {
        let nr = task.tid().nr_in(PidNamespace::initial()).unwrap_or(0);
        let _ = writeln!(out, "task {nr} ({})", task.comm().escape_ascii());
    }
}

/// The "boot" kernel thread.
fn run_init() {
    let options = Options::parse(hal::boot::cmdline());
    if let Err((error, what)) = start_init(&options) {
        // The harness knows this line.
        hal::log::record(Level::Emergency, format_args!("xv6: cannot boot: {what}: {error:?}"));
        crate::power::exit(1);
    }
}

/// A step's error with what it was for.
trait During<T> {
    fn step(self, what: &'static str) -> core::result::Result<T, (crate::error::Error, &'static str)>;
}

impl<T> During<T> for Result<T> {
    fn step(self, what: &'static str) -> core::result::Result<T, (crate::error::Error, &'static str)> {
        self.map_err(|error| (error, what))
    }
}

fn start_init(options: &Options<'_>) -> core::result::Result<(), (crate::error::Error, &'static str)> {
    let user = UserNamespace::initial();
    let (mnt, fs) = vfs::boot::init(options.root).step("mounting the root disk (root=)")?;
    let root = fs.root();
    let ns = NsProxy {
        mnt,
        uts: UtsNamespace::initial(),
        ipc: IpcNamespace::new(user.clone()),
        net: NetNamespace::new(user.clone()),
        cgroup: CgroupNamespace::new(user.clone(), cgroup::root()),
        pid_for_children: PidNamespace::initial().clone(),
    };
    let ctx = Walk { root: root.clone(), start: root, cred: Cred::root() };
    let files = FdTable::new();
    let console = open::open(&ctx, b"/dev/console", OpenFlags::RDWR | OpenFlags::NOCTTY, 0, WalkFlags::empty())
        .step("opening /dev/console")?;
    for _ in 0..3 {
        files.insert(console.clone(), false).step("giving init the console")?;
    }
    let path = options.init.as_bytes();
    let file = exec::open_program(&ctx, path, WalkFlags::empty()).step("opening init (init=)")?;
    let mut argv = Vec::from([path.to_vec()]);
    argv.extend(options.arguments.iter().cloned());
    let program = Program { file, path: path.to_vec(), argv, envp: options.environment.clone() };
    let image = exec::load(&ctx, None, program).step("loading init (init=)")?;
    task::start_init(image, Arc::new(files), Arc::new(fs), ns).step("starting init")?;
    hal::log::record(Level::Info, format_args!("init: started {}", options.init));
    Ok(())
}
