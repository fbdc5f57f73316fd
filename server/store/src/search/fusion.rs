//! Two scores into one. Ranks are not fused: giving both lists equal ranks was seen to make lexical recall worse, while
//! equal weights of the scores made it better.

use std::collections::HashMap;

/// Score by row number; higher is better.
pub(crate) type Scores = HashMap<i64, f64>;

/// What part the words have where both are there.
const LEXICAL: f64 = 0.5;

/// Brings each side to 0…1, the best of a side to 1, and adds them up. With one side empty the other decides alone.
pub(crate) fn fuse(lexical: &Scores, vector: &Scores) -> Scores {
    let weight = match (lexical.is_empty(), vector.is_empty()) {
        (_, true) => 1.0,
        (true, false) => 0.0,
        _ => LEXICAL,
    };
    let mut fused = Scores::new();
    for (scores, weight) in [(lexical, weight), (vector, 1.0 - weight)] {
        let best = scores.values().copied().fold(f64::MIN_POSITIVE, f64::max);
        for (number, score) in scores {
            *fused.entry(*number).or_default() += weight * (score / best).clamp(0.0, 1.0);
        }
    }
    fused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_added_and_one_side_alone_decides() {
        let lexical = Scores::from([(1, 8.0), (2, 4.0)]);
        let vector = Scores::from([(2, 0.9), (3, 0.45)]);
        let fused = fuse(&lexical, &vector);
        assert_eq!((fused[&1], fused[&2], fused[&3]), (0.5, 0.75, 0.25));
        assert_eq!(fuse(&lexical, &Scores::new())[&2], 0.5);
        assert_eq!(fuse(&Scores::new(), &vector)[&2], 1.0);
        assert!(fuse(&Scores::new(), &Scores::new()).is_empty());
    }
}
