//! A share in per cent, exact to where it is cut.
//!
//! **Invariant:** a share is cut, never rounded up: 79.996 is not 80.

use std::fmt;

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ratio {
    /// How many are.
    pub(super) covered: u64,
    /// Of how many.
    pub(super) total: u64,
}

impl Ratio {
    /// Hundredths of a per cent, cut; `None` of nothing, or of more than all.
    fn hundredths(self) -> Option<u16> {
        if self.covered > self.total {
            return None;
        }
        let share = (u128::from(self.covered) * 10_000).checked_div(u128::from(self.total))?;
        u16::try_from(share).ok()
    }

    /// Per cent with two decimals, cut.
    pub(super) fn percent(self) -> Option<f64> {
        self.hundredths().map(|it| f64::from(it) / 100.0)
    }

    /// The sum of two counts.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            covered: self.covered.saturating_add(other.covered),
            total: self.total.saturating_add(other.total),
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.hundredths().unwrap_or(0);
        write!(f, "{}.{:02} % ({} of {})", share / 100, share % 100, self.covered, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_cut_and_never_rounded_up() {
        for (covered, total, percent) in [
            (79_996, 100_000, Some(79.99)),
            (799_999, 1_000_000, Some(79.99)),
            (4, 5, Some(80.0)),
            (2, 3, Some(66.66)),
            (0, 7, Some(0.0)),
            (7, 7, Some(100.0)),
            (u64::MAX - 1, u64::MAX, Some(99.99)),
            (u64::MAX, u64::MAX, Some(100.0)),
            (874, 1_000, Some(87.4)),
            (0, 0, None),
            (8, 7, None),
        ] {
            assert_eq!(Ratio { covered, total }.percent(), percent, "{covered} of {total}");
        }
        assert_eq!(Ratio { covered: 2, total: 3 }.to_string(), "66.66 % (2 of 3)");
        assert_eq!(Ratio { covered: 1, total: 20 }.to_string(), "5.00 % (1 of 20)");
    }
}
