//! "Did you mean": the known word nearest to a misspelt one.

/// Longer words are not compared: nobody mistypes one, and comparing costs length times length.
const LONGEST: usize = 100;

/// The candidate nearest to `word`, if any is near enough to be meant. Letters that changed places are one mistake.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    if length > LONGEST {
        return None;
    }
    let near = |candidate: &str| {
        let other = candidate.chars().count();
        let allowed = 1 + length.max(other) / 4;
        if length.abs_diff(other) > allowed {
            return None;
        }
        Some(strsim::osa_distance(&word, candidate)).filter(|distance| *distance <= allowed)
    };
    candidates.into_iter().filter_map(|c| near(c).map(|distance| (distance, c))).min().map(|(_, c)| c)
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
