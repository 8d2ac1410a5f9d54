//! Runs the syntax tree: lists, pipelines, compound commands, subshells.
//!
//! `last` means that nothing comes after in this process, so that a command may take its place instead of being forked.

use rustix::process::Pid;

use user::raw::Forked;
use user::shell::pattern::Pattern;
use user::shell::syntax::{Bytes, Command, Compound, Item, List, Pipeline, Word};

use crate::expand::cannot;
use crate::shell::{Flow, Run, Shell};

impl Shell {
    /// Runs `list`; its status is that of its last command.
    pub fn run_list(&mut self, list: &List, last: bool) -> Run {
        for (index, item) in list.iter().enumerate() {
            self.run_item(item, last && index + 1 == list.len())?;
        }
        Ok(self.status)
    }

    fn run_item(&mut self, item: &Item, last: bool) -> Run {
        if self.options.noexec && !self.options.interactive {
            return Ok(0);
        }
        if item.background {
            return self.run_background(item);
        }
        let alone = item.rest.is_empty();
        let mut status = self.run_condition(!alone, |shell| shell.run_pipeline(&item.first, last && alone))?;
        // The pipeline that decided last; only the list's own last one may end the shell under `-e`.
        let mut decisive = alone.then_some(&item.first);
        for (index, (and, pipeline)) in item.rest.iter().enumerate() {
            let more = index + 1 < item.rest.len();
            if (status == 0) == *and {
                status = self.run_condition(more, |shell| shell.run_pipeline(pipeline, last && !more))?;
                decisive = (!more).then_some(pipeline);
            }
        }
        let fails = status != 0 && decisive.is_some_and(|pipeline| !pipeline.negated);
        if fails && self.options.errexit && self.conditions == 0 {
            return Err(Flow::Exit(status));
        }
        Ok(status)
    }

    /// Runs `body`, in which failures do not end the shell if `condition`.
    fn run_condition(&mut self, condition: bool, body: impl FnOnce(&mut Self) -> Run) -> Run {
        self.conditions += u32::from(condition);
        let result = body(self);
        self.conditions -= u32::from(condition);
        result
    }

    fn run_pipeline(&mut self, pipeline: &Pipeline, last: bool) -> Run {
        let negated = pipeline.negated;
        let status = self.run_condition(negated, |shell| match pipeline.commands.as_slice() {
            [command] => shell.run_command(command, last && !negated),
            commands => shell.run_pipe(commands, &pipeline.text),
        })?;
        self.status = if negated { i32::from(status == 0) } else { status };
        // Signals are acted on after what they came in, the script's last command too.
        self.run_traps()?;
        Ok(self.status)
    }

    /// Runs several commands joined by pipes, each in a child.
    fn run_pipe(&mut self, commands: &[Command], text: &Bytes) -> Run {
        let mut group = None;
        let mut children: Vec<Pid> = Vec::new();
        let mut input: Option<std::os::fd::OwnedFd> = None;
        for (index, command) in commands.iter().enumerate() {
            let pipe = if index + 1 < commands.len() {
                let made = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
                Some(made.map_err(|error| cannot("pipe", error.into()))?)
            } else {
                None
            };
            let forked = user::raw::fork();
            match forked {
                Ok(Forked::Child) => {
                    self.enter_child(self.options.monitor.then_some(group), true);
                    let ready = input.iter().all(|fd| rustix::stdio::dup2_stdin(fd).is_ok())
                        && pipe.iter().all(|(_, writer)| rustix::stdio::dup2_stdout(writer).is_ok());
                    drop((pipe, input));
                    let flow = if ready { self.run_command(command, true) } else { Ok(2) };
                    self.leave_child(flow)
                }
                Ok(Forked::Parent(child)) => {
                    self.adopt(child, &mut group);
                    children.push(child);
                    input = pipe.map(|(reader, _)| reader);
                }
                Err(error) => {
                    // Those already started lose their pipes and end.
                    drop((input, pipe));
                    if !children.is_empty() {
                        let job = self.jobs.add(&children, group, text, false);
                        self.wait_foreground(job)?;
                    }
                    return Err(cannot("fork", error));
                }
            }
        }
        let job = self.jobs.add(&children, group, text, false);
        self.wait_foreground(job)
    }

    /// Puts a new child into its job's group; both sides do it, so that neither has to wait for the other.
    fn adopt(&self, child: Pid, group: &mut Option<Pid>) {
        if self.options.monitor {
            let group = *group.get_or_insert(child);
            // Fails if the child has already executed or ended: then it has done it itself.
            let _ = rustix::process::setpgid(Some(child), Some(group));
        }
    }

    fn run_background(&mut self, item: &Item) -> Run {
        match user::raw::fork().map_err(|error| cannot("fork", error))? {
            Forked::Child => {
                let monitor = self.options.monitor;
                self.enter_child(monitor.then_some(None), false);
                if !monitor {
                    self.detach_background();
                }
                let flow =
                    if item.rest.is_empty() { self.run_pipeline(&item.first, true) } else { self.run_and_or(item) };
                self.leave_child(flow)
            }
            Forked::Parent(child) => {
                let mut group = None;
                self.adopt(child, &mut group);
                let job = self.jobs.add(&[child], group, &item.text, true);
                self.last_background = Some(child.as_raw_nonzero().get());
                if self.options.interactive {
                    eprintln!("[{job}] {}", child.as_raw_nonzero());
                }
                self.status = 0;
                Ok(0)
            }
        }
    }

    fn run_and_or(&mut self, item: &Item) -> Run {
        let mut status = self.run_pipeline(&item.first, false)?;
        for (and, pipeline) in &item.rest {
            if (status == 0) == *and {
                status = self.run_pipeline(pipeline, false)?;
            }
        }
        Ok(status)
    }

    /// Runs one command; sets `$?`.
    pub fn run_command(&mut self, command: &Command, last: bool) -> Run {
        self.run_traps()?;
        let status = match command {
            Command::Simple(simple) => self.run_simple(simple, last)?,
            Command::Function(name, body) => {
                self.functions.insert(name.clone(), std::rc::Rc::clone(body));
                0
            }
            Command::Compound(compound, redirects) => match self.redirect(redirects) {
                Ok(saved) => {
                    let result = self.run_compound(compound, last);
                    self.restore(saved);
                    result?
                }
                Err(Flow::Fatal(text)) => {
                    self.complain(&text);
                    1
                }
                Err(flow) => return Err(flow),
            },
        };
        self.status = status;
        Ok(status)
    }

    fn run_compound(&mut self, compound: &Compound, last: bool) -> Run {
        match compound {
            Compound::Brace(list) => self.run_list(list, last),
            Compound::Subshell(list) if last && self.child && self.traps.is_empty() => {
                let flow = self.run_list(list, true);
                Ok(self.settle(flow))
            }
            Compound::Subshell(list) => self.run_subshell(list),
            Compound::If(arms, otherwise) => {
                for (condition, body) in arms {
                    if self.run_condition(true, |shell| shell.run_list(condition, false))? == 0 {
                        return self.run_list(body, last);
                    }
                }
                match otherwise {
                    Some(body) => self.run_list(body, last),
                    None => Ok(0),
                }
            }
            Compound::Loop(until, condition, body) => {
                let mut status = 0;
                self.loops += 1;
                let result = loop {
                    match self.run_condition(true, |shell| shell.run_list(condition, false)) {
                        Ok(value) if (value == 0) == *until => break Ok(status),
                        Ok(_) => {}
                        Err(flow) => match after_round(flow) {
                            Ok(true) => continue,
                            Ok(false) => break Ok(status),
                            Err(flow) => break Err(flow),
                        },
                    }
                    match self.run_list(body, false) {
                        Ok(value) => status = value,
                        Err(flow) => match after_round(flow) {
                            Ok(true) => status = 0,
                            Ok(false) => break Ok(0),
                            Err(flow) => break Err(flow),
                        },
                    }
                };
                self.loops -= 1;
                result
            }
            Compound::For(name, words, body) => self.run_for(name, words.as_deref(), body),
            Compound::Case(subject, arms) => self.run_case(subject, arms, last),
        }
    }

    fn run_subshell(&mut self, list: &List) -> Run {
        match user::raw::fork().map_err(|error| cannot("fork", error))? {
            Forked::Child => {
                self.enter_child(self.options.monitor.then_some(None), true);
                let flow = self.run_list(list, true);
                self.leave_child(flow)
            }
            Forked::Parent(child) => {
                let mut group = None;
                self.adopt(child, &mut group);
                let job = self.jobs.add(&[child], group, b"( ... )", false);
                self.wait_foreground(job)
            }
        }
    }

    fn run_for(&mut self, name: &Bytes, words: Option<&[Word]>, body: &List) -> Run {
        let values = match words {
            Some(words) => self.expand_words(words)?,
            None => self.parameters.clone(),
        };
        let mut status = 0;
        self.loops += 1;
        let mut result = Ok(());
        for value in values {
            let round = self.assign(name, value).and_then(|()| self.run_list(body, false));
            match round {
                Ok(value) => status = value,
                Err(flow) => match after_round(flow) {
                    Ok(true) => status = 0,
                    Ok(false) => {
                        status = 0;
                        break;
                    }
                    Err(flow) => {
                        result = Err(flow);
                        break;
                    }
                },
            }
        }
        self.loops -= 1;
        result.map(|()| status)
    }

    fn run_case(&mut self, subject: &Word, arms: &[(Vec<Word>, List)], last: bool) -> Run {
        let subject = self.expand_string(subject)?;
        for (patterns, body) in arms {
            for pattern in patterns {
                if Pattern::new(&self.expand_pattern(pattern)?).matches(&subject) {
                    self.status = 0;
                    return self.run_list(body, last);
                }
            }
        }
        Ok(0)
    }
}

/// What a loop does when its body was left: go on (`true`), end (`false`), or let it pass further out.
fn after_round(flow: Flow) -> Result<bool, Flow> {
    match flow {
        Flow::Break(0 | 1) => Ok(false),
        Flow::Break(levels) => Err(Flow::Break(levels - 1)),
        Flow::Continue(0 | 1) => Ok(true),
        Flow::Continue(levels) => Err(Flow::Continue(levels - 1)),
        other => Err(other),
    }
}
