//! What is most like a search text that stands nowhere.

use std::ops::Range;

use similar::TextDiff;

use super::lines::Lines;

/// How many are shown.
const SHOWN: usize = 3;
/// How many are compared in full.
const COMPARED: usize = 4;
/// So many lines of each are compared.
const COMPARED_LINES: usize = 24;
const COMPARED_BYTES: usize = 2 << 10;
/// Less like than this, in percent, is not worth showing.
const ALIKE: u8 = 40;

/// The lines most like the search text, the best first, and how like they are in percent.
///
/// Every line is scored by the words it shares with the search text; the windows that share most are compared in full.
pub(super) fn nearest(lines: &Lines<'_>, search: &[String]) -> Vec<(Range<usize>, u8)> {
    let first = search.iter().position(|line| !line.trim().is_empty()).unwrap_or(0);
    let last = search.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
    let search = search.get(first..last).unwrap_or_default();
    if search.is_empty() || lines.len() == 0 {
        return Vec::new();
    }
    let mut known = vec![0_u64; 1024];
    for line in search {
        words(line, |hash| known[(hash >> 6) as usize % 1024] |= 1 << (hash & 63));
    }
    let scores: Vec<u32> = (0..lines.len())
        .map(|at| {
            let mut score = 0;
            words(lines.get(at), |hash| {
                score += (known[(hash >> 6) as usize % 1024] >> (hash & 63)) as u32 & 1
            });
            score.min(32)
        })
        .collect();
    let size = search.len().min(lines.len());
    // The best window of every stretch as long as one, so that neighbours do not crowd out the rest.
    let mut best: Vec<(u32, usize)> = Vec::new();
    let mut sum: u32 = scores[..size].iter().sum();
    for start in 0..=lines.len() - size {
        if start > 0 {
            sum = sum + scores[start + size - 1] - scores[start - 1];
        }
        match best.last_mut() {
            Some(last) if last.1 / size == start / size => {
                if sum > last.0 {
                    *last = (sum, start);
                }
            }
            _ => best.push((sum, start)),
        }
    }
    best.retain(|&(sum, _)| sum > 0);
    if best.len() > COMPARED {
        best.select_nth_unstable_by_key(COMPARED, |&(sum, start)| (std::cmp::Reverse(sum), start));
        best.truncate(COMPARED);
    }
    let wanted = excerpt(search.iter().map(String::as_str));
    let mut alike: Vec<(Range<usize>, u8)> = best
        .into_iter()
        .map(|(_, start)| {
            let start = aligned(lines, search, start, size);
            let window = excerpt((start..start + size).map(|at| lines.get(at)));
            let ratio = TextDiff::from_words(wanted.as_str(), window.as_str()).ratio();
            // From 0 to 1: it fits.
            (start..start + size, (ratio.clamp(0.0, 1.0) * 100.0) as u8)
        })
        .filter(|&(_, ratio)| ratio >= ALIKE)
        .collect();
    alike.sort_by_key(|(range, ratio)| (std::cmp::Reverse(*ratio), range.start));
    let mut shown: Vec<(Range<usize>, u8)> = Vec::new();
    for (range, ratio) in alike {
        let apart = |other: &Range<usize>| range.end <= other.start || other.end <= range.start;
        if shown.len() < SHOWN && shown.iter().all(|(other, _)| apart(other)) {
            shown.push((range, ratio));
        }
    }
    shown
}

/// The start near `start` at which most lines of the search text stand beside their likes.
fn aligned(lines: &Lines<'_>, search: &[String], start: usize, size: usize) -> usize {
    let like = |start: usize| {
        let pairs = search.iter().take(COMPARED_LINES).enumerate();
        pairs.filter(|(at, line)| lines.get(start + at).trim() == line.trim()).count()
    };
    let near = start.saturating_sub(3)..=(start + 3).min(lines.len() - size);
    // Of equals the nearest.
    near.max_by_key(|&at| (like(at), std::cmp::Reverse(at.abs_diff(start)))).unwrap_or(start)
}

/// Lines without the white space around them, as far as they are compared.
fn excerpt<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in lines.take(COMPARED_LINES) {
        text.push_str(line.trim());
        text.push('\n');
        if text.len() > COMPARED_BYTES {
            let end = (0..=COMPARED_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            text.truncate(end);
            break;
        }
    }
    text
}

/// Calls `each` with a hash of every word of two letters or more: its length and its last eight bytes tell it well enough.
fn words(line: &str, mut each: impl FnMut(u64)) {
    let (mut last, mut length) = (0_u64, 0_u64);
    // The byte after the end ends the last word.
    for byte in line.bytes().chain([b' ']) {
        if WORD[byte as usize] {
            last = (last << 8) | u64::from(byte);
            length += 1;
            continue;
        }
        if length > 1 {
            let hash = (last ^ (length << 56)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            each(hash >> 40);
        }
        (last, length) = (0, 0);
    }
}

/// Bytes that words are made of.
static WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = (at as u8).is_ascii_alphanumeric() || at == b'_' as usize || at >= 0x80;
        at += 1;
    }
    table
};
