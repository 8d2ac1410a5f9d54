//! What a process's memory shows: `cmdline`, `environ`, `auxv`, `maps`, `statm`; `smaps` has more.

use super::View;
use crate::error::Result;
use crate::mm::{AddressSpace, AreaInfo, Prot, Usage};
use crate::vfs::devnum;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The memory; `None` for zombies and kernel threads, whose files are empty.
pub(super) fn space(view: &View) -> Result<Option<Arc<AddressSpace>>> {
    view.process()?;
    Ok(view.thread().ok().and_then(|thread| thread.mm()))
}

/// `cmdline`: the arguments, a NUL after each.
pub fn cmdline(view: &View) -> Result<Vec<u8>> {
    Ok(space(view)?.map(|mm| mm.command_line()).unwrap_or_default())
}

/// `environ`: the initial environment likewise.
pub fn environ(view: &View) -> Result<Vec<u8>> {
    Ok(space(view)?.map(|mm| mm.environment()).unwrap_or_default())
}

/// `auxv`: the auxiliary vector (getauxval(3)).
pub fn auxv(view: &View) -> Result<Vec<u8>> {
    Ok(space(view)?.map(|mm| mm.auxiliary_vector()).unwrap_or_default())
}

/// `maps`: one area a line.
pub fn maps(view: &View) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for area in space(view)?.map(|mm| mm.maps()).unwrap_or_default() {
        map_line(&mut text, &area);
    }
    Ok(text)
}

/// An area's line of `maps`.
pub(super) fn map_line(text: &mut Vec<u8>, area: &AreaInfo) {
    let letter = |prot, letter| if area.prot.contains(prot) { letter } else { '-' };
    let line = format!(
        "{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {}",
        area.start,
        area.end,
        letter(Prot::READ, 'r'),
        letter(Prot::WRITE, 'w'),
        letter(Prot::EXEC, 'x'),
        if area.shared { 's' } else { 'p' },
        area.offset,
        devnum::major(area.dev),
        devnum::minor(area.dev),
        area.ino,
    );
    text.extend_from_slice(line.as_bytes());
    if !area.name.is_empty() {
        text.resize(text.len() + 73_usize.saturating_sub(line.len()).max(1), b' ');
        text.extend_from_slice(&area.name);
    }
    text.push(b'\n');
}

/// `statm`: sizes in pages.
pub fn statm(view: &View) -> Result<Vec<u8>> {
    let usage = space(view)?.map_or_else(Usage::default, |mm| mm.usage());
    let pages = |bytes: usize| bytes / hal::frame::SIZE;
    let (size, rss, code, data) =
        (pages(usage.size), pages(usage.rss), pages(usage.text), pages(usage.data + usage.stack));
    Ok(format!("{size} {rss} 0 {code} 0 {data} 0\n").into_bytes())
}
