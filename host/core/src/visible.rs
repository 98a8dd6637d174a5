//! Deceptive characters: invisible ones, and those that change how other text appears.

/// Characters of Unicode's general categories Cf (format), Zl and Zp (separators of lines and paragraphs), those with the
/// property Default_Ignorable_Code_Point (which are not displayed), and the blank of Braille: first and last of each range.
/// From `extracted/DerivedGeneralCategory.txt` and `DerivedCoreProperties.txt` of the Unicode Character Database, version
/// 16.0.
const UNSEEN: [(char, char); 26] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether a character can deceive the reader of a text: control characters, which control terminals, and characters that
/// are invisible or change the order of others (bidirectional overrides, zero-width characters, tags). A tab and a newline
/// are among them.
///
/// ```
/// # use hostel_core::is_deceptive;
/// assert!(is_deceptive('\u{1b}') && is_deceptive('\u{202e}'));
/// assert!(!is_deceptive('ä') && !is_deceptive(' '));
/// ```
pub fn is_deceptive(character: char) -> bool {
    let is_in = |&(first, last): &(char, char)| (first..=last).contains(&character);
    character.is_control() || (!character.is_ascii() && UNSEEN.iter().any(is_in))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_show_is_deceptive() {
        let controls = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
        let marks =
            ['\u{ad}', '\u{34f}', '\u{61c}', '\u{1160}', '\u{180e}', '\u{2800}', '\u{3164}', '\u{fe0f}'];
        let marks = marks.into_iter().chain(['\u{feff}', '\u{ffa0}', '\u{e0001}', '\u{e01ef}']);
        let ranges = ('\u{200b}'..='\u{200f}').chain('\u{2028}'..='\u{202e}').chain('\u{2060}'..='\u{2064}');
        let ranges = ranges.chain('\u{2066}'..='\u{206f}').chain('\u{fff9}'..='\u{fffb}');
        for character in controls.chain(marks).chain(ranges).chain('\u{e0020}'..='\u{e007f}') {
            assert!(is_deceptive(character), "{character:?}");
        }
    }

    #[test]
    fn what_shows_is_not() {
        for character in (' '..='~').chain("äßλжأب漢字🦀 é₁—…“".chars()) {
            assert!(!is_deceptive(character), "{character:?}");
        }
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(UNSEEN.iter().all(|(first, last)| first <= last));
        assert!(UNSEEN.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }
}
