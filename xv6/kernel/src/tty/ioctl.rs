//! ioctl_tty(2): settings, window size, job control, queues.

use super::Tty;
use super::termios::{self, Termios, WindowSize};
use crate::error::{Errno, Result};
use crate::mm::user;
use crate::task::signal::Signal;
use alloc::sync::Arc;

const TCGETS: u32 = 0x5401;
const TCSETS: u32 = 0x5402;
const TCSETSW: u32 = 0x5403;
const TCSETSF: u32 = 0x5404;
const TCSBRK: u32 = 0x5409;
const TCXONC: u32 = 0x540a;
const TCFLSH: u32 = 0x540b;
const TIOCEXCL: u32 = 0x540c;
const TIOCNXCL: u32 = 0x540d;
const TIOCSCTTY: u32 = 0x540e;
const TIOCGPGRP: u32 = 0x540f;
const TIOCSPGRP: u32 = 0x5410;
const TIOCOUTQ: u32 = 0x5411;
pub(super) const TIOCGWINSZ: u32 = 0x5413;
pub(super) const TIOCSWINSZ: u32 = 0x5414;
pub(super) const FIONREAD: u32 = 0x541b;
const TIOCNOTTY: u32 = 0x5422;
const TCSBRKP: u32 = 0x5425;
const TIOCGSID: u32 = 0x5429;

impl Tty {
    /// Serves one request; unknown ones are `ENOTTY`, all of a terminal whose other end is gone `EIO`.
    pub(super) fn ioctl(self: &Arc<Self>, request: u32, arg: usize) -> Result<usize> {
        if self.is_hung_up() {
            return Err(Errno::EIO.into());
        }
        match request {
            TCGETS => {
                let termios = *self.line.lock().discipline.termios();
                user::write_bytes(arg, &termios.to_bytes())?;
            }
            TCSETS | TCSETSW | TCSETSF => self.set_termios(arg, request == TCSETSF)?,
            // There is no line to break.
            TCSBRK | TCSBRKP => self.drain()?,
            TIOCEXCL | TIOCNXCL => {}
            TCXONC => self.flow(arg)?,
            TCFLSH => self.flush(arg)?,
            TIOCSCTTY => self.set_controlling(arg == 1)?,
            TIOCNOTTY => self.give_up()?,
            TIOCGPGRP => return self.foreground_number(arg),
            TIOCSPGRP => return self.set_foreground(arg),
            TIOCGSID => return self.session_number(arg),
            TIOCOUTQ => user::write(arg, &0i32)?,
            FIONREAD => {
                let waiting = self.line.lock().discipline.waiting() as i32;
                user::write(arg, &waiting)?;
            }
            TIOCGWINSZ => {
                let window = self.line.lock().window;
                user::write_bytes(arg, &window.to_bytes())?;
            }
            TIOCSWINSZ => {
                let mut bytes = [0; 8];
                user::read_bytes(arg, &mut bytes)?;
                self.set_window(WindowSize::from_bytes(&bytes));
            }
            _ => return Err(Errno::ENOTTY.into()),
        }
        Ok(0)
    }

    fn set_termios(&self, arg: usize, flush: bool) -> Result<()> {
        let mut bytes = [0; termios::SIZE];
        user::read_bytes(arg, &mut bytes)?;
        self.check_background(Signal::TTOU)?;
        let mut line = self.line.lock();
        if flush {
            line.discipline.flush_input();
        }
        line.discipline.set_termios(Termios::from_bytes(&bytes));
        drop(line);
        self.wake_readers();
        self.wake_writers();
        Ok(())
    }

    /// Sets the window's size; a change is told to the foreground group.
    pub(super) fn set_window(&self, window: WindowSize) {
        let old = core::mem::replace(&mut self.line.lock().window, window);
        if old != window {
            self.signal_foreground(Signal::WINCH);
        }
    }

    /// `TCXONC`: stops (`TCOOFF`) and restarts (`TCOON`) output; of input there is nothing to stop.
    fn flow(&self, action: usize) -> Result<()> {
        self.check_background(Signal::TTOU)?;
        match action {
            0 | 1 => self.line.lock().discipline.set_stopped(action == 0),
            2 | 3 => return Ok(()),
            _ => return Err(Errno::EINVAL.into()),
        }
        self.wake_writers();
        Ok(())
    }

    fn flush(&self, queue: usize) -> Result<()> {
        self.check_background(Signal::TTOU)?;
        match queue {
            0 | 2 => self.line.lock().discipline.flush_input(),
            1 => {}
            _ => return Err(Errno::EINVAL.into()),
        }
        Ok(())
    }
}
