//! Where choices come from: a seed, or every possibility in turn.

/// Makes choices.
pub(crate) trait Chooser {
    /// A number below `bound` (which is not 0).
    fn below(&mut self, bound: u64) -> u64;

    /// Whether something that happens this often happens now; a walk leaves such things out.
    fn chance(&mut self, percent: u64) -> bool;

    /// One of weighted possibilities; a walk takes each that has any weight in turn.
    fn weigh(&mut self, weights: &[u32]) -> usize;
}

/// Choices that follow from a seed: splitmix64.
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Chooser for Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn weigh(&mut self, weights: &[u32]) -> usize {
        crate::weighted(self, weights)
    }
}

/// Every sequence of choices, one after the other.
#[derive(Default)]
pub(crate) struct Walk {
    /// The choices made, and how many there were to choose from.
    made: Vec<(u64, u64)>,
    at: usize,
}

impl Walk {
    /// Goes on to the next sequence; false when there is none.
    pub(crate) fn next(&mut self) -> bool {
        self.at = 0;
        while let Some((choice, bound)) = self.made.pop() {
            if choice + 1 < bound {
                self.made.push((choice + 1, bound));
                return true;
            }
        }
        false
    }

    /// The choices of this sequence.
    pub(crate) fn schedule(&self) -> Vec<u64> {
        self.made[..self.at.min(self.made.len())].iter().map(|(choice, _)| *choice).collect()
    }
}

impl Chooser for Walk {
    fn below(&mut self, bound: u64) -> u64 {
        if self.at == self.made.len() {
            self.made.push((0, bound));
        }
        let (choice, known) = self.made[self.at];
        assert_eq!(known, bound, "the same choices lead to the same situation");
        self.at += 1;
        choice
    }

    fn chance(&mut self, _percent: u64) -> bool {
        false
    }

    fn weigh(&mut self, weights: &[u32]) -> usize {
        let possible: Vec<usize> = (0..weights.len()).filter(|at| weights[*at] > 0).collect();
        let choice = self.below(possible.len().max(1) as u64);
        possible.get(usize::try_from(choice).unwrap_or(0)).copied().unwrap_or(0)
    }
}
