//! How probable it is that chance alone does as much: the upper tail of the binomial, summed term by term.

/// The natural logarithm of the probability that of `draws` independent draws, each of which hits with probability
/// `hits / of`, at least `least` hit. Every term is summed, in logarithms, so that what is too small for a float is
/// still told apart. `hits` beyond `of` count as `of`; of nothing, nothing hits.
pub fn ln_tail(least: u64, draws: u64, hits: u64, of: u64) -> f64 {
    if least == 0 {
        return 0.0;
    }
    if least > draws || hits == 0 || of == 0 {
        return f64::NEG_INFINITY;
    }
    if hits >= of {
        return 0.0;
    }
    let ln_odds = float(hits).ln() - float(of - hits).ln();
    let mut ln_term = float(draws) * (float(of - hits).ln() - float(of).ln());
    let mut sum = LnSum::default();
    for count in 0..=draws {
        if count > 0 {
            ln_term += float(draws - count + 1).ln() - float(count).ln() + ln_odds;
        }
        if count >= least {
            sum.add(ln_term);
        }
    }
    // Rounding may leave the sum of nearly all terms a little above one.
    sum.ln().min(0.0)
}

/// How many are expected to hit.
pub fn expected(draws: u64, hits: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { float(draws) * float(hits.min(of)) / float(of) }
}

/// The probability, given as its logarithm, that some one of `tested` places does as much by chance: not more than
/// the sum of theirs (Bonferroni), and never above one.
pub fn among(ln_p: f64, tested: u64) -> f64 {
    (ln_p + float(tested.max(1)).ln()).exp().min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of scans lie far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

/// A sum of which only logarithms are known.
struct LnSum {
    largest: f64,
    /// The sum in units of the largest term.
    scaled: f64,
}

impl Default for LnSum {
    fn default() -> Self {
        Self { largest: f64::NEG_INFINITY, scaled: 0.0 }
    }
}

impl LnSum {
    fn add(&mut self, ln_term: f64) {
        if ln_term > self.largest {
            self.scaled = self.scaled * (self.largest - ln_term).exp() + 1.0;
            self.largest = ln_term;
        } else {
            self.scaled += (ln_term - self.largest).exp();
        }
    }

    fn ln(&self) -> f64 {
        self.largest + self.scaled.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every outcome of so many draws, counted: how many of the `of ^ draws` have at least `least` hits.
    fn counted(least: u64, draws: u64, hits: u64, of: u64) -> f64 {
        let mut all = vec![(0_u64, 1_u128)];
        for _ in 0..draws {
            let mut next = std::collections::BTreeMap::new();
            for (count, ways) in all {
                *next.entry(count + 1).or_insert(0) += ways * u128::from(hits);
                *next.entry(count).or_insert(0) += ways * u128::from(of - hits);
            }
            all = next.into_iter().collect();
        }
        let enough: u128 = all.iter().filter(|(count, _)| *count >= least).map(|(_, ways)| ways).sum();
        let sum: u128 = all.iter().map(|(_, ways)| ways).sum();
        #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
        let share = enough as f64 / sum as f64;
        share
    }

    fn never(ln_p: f64) -> bool {
        ln_p.is_infinite() && ln_p.is_sign_negative()
    }

    #[test]
    fn what_dice_do_is_known() {
        let close = |ln_p: f64, p: f64| assert!((ln_p.exp() - p).abs() < 1e-12, "{} is not {p}", ln_p.exp());
        close(ln_tail(1, 1, 1, 6), 1.0 / 6.0);
        close(ln_tail(1, 2, 1, 6), 11.0 / 36.0);
        close(ln_tail(3, 3, 1, 6), 1.0 / 216.0);
        close(ln_tail(2, 4, 1, 2), 11.0 / 16.0);
    }

    #[test]
    fn the_edges_are_what_they_must_be() {
        assert!(ln_tail(0, 5, 1, 9).abs() < f64::EPSILON, "none or more is certain");
        assert!(never(ln_tail(6, 5, 1, 9)), "six of five");
        assert!(never(ln_tail(1, 5, 0, 9)));
        assert!(never(ln_tail(1, 5, 1, 0)), "a missing count surprises nobody by itself");
        assert!(ln_tail(5, 5, 9, 9).abs() < f64::EPSILON, "everybody was there");
        assert_eq!((expected(6, 1, 3), expected(6, 1, 0)), (2.0, 0.0));
    }

    #[test]
    fn what_no_float_can_hold_is_still_told_apart() {
        let (rare, rarer) = (ln_tail(100, 100, 1, 1_000_000), ln_tail(101, 101, 1, 1_000_000));
        assert!(rare.is_finite() && rarer < rare);
        assert!((rare + 100.0 * 1_000_000_f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn who_looks_at_many_places_finds_rare_things() {
        assert!((among(0.001_f64.ln(), 10) - 0.01).abs() < 1e-12);
        assert!((among(0.001_f64.ln(), 1_000_000) - 1.0).abs() < f64::EPSILON);
        assert!((among(0.25_f64.ln(), 0) - 0.25).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn the_tail_is_what_counting_every_outcome_says(draws in 0_u64..12, least in 0_u64..14, of in 1_u64..40, part in 0_u64..40) {
            let hits = part.min(of);
            let (told, right) = (ln_tail(least, draws, hits, of).exp(), counted(least, draws, hits, of));
            prop_assert!((told - right).abs() <= 1e-9 * right.max(1e-300), "{} {}", told, right);
        }
    }
}
