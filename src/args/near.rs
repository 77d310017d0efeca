//! Finds the known name that a mistyped name resembles.

/// Returns the known name that is most similar to `typed`, if any is similar enough.
pub(crate) fn nearest(
    typed: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let typed = typed.trim_start_matches('-').to_lowercase();
    let alike = known.filter_map(|name| Some((difference(&typed, name)?, name)));
    alike.min_by_key(|(difference, _)| *difference).map(|(_, name)| name)
}

/// Returns the distance of `typed` from `name`; `None` if they are too different.
fn difference(typed: &str, name: &str) -> Option<usize> {
    let limit = (name.len() / 3).max(1);
    if typed.len() > 1 && name.starts_with(typed) {
        return Some(limit);
    }
    // This also excludes very long words from the quadratic comparison.
    if typed.len().abs_diff(name.len()) > limit {
        return None;
    }
    Some(distance(typed.as_bytes(), name.as_bytes())).filter(|distance| *distance <= limit)
}

/// Returns the number of letters to insert, delete, replace or swap with their neighbor (optimal
/// string alignment distance).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let change = above[j] + usize::from(a[i] != b[j]);
            let mut best = change.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_edits() {
        assert_eq!(distance(b"port", b"prot"), 1);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"kitten", b"sitting"), 3);
    }
}
