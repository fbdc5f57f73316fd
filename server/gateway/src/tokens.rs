//! How many tokens a text has.
//!
//! OpenAI's tokenizer is public: with the feature `tiktoken` its models are counted exactly. Everyone else is estimated on
//! the high side, from what the bytes are: measured against that tokenizer over this repository and over texts made to be
//! bad (`tests` below, with the feature). An estimate reserves money, checks room, and settles streams whose provider
//! never told its figures; the last says that it is one.

use crate::Usage;

/// Tokens of `text`, on the high side for any of the common tokenizers.
///
/// A token is never longer than a word, so words are counted: small letters by three, capitals, digits and signs almost
/// singly, white space by the run, everything outside ASCII by its bytes. The result is never under a third of the
/// bytes; for code and English it is about 1.6 times the real count.
pub fn estimate_tokens(text: &str) -> u64 {
    #[derive(PartialEq, Clone, Copy)]
    enum Kind {
        Lower,
        Upper,
        Digit,
        Space,
        Sign,
        Control,
        Wide,
        Rare,
    }
    // In tenths of a token.
    let cost = |kind: Kind, run: u64| match kind {
        _ if run == 0 => 0,
        // A short word is one token with the space before it; long ones are cut.
        Kind::Lower if run <= 4 => 10,
        Kind::Lower => (run * 10).div_ceil(3),
        // A capital before small letters belongs to their word, but not always.
        Kind::Upper if run == 1 => 7,
        Kind::Upper => run * 9,
        Kind::Digit => run * 9,
        Kind::Space if run == 1 => 1,
        Kind::Space => 10 + run.saturating_sub(16),
        Kind::Sign => run * 9,
        // Scripts that many people write, and those that tokenizers know byte by byte only, with the space beside them.
        Kind::Wide => run * 7,
        Kind::Rare | Kind::Control => (run + 1) * 10,
    };
    let (mut tenths, mut run, mut kind) = (0u64, 0u64, Kind::Space);
    for &byte in text.as_bytes() {
        let next = match byte {
            b'a'..=b'z' => Kind::Lower,
            b'A'..=b'Z' => Kind::Upper,
            b'0'..=b'9' => Kind::Digit,
            b' ' | b'\t' | b'\n' | b'\r' => Kind::Space,
            0x80..0xc0 => kind,
            0xc2..=0xd4 | 0xe3..=0xed => Kind::Wide,
            0xc0.. => Kind::Rare,
            0..0x20 | 0x7f => Kind::Control,
            _ => Kind::Sign,
        };
        if next != kind {
            tenths += cost(kind, run);
            (kind, run) = (next, 0);
        }
        run += 1;
    }
    tenths += cost(kind, run);
    tenths.div_ceil(10).max((text.len() as u64).div_ceil(3))
}

/// What each message costs beside its text: role, separators.
pub(crate) const PER_MESSAGE: u64 = 8;

/// The most that a picture costs at any provider at the sizes that are not scaled down (Anthropic's large ones).
pub(crate) const PER_IMAGE: u64 = 4_800;

/// How the tokens of a model are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tokenizer {
    /// On the high side.
    Estimate,
    /// As OpenAI's newer models do.
    #[cfg(feature = "tiktoken")]
    O200k,
}

impl Tokenizer {
    /// The tokenizer of a model.
    #[cfg_attr(not(feature = "tiktoken"), expect(unused_variables, reason = "none is built in"))]
    pub(crate) fn of(provider: &str, model: &str) -> Self {
        #[cfg(feature = "tiktoken")]
        if provider == "openai" || model.starts_with("openai/") {
            return Self::O200k;
        }
        Self::Estimate
    }

    pub(crate) fn count(self, text: &str) -> u64 {
        match self {
            Self::Estimate => estimate_tokens(text),
            #[cfg(feature = "tiktoken")]
            // A long run without any border takes it quadratic time; nothing that people write has one.
            Self::O200k if text.split_whitespace().all(|word| word.len() < 10_000) => {
                tiktoken_rs::o200k_base_singleton().encode_ordinary(text).len() as u64
            }
            #[cfg(feature = "tiktoken")]
            Self::O200k => estimate_tokens(text),
        }
    }
}

/// The provider's figures so far, completed by estimates where they are missing or lag behind the text.
pub(crate) fn complete_usage(
    reported: Usage,
    final_figures: bool,
    prompt: u64,
    received_bytes: u64,
) -> Usage {
    if final_figures {
        return reported;
    }
    let mut usage = reported;
    if usage.input == 0 && usage.cache_read == 0 && usage.cache_write == 0 {
        usage.input = prompt;
    }
    usage.output = usage.output.max(received_bytes.div_ceil(3));
    usage.estimated = true;
    usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_grows_with_the_text_and_is_not_absurd() {
        assert_eq!(estimate_tokens(""), 0);
        let text = "The quick brown fox jumps over the lazy dog, and then it sleeps for a while. ";
        let one = estimate_tokens(text);
        assert!((18..=40).contains(&one), "{one}");
        let ten = estimate_tokens(&text.repeat(10));
        assert!(ten >= 9 * one && ten <= 10 * one + 10, "{one} {ten}");
    }

    #[cfg(feature = "tiktoken")]
    mod measured {
        use super::*;

        /// Texts that tokenizers cut into more pieces than their length suggests.
        fn bad() -> Vec<String> {
            let mut mixed = String::new();
            let mut state = 0x2545_f491_4f6c_dd1du64;
            for _ in 0..4_000 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
                mixed.push(char::from(letters[(state % 64) as usize]));
            }
            let signs: String = mixed
                .bytes()
                .map(|byte| b"{}[]();:,.<>!@#$%^&*-=+|\\\"'`~?/"[usize::from(byte % 31)] as char)
                .collect();
            vec![
                mixed,
                signs,
                "\u{1F469}\u{200D}\u{1F4BB}\u{1F3FD}".repeat(200),
                "日本語の文章を書いています。漢字とかな。".repeat(50),
                "Größe, naïve café, Übermut, señor. ".repeat(50),
                "1234567890 3.14159265 0x7fff_ffff ".repeat(50),
                "\u{0}\u{1}\u{7f}".repeat(200),
                "ᚠᛇᚻ᛫ᛒᛦᚦ ᎣᏏᏲ ⠓⠑⠇⠇⠕ ".repeat(50),
                "{\"a\":[{\"b\":1},{\"c\":null}],\"d\":\"e\"}".repeat(50),
                "a b c d e f g h i j k l m n o p q r s t u v w x y z ".repeat(40),
            ]
        }

        #[test]
        fn the_estimate_is_never_under_the_real_count() {
            let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            let mut texts = bad();
            for folder in ["src", "src/providers", "fixtures/anthropic", "tests/gateway"] {
                for file in std::fs::read_dir(root.join(folder)).unwrap() {
                    texts.extend(std::fs::read_to_string(file.unwrap().path()).ok());
                }
            }
            texts.extend(std::fs::read_to_string(root.join("../../Cargo.lock")).ok());
            let (mut estimates, mut counts) = (0, 0);
            for text in &texts {
                let real = Tokenizer::O200k.count(text);
                let estimate = estimate_tokens(text);
                let start: String = text.chars().take(60).collect();
                assert!(estimate >= real, "{estimate} for {real}: {start:?}");
                (estimates, counts) = (estimates + estimate, counts + real);
            }
            // An upper bound that is far too high would refuse calls that fit.
            assert!(estimates < 2 * counts, "{estimates} for {counts}");
        }
    }
}
