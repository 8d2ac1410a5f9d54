//! Little-endian fields in blocks, and the 64-bit hash (XXH64) behind checksums and name hashes.
//!
//! Nothing here panics: a read outside the buffer gives 0, so a caller that walks data from the disk checks its
//! bounds where it matters and cannot be made to fall by what it forgot.

/// One block in memory.
pub(crate) type Block = [u8; crate::BLOCK_SIZE];

pub(crate) fn get_u16(b: &[u8], at: usize) -> u16 {
    b.get(at..).and_then(|s| s.first_chunk()).map_or(0, |c| u16::from_le_bytes(*c))
}

pub(crate) fn get_u32(b: &[u8], at: usize) -> u32 {
    b.get(at..).and_then(|s| s.first_chunk()).map_or(0, |c| u32::from_le_bytes(*c))
}

pub(crate) fn get_u64(b: &[u8], at: usize) -> u64 {
    b.get(at..).and_then(|s| s.first_chunk()).map_or(0, |c| u64::from_le_bytes(*c))
}

/// Copies `value` to `at`; the caller's `at` is always in range (checked in debug builds).
pub(crate) fn put(b: &mut [u8], at: usize, value: &[u8]) {
    debug_assert!(at + value.len() <= b.len(), "field outside its block");
    if let Some(place) = b.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

pub(crate) fn put_u16(b: &mut [u8], at: usize, value: u16) {
    put(b, at, &value.to_le_bytes());
}

pub(crate) fn put_u32(b: &mut [u8], at: usize, value: u32) {
    put(b, at, &value.to_le_bytes());
}

pub(crate) fn put_u64(b: &mut [u8], at: usize, value: u64) {
    put(b, at, &value.to_le_bytes());
}

const P1: u64 = 0x9e37_79b1_85eb_ca87;
const P2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const P3: u64 = 0x1656_67b1_9e37_79f9;
const P4: u64 = 0x85eb_ca77_c2b2_ae63;
const P5: u64 = 0x27d4_eb2f_1656_67c5;

fn round(acc: u64, word: u64) -> u64 {
    acc.wrapping_add(word.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

/// XXH64 of `data`: eight bytes per step, which a TCG guest can afford for each block it logs.
pub(crate) fn hash64(data: &[u8], seed: u64) -> u64 {
    let (stripes, mut rest) = data.split_at(data.len() & !31);
    let mut h = if stripes.is_empty() {
        seed.wrapping_add(P5)
    } else {
        let mut lanes = [seed.wrapping_add(P1).wrapping_add(P2), seed.wrapping_add(P2), seed, seed.wrapping_sub(P1)];
        for stripe in stripes.chunks_exact(32) {
            for (i, lane) in lanes.iter_mut().enumerate() {
                *lane = round(*lane, get_u64(stripe, i * 8));
            }
        }
        let mut h = lanes[0]
            .rotate_left(1)
            .wrapping_add(lanes[1].rotate_left(7))
            .wrapping_add(lanes[2].rotate_left(12))
            .wrapping_add(lanes[3].rotate_left(18));
        for lane in lanes {
            h = (h ^ round(0, lane)).wrapping_mul(P1).wrapping_add(P4);
        }
        h
    };
    h = h.wrapping_add(data.len() as u64);
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        h = (h ^ round(0, u64::from_le_bytes(*word))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
        rest = tail;
    }
    if let Some((word, tail)) = rest.split_first_chunk::<4>() {
        let word = u64::from(u32::from_le_bytes(*word));
        h = (h ^ word.wrapping_mul(P1)).rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
        rest = tail;
    }
    for &byte in rest {
        h = (h ^ u64::from(byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    h = (h ^ (h >> 33)).wrapping_mul(P2);
    h = (h ^ (h >> 29)).wrapping_mul(P3);
    h ^ (h >> 32)
}

#[cfg(test)]
mod tests {
    use super::hash64;

    #[test]
    fn hash_is_xxh64() {
        // Values of the reference implementation.
        assert_eq!(hash64(b"", 0), 0xef46_db37_51d8_e999);
        assert_eq!(hash64(b"abc", 0), 0x44bc_2cf5_ad77_0999);
        assert_eq!(hash64(b"Nobody inspects the spammish repetition", 0), 0xfbce_a83c_8a37_8bf1);
    }
}
