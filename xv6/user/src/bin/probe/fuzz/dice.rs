//! Random numbers that a seed means: [`Dice`], splitmix64. Small and repeatable, not secret.

/// A random number generator.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice for one of the runs that a seed means.
    pub fn new(seed: u64, run: u64) -> Dice {
        Dice(seed ^ run.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit as u64).unwrap_or(0)
    }

    /// Whether one in `count` chances comes.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// One of `choices`, of which there are some.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}
