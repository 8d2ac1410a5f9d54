//! The context switch.
//!
//! A context's `on_cpu` is set while a CPU uses its stack. `switch` first leaves `from`'s stack, then waits for `to`'s: two CPUs that
//! exchange threads cannot wait for each other. While it waits it runs on a small stack of the CPU.

use super::stack::Stack;
use crate::cpu::local::{local, offset};
use crate::heap::try_box;
use crate::panic;
use crate::user::fpu;
use alloc::boxed::Box;
use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};

/// What a context consists of, in a place of its own: a CPU refers to it while it runs.
pub struct Inner {
    /// The stack pointer, while it is not running.
    rsp: UnsafeCell<u64>,
    /// A CPU is on its stack.
    on_cpu: AtomicBool,
    /// Its stack; none for a CPU's own.
    stack: Option<Stack>,
}

// SAFETY: `rsp` is written and read only by the CPU that has claimed `on_cpu`.
unsafe impl Sync for Inner {}
// SAFETY: nothing in it belongs to a CPU once `on_cpu` is clear.
unsafe impl Send for Inner {}

/// A kernel thread's saved state and stack (below which lies a guard page). Dropping it waits until no CPU runs on it, and
/// frees the stack without unwinding: what the stack owns leaks. Dropping the running one panics.
pub struct Context {
    inner: Box<Inner>,
}

/// What a new thread runs.
type Entry = Box<dyn FnOnce() + Send>;

impl Context {
    /// A thread that will run `entry` at its first [`switch`]. `entry` must never return: it ends by switching away for good. `None`
    /// when there is no memory for `stack_pages` pages of stack (at most 31).
    pub fn new(stack_pages: usize, entry: Entry) -> Option<Context> {
        let stack = Stack::new(stack_pages)?;
        let top = stack.top();
        let inner = Inner { rsp: UnsafeCell::new(top - 80), on_cpu: AtomicBool::new(false), stack: Some(stack) };
        let context = Context { inner: try_box(inner)? };
        // From the top: the entry (16 bytes), the return address, rbp, rbx (the entry's place), r12 to r15.
        let words = [0, 0, 0, 0, top - 16, 0, thread_start as *const () as u64, 0];
        // SAFETY: the stack is mapped, ours, and large enough.
        unsafe {
            ((top - 16) as *mut Entry).write(entry);
            ((top - 80) as *mut [u64; 8]).write(words);
        }
        Some(context)
    }

    /// Adopts what is running now (a CPU's boot stack) as a context. Once for each CPU.
    pub fn idle() -> Context {
        let inner = Inner { rsp: UnsafeCell::new(0), on_cpu: AtomicBool::new(true), stack: None };
        let context = Context { inner: Box::new(inner) };
        let current = &local().current;
        assert!(current.get().is_null(), "this CPU's boot stack is adopted already");
        current.set(&raw const *context.inner);
        context
    }
}

impl Context {
    /// Writes where the thread sleeps: the return addresses on its stack, `  at 0x...` a line. False if it runs, or is just leaving a CPU.
    pub fn trace(&self, out: &mut dyn Write) -> bool {
        if self.inner.on_cpu.swap(true, Ordering::Acquire) {
            return false;
        }
        // SAFETY: the flag is ours, so nobody runs on the stack; at its top lie what `context_switch` has pushed, `rbp` and the return address last.
        let [rbp, address] = unsafe { *((*self.inner.rsp.get() + 40) as *const [u64; 2]) };
        let _ = writeln!(out, "  at {address:#x}");
        panic::walk(rbp, out);
        self.inner.on_cpu.store(false, Ordering::Release);
        true
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        assert!(!core::ptr::eq(local().current.get(), &raw const *self.inner), "a thread dropped its own context");
        while self.inner.on_cpu.load(Ordering::Acquire) {
            crate::cpu::pause();
        }
        drop(self.inner.stack.take());
    }
}

/// Leaves the running context `from` and resumes `to`; returns when somebody switches back. `from` may be resumed by
/// another CPU as soon as this one is off its stack; a `to` that is still leaving another CPU is waited for. Hold no spin lock.
pub fn switch(from: &Context, to: &Context) {
    let local = local();
    let (from, to) = (&raw const *from.inner, &raw const *to.inner);
    debug_assert_eq!(crate::sync::held(), 0, "a context switch with a spin lock held");
    assert!(core::ptr::eq(local.current.get(), from), "a switch from a context that is not running");
    if core::ptr::eq(from, to) {
        return;
    }
    fpu::save_live();
    local.current.set(to);
    // SAFETY: `from` is running here; `to` is claimed by its flag before its stack pointer is used, and its owner waits in `drop` while it is claimed.
    unsafe { context_switch((*from).rsp.get(), (*to).rsp.get(), &raw const (*from).on_cpu, &raw const (*to).on_cpu) };
}

unsafe extern "C" {
    fn context_switch(from: *mut u64, to: *const u64, from_on_cpu: *const AtomicBool, to_on_cpu: *const AtomicBool);
    fn thread_start();
}

global_asm!(
    r#"
    .balign 16
context_switch:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    mov [rdi], rsp
    mov byte ptr [rdx], 0           # off the stack: another CPU may resume it
2:  mov al, 1
    xchg [rcx], al
    test al, al
    jnz 3f
    mov rsp, [rsi]
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret
3:  mov rbx, rsi                    # callee-saved registers are saved: free for us
    mov r12, rcx
    mov rsp, gs:[{switch_stack}]
    call {pause}
    mov rsi, rbx
    mov rcx, r12
    jmp 2b

    .balign 16
thread_start:
    mov rdi, rbx
    xor ebp, ebp
    push rbp                        # the end of the chain of frames
    mov rbp, rsp
    call {main}
    ud2
    "#,
    switch_stack = const offset::SWITCH_STACK,
    pause = sym wait_turn,
    main = sym thread_main,
);

/// One turn of waiting for a context that another CPU is leaving.
extern "C" fn wait_turn() {
    crate::cpu::pause();
}

/// The first function on a new stack.
extern "C" fn thread_main(entry: *mut Entry) -> ! {
    // SAFETY: `Context::new` wrote it there; this is the only read.
    let entry = unsafe { entry.read() };
    entry();
    panic!("a kernel thread returned");
}
