//! Text in which `...` stands for what differs from run to run.

/// What stands for any text within a line.
const ANY: &str = "...";

/// Whether every line of `found` is as the line of `pattern` says.
pub(crate) fn fits(pattern: &str, found: &str) -> bool {
    let (pattern, found) = (pattern.trim_end(), found.trim_end());
    pattern.lines().count() == found.lines().count()
        && pattern.lines().zip(found.lines()).all(|(pattern, found)| line_fits(pattern, found))
}

fn line_fits(pattern: &str, found: &str) -> bool {
    let Some((before, after)) = pattern.split_once(ANY) else { return pattern == found };
    let Some(mut rest) = found.strip_prefix(before) else { return false };
    // Each piece is taken where it first occurs, but for the last, which is the end of the line.
    let mut pieces: Vec<&str> = after.split(ANY).collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn dots_stand_for_anything_within_a_line() {
    let check =
        |pattern, found, expected| assert_eq!(fits(pattern, found), expected, "{pattern:?} {found:?}");
    check("a\nb", "a\nb\n", true);
    check("a", "b", false);
    check("a", "a\nb", false);
    check("a\nb", "a", false);
    check("took ... ms", "took 1.2 ms", true);
    check("took ... ms", "took 1.2 s", false);
    check("...-...!", "a-b-c!", true);
    check("...-...!", "ab!", false);
    check("a...", "b\na", false);
    check("...b", "b", true);
}
