//! `conductor run`: a new container, in the foreground or (`-d`) under a monitor of its own.
//!
//! Reserve, then commit: the record and the cgroup are made first, and a start that fails takes them back.

use crate::args::{Monitor, Run};
use crate::error::{Context, Result};
use crate::monitor::{self, Started, Wishes};
use crate::plan::{Config, Place, Plan};
use crate::start::Start;
use crate::store::{self, State, Store};
use crate::{cgroup, image, layers, names, process, start, terminal};
use rustix::fd::AsRawFd;
use rustix::io::FdFlags;
use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

/// Runs the verb. The exit status is the command's, or 0 with `-d`.
pub fn run(args: &Run) -> Result<u8> {
    let image = image::find(&args.image)?;
    let config = Config::resolve(args, &image, names::random_id()?)?;
    let store = Store::open()?;
    store.sweep()?;
    layers::mount(&store, &config.layers)?;
    let start = Start::begin(&store, &config.id)?;
    if let Err(failure) = store.add(&config) {
        start.end()?;
        return Err(failure);
    }
    drop(store);
    let result = if args.detach { start_monitor(&config) } else { attend(&config, start, true, announce) };
    if result.is_err() {
        forget(&config);
    }
    result
}

/// The hidden verb behind `-d`: attends the container and tells on the report's descriptor how the start went.
pub fn monitor(args: &Monitor) -> Result<u8> {
    let (id, report) = (&args.id, args.report);
    let close = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC);
    nix::fcntl::fcntl(report, close).context("the report descriptor")?;
    let started = |_: &Config, _: &Started| nix::unistd::close(report).context("the report descriptor");
    let result = rustix::process::setsid().context("setsid").and_then(|_| {
        let start = Start::join(id)?;
        attend(&store::find(id)?.config, start, false, started)
    });
    if let Err(failure) = &result {
        // After a start that went well the report is closed, and nobody listens any more.
        if nix::unistd::dup2(report, 2).is_ok() {
            eprintln!("{} {}", failure.status, failure.message);
        }
    }
    Ok(result.unwrap_or_else(|failure| failure.status))
}

/// Starts the container's init and attends it to its end. `started` is called in between. A failure leaves what there is to the caller.
fn attend(
    config: &Config,
    start: Start,
    attached: bool,
    started: impl Fn(&Config, &Started) -> Result<()>,
) -> Result<u8> {
    cgroup::create(config)?;
    let path = store::folder(&config.id).join("log");
    let log = File::create(&path).at(&path)?;
    let plan =
        Plan { id: config.id.clone(), place: Place::New(Box::new(config.clone())), command: config.command.clone() };
    let init = monitor::start(plan, Wishes { interactive: config.interactive, attached })?;
    let pid = init.pid();
    let mut state = State { pid, started: process::start_time(pid).unwrap_or(0), exit: None };
    store::set_state(&config.id, &state)?;
    start.end()?;
    started(config, &init)?;
    let status = init.attend(Some(log))?;
    state.exit = Some(status);
    if let Err(failure) = settle(config, &state) {
        // The command's end is what our own caller waits for; a full disk, say, does not change it.
        eprintln!("conductor: {}: {failure}", config.name);
    }
    Ok(status)
}

/// Notes the end of a container, or removes it if it was to be removed; `stop` may have done that already.
fn settle(config: &Config, state: &State) -> Result<()> {
    let store = Store::open()?;
    if !store::folder(&config.id).exists() {
        return Ok(());
    }
    if config.remove {
        return store.remove(config);
    }
    cgroup::remove(&config.id)?;
    store::set_state(&config.id, state)
}

/// A job in the background says who it is, since nobody sees its prompt.
fn announce(config: &Config, init: &Started) -> Result<()> {
    if terminal::is_background() {
        println!("{} {}", config.name, init.pid());
    }
    Ok(())
}

/// Starts a monitor that outlives us, and waits until the container runs.
fn start_monitor(config: &Config) -> Result<u8> {
    let (mut report, report_in) = std::io::pipe().context("making a pipe")?;
    rustix::io::fcntl_setfd(&report_in, FdFlags::empty()).context("making a pipe")?;
    Command::new("/proc/self/exe")
        .args(["monitor", &config.id, &report_in.as_raw_fd().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("starting the monitor")?;
    drop(report_in);
    let mut text = String::new();
    report.read_to_string(&mut text).context("the monitor's report")?;
    if !text.is_empty() {
        return Err(monitor::parse_report(&text));
    }
    println!("{}", config.id);
    Ok(0)
}

/// Takes back what a failed start left.
fn forget(config: &Config) {
    let undone = Store::open().and_then(|store| {
        match store::folder(&config.id).exists() {
            true => store.remove(config),
            false => cgroup::remove(&config.id),
        }?;
        start::clear(&config.id)
    });
    if let Err(failure) = undone {
        eprintln!("conductor: {}: {failure}", config.name);
    }
}
