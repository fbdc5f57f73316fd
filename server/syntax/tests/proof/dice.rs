//! Numbers that come the same way every run.

/// A small, seeded generator (xorshift with a multiplier).
pub struct Dice(u64);

impl Dice {
    /// The numbers of this seed for what is called `name`.
    pub fn new(seed: u64, name: &str) -> Self {
        let mut state = seed ^ 0x9E37_79B9_7F4A_7C15;
        for byte in name.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(17);
        }
        let mut dice = Self(state | 1);
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `below`; 0 where that is 0.
    pub fn roll(&mut self, below: usize) -> usize {
        (self.next() >> 33) as usize % below.max(1)
    }

    /// A place in `text`, from `from` on and before its end, that splits no character.
    pub fn place(&mut self, text: &str, from: usize) -> usize {
        text.floor_char_boundary(from + self.roll(text.len().saturating_sub(from)))
    }

    /// One of these.
    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.roll(from.len())]
    }
}
