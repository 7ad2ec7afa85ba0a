//! "Did you mean": the known word nearest to a misspelt one.

/// Longer words are not compared: nobody mistypes one, and comparing costs length times length.
const LONGEST: usize = 40;

/// The candidate nearest to `word`, if any is near enough to be meant.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word: Vec<char> = word.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect();
    if word.len() > LONGEST {
        return None;
    }
    let near = |candidate: &str| {
        let candidate: Vec<char> = candidate.chars().collect();
        let allowed = 1 + word.len().max(candidate.len()) / 4;
        Some(distance(&word, &candidate)).filter(|distance| *distance <= allowed)
    };
    candidates.into_iter().filter_map(|c| near(c).map(|distance| (distance, c))).min().map(|(_, c)| c)
}

/// How many characters must be added, removed, replaced or swapped with their neighbour.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from[i - 1] == *b && *a == to[j - 1] {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words() {
        let keys = ["exceptions", "declarations", "rules", "fail-on"];
        assert_eq!(nearest("exeptions", keys), Some("exceptions"));
        assert_eq!(nearest("fail_on", keys), Some("fail-on"));
        assert_eq!(nearest("Rules", keys), Some("rules"));
        assert_eq!(nearest("rulse", keys), Some("rules"));
        assert_eq!(nearest("zzz", keys), None);
        assert_eq!(nearest(&"e".repeat(100_000), keys), None);
        assert_eq!(nearest("", keys), None);
    }
}
