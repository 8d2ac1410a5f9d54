//! machine: a QEMU machine as data.
//!
//! [`Machine`] says what to boot: kernel, CPUs, memory, drives, kernel options, a command. It is plain data with builder
//! methods; [`Machine::arguments`] turns it into QEMU's command line, and `process` runs that. The wiring is fixed: ISA
//! serial carries the kernel's log and panics, a virtio serial port carries everything a user types and sees, and block devices
//! appear to the guest in the order of [`Machine::drives`].

use crate::artifacts::Artifacts;
use crate::drive::{Drive, Writes};
use std::path::{Path, PathBuf};

/// A machine to boot.
#[derive(Clone, Debug)]
pub struct Machine {
    /// QEMU's program: a path, or a name to look up in `PATH`.
    pub qemu: PathBuf,
    /// A word for the transcript's file name.
    pub name: String,
    /// The kernel's ELF file.
    pub kernel: PathBuf,
    /// CPUs.
    pub cpus: u32,
    /// CPUs that there is room for: where it exceeds `cpus`, QEMU translates one CPU's code as it does for several, with locked instructions.
    pub most_cpus: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// Disks: the root disk, then the image volume.
    pub drives: Vec<Drive>,
    /// Kernel options (`loglevel=7`, `env.TERM=dumb`, ...), in order.
    pub options: Vec<String>,
    /// What init runs instead of the shell; empty for the shell.
    pub command: Vec<String>,
    /// A Unix socket for gdb's remote protocol; the CPUs then wait for gdb.
    pub gdb: Option<PathBuf>,
    /// Further arguments for QEMU, as they are.
    pub extra: Vec<String>,
}

impl Machine {
    /// The usual machine for a built guest: 2 CPUs, 512 MiB, its root disk (writes forgotten) and its image volume.
    /// The environment variable `XV6_QEMU` can name another QEMU, `XV6_CPUS` another number of CPUs.
    pub fn new(artifacts: &Artifacts) -> Self {
        Self {
            qemu: std::env::var_os("XV6_QEMU").map_or_else(|| "qemu-system-x86_64".into(), PathBuf::from),
            name: "guest".into(),
            kernel: artifacts.kernel.clone(),
            cpus: std::env::var("XV6_CPUS").ok().and_then(|n| n.parse().ok()).unwrap_or(2),
            most_cpus: 1,
            memory: 512,
            drives: vec![
                Drive::new(&artifacts.root, Writes::Forgotten),
                Drive::new(&artifacts.images, Writes::Refused),
            ],
            options: Vec::new(),
            command: Vec::new(),
            gdb: None,
            extra: Vec::new(),
        }
    }

    /// Names the transcript.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the number of CPUs.
    #[must_use]
    pub fn cpus(mut self, cpus: u32) -> Self {
        self.cpus = cpus;
        self
    }

    /// Leaves room for `most` CPUs in all.
    #[must_use]
    pub fn most_cpus(mut self, most: u32) -> Self {
        self.most_cpus = most;
        self
    }

    /// Sets the memory in MiB.
    #[must_use]
    pub fn memory(mut self, mebibytes: u32) -> Self {
        self.memory = mebibytes;
        self
    }

    /// Adds a kernel option.
    #[must_use]
    pub fn option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    /// Has init run `command` instead of the shell.
    #[must_use]
    pub fn command<S: Into<String>>(mut self, command: impl IntoIterator<Item = S>) -> Self {
        self.command = command.into_iter().map(Into::into).collect();
        self
    }

    /// Uses `file` as the root disk and keeps what the guest writes to it.
    #[must_use]
    pub fn keep_root(self, file: &Path) -> Self {
        self.root(Drive::new(file, Writes::Kept))
    }

    /// Replaces the root disk.
    #[must_use]
    pub fn root(mut self, drive: Drive) -> Self {
        if let Some(root) = self.drives.first_mut() {
            *root = drive;
        }
        self
    }

    /// The kernel's command line: the options, then ` -- ` and the percent-encoded command.
    pub fn kernel_line(&self) -> String {
        let mut line = self.options.join(" ");
        if !self.command.is_empty() {
            line.push_str(" --");
            for word in &self.command {
                line.push(' ');
                line.push_str(&percent_encode(word));
            }
        }
        line
    }

    /// QEMU's arguments. File descriptor 0 becomes the console and 1 the serial port; each drive that forgets its writes finds an
    /// [`crate::overlay`] in the descriptor set of its number.
    pub fn arguments(&self) -> Vec<String> {
        let mut args: Vec<String> = [
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
            "-global",
            "virtio-mmio.force-legacy=false",
            "-device",
            "isa-debug-exit,iobase=0xf4,iosize=4",
            "-chardev",
            "socket,id=console,fd=0",
            "-chardev",
            "socket,id=log,fd=1",
            "-serial",
            "chardev:log",
            "-device",
            "virtio-serial-device,max_ports=2",
            "-device",
            "virtserialport,chardev=console",
        ]
        .map(String::from)
        .into();
        let mut add = |option: &str, value: String| args.extend([option.to_string(), value]);
        // Eight virtio devices fit without a second I/O APIC, which takes QEMU milliseconds to make, with the slots at its lines.
        let devices = 1 + self.drives.len() + self.extra.iter().filter(|word| *word == "-device").count();
        let second = if devices > 8 { "on" } else { "off" };
        add("-M", format!("microvm,acpi=on,ioapic2={second},pit=off,pic=off,rtc=on"));
        add("-smp", format!("{},maxcpus={}", self.cpus, self.cpus.max(self.most_cpus)));
        add("-m", format!("{}M", self.memory));
        for (i, drive) in self.drives.iter().enumerate() {
            add("-drive", drive.option(i));
            // The guest is told of every error: QEMU would stop the machine at a full host disk.
            add("-device", format!("virtio-blk-device,drive=disk{i},werror=report,rerror=report"));
        }
        if let Some(socket) = &self.gdb {
            add("-gdb", format!("unix:{},server=on,wait=off", socket.display()));
            args.push("-S".into());
        }
        args.extend(["-kernel".into(), self.kernel.display().to_string()]);
        args.extend(["-append".into(), self.kernel_line()]);
        args.extend(self.extra.iter().cloned());
        args
    }
}

/// Encodes one word for the kernel's command line: bytes that could end the word, and `%` itself, become `%XX`.
pub fn percent_encode(word: &str) -> String {
    let mut out = String::new();
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_./:=,+@~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    // An empty word would vanish between two spaces: an encoded NUL, which no argument can hold, stands for it.
    if out.is_empty() { "%00".into() } else { out }
}

#[cfg(test)]
mod tests {
    use super::{Machine, percent_encode};
    use crate::artifacts::Artifacts;

    fn machine() -> Machine {
        Machine::new(&Artifacts { kernel: "k".into(), root: "r,1".into(), images: "i".into() })
    }

    #[test]
    fn a_command_is_percent_encoded() {
        assert_eq!(percent_encode("a b%\"é"), "a%20b%25%22%C3%A9");
        assert_eq!(percent_encode(""), "%00");
        let line = machine().option("loglevel=7").command(["sh", "-c", "echo hi"]).kernel_line();
        assert_eq!(line, "loglevel=7 -- sh -c echo%20hi");
    }

    #[test]
    fn more_devices_than_fit_bring_a_second_io_apic() {
        let mut machine = machine();
        assert!(machine.arguments().join(" ").contains("ioapic2=off"));
        machine.drives = vec![machine.drives[0].clone(); 8];
        assert!(machine.arguments().join(" ").contains("ioapic2=on"));
    }

    #[test]
    fn drives_keep_their_order_and_their_commas() {
        let args = machine().arguments().join(" ");
        let root = args.find("backing.file.filename=r,,1").expect("the root disk");
        let images =
            args.find("id=disk1,format=raw,readonly=on,file.driver=file,file.filename=i").expect("the image volume");
        assert!(root < images);
    }
}
