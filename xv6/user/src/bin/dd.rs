//! dd: copies blocks.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::process::ExitCode;
use std::time::Instant;

use user::{About, Args, Failure, Out, size};

fn main() -> ExitCode {
    let usage = "dd [if=FILE] [of=FILE] [bs=N] [ibs=N] [obs=N] [count=N] [skip=N] [seek=N] \
                 [conv=fsync,fdatasync,notrunc,sync,noerror] [iflag=fullblock] [oflag=append] [status=none]";
    user::run("dd", usage, body)
}

struct Options {
    input: Option<String>,
    output: Option<String>,
    block: usize,
    count: Option<u64>,
    skip: u64,
    seek: u64,
    sync_file: bool,
    sync_data: bool,
    keep: bool,
    pad: bool,
    full: bool,
    append: bool,
    quiet: bool,
}

fn body(args: &mut Args, _: &mut Out) -> Result<u8, Failure> {
    let options = parse(args);
    let mut input: Box<dyn Read> = match &options.input {
        None => {
            let mut input = io::stdin().lock();
            let skipped = options.skip.saturating_mul(options.block as u64);
            io::copy(&mut (&mut input).take(skipped), &mut io::sink()).about("standard input")?;
            Box::new(input)
        }
        Some(name) => {
            let mut file = File::open(name).about(name)?;
            let skipped = options.skip.saturating_mul(options.block as u64);
            if skipped > 0 && file.seek(SeekFrom::Start(skipped)).is_err() {
                io::copy(&mut (&mut file).take(skipped), &mut io::sink()).about(name)?;
            }
            Box::new(file)
        }
    };
    let name = options.output.clone().unwrap_or_else(|| "standard output".to_owned());
    let mut output = open_output(&options).about(&name)?;
    let start = Instant::now();
    let (mut whole_in, mut part_in, mut whole_out, mut part_out, mut bytes) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    let mut block = vec![0; options.block];
    let mut failure = None;
    while options.count.is_none_or(|count| whole_in + part_in < count) {
        let read = if options.full { read_full(&mut *input, &mut block) } else { read_once(&mut *input, &mut block) };
        let length = match read {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) => {
                failure = Err::<(), _>(error).about(options.input.as_deref().unwrap_or("standard input")).err();
                break;
            }
        };
        *(if length == block.len() { &mut whole_in } else { &mut part_in }) += 1;
        let length = if options.pad {
            block[length..].fill(0);
            block.len()
        } else {
            length
        };
        let mut done = 0;
        while done < length && failure.is_none() {
            match output.write(&block[done..length]) {
                Ok(0) => failure = Some(Failure::new(format!("{name}: nothing written"))),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => failure = Err::<(), _>(error).about(&name).err(),
            }
        }
        bytes += done as u64;
        if done > 0 {
            *(if done == block.len() { &mut whole_out } else { &mut part_out }) += 1;
        }
        if failure.is_some() {
            break;
        }
    }
    if failure.is_none() {
        if options.sync_file {
            output.sync_all().about(&name)?;
        } else if options.sync_data {
            output.sync_data().about(&name)?;
        }
    }
    if !options.quiet {
        let seconds = start.elapsed().as_secs_f64();
        let speed = size::human((bytes as f64 / seconds.max(1e-9)) as u64);
        eprintln!("{whole_in}+{part_in} records in\n{whole_out}+{part_out} records out");
        eprintln!("{bytes} bytes ({}) copied, {seconds:.3} s, {speed}B/s", size::human(bytes));
    }
    failure.map_or(Ok(0), Err)
}

fn parse(args: &mut Args) -> Options {
    let mut options = Options {
        input: None,
        output: None,
        block: 512,
        count: None,
        skip: 0,
        seek: 0,
        sync_file: false,
        sync_data: false,
        keep: false,
        pad: false,
        full: false,
        append: false,
        quiet: false,
    };
    for operand in args.operands() {
        let operand = operand.to_string_lossy();
        let Some((key, value)) = operand.split_once('=') else { args.usage_error() };
        let number = || size::parse(value).unwrap_or_else(|| args.usage_error());
        match key {
            "if" => options.input = Some(value.to_owned()),
            "of" => options.output = Some(value.to_owned()),
            "bs" | "ibs" | "obs" => {
                options.block = usize::try_from(number())
                    .ok()
                    .filter(|size| (1..=1 << 30).contains(size))
                    .unwrap_or_else(|| args.usage_error());
            }
            "count" => options.count = Some(number()),
            "skip" | "iseek" => options.skip = number(),
            "seek" | "oseek" => options.seek = number(),
            "status" => options.quiet = value == "none",
            "conv" | "iflag" | "oflag" => {
                for word in value.split(',') {
                    match word {
                        "fsync" | "sync" if word == "fsync" || key == "oflag" => options.sync_file = true,
                        "fdatasync" | "dsync" => options.sync_data = true,
                        "notrunc" => options.keep = true,
                        "sync" => options.pad = true,
                        "fullblock" => options.full = true,
                        "append" => options.append = true,
                        "noerror" | "nocreat" | "excl" | "direct" | "nonblock" => {}
                        _ => args.usage_error(),
                    }
                }
            }
            _ => args.usage_error(),
        }
    }
    options
}

fn open_output(options: &Options) -> io::Result<File> {
    let Some(name) = &options.output else {
        return Ok(File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?));
    };
    // What lies before the place sought stays, as dd(1) says.
    let truncate = !options.keep && !options.append && options.seek == 0;
    let mut open = OpenOptions::new();
    open.create(true).truncate(truncate);
    let mut file = if options.append { open.append(true).open(name)? } else { open.write(true).open(name)? };
    let at = options.seek.saturating_mul(options.block as u64);
    if at > 0 {
        if !options.keep && file.metadata()?.is_file() {
            file.set_len(at)?;
        }
        file.seek(SeekFrom::Start(at))?;
    }
    Ok(file)
}

fn read_once(input: &mut dyn Read, block: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn read_full(input: &mut dyn Read, block: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < block.len() {
        match read_once(input, &mut block[length..])? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}
