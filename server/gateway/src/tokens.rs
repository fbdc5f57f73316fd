//! How many tokens a text has, without the model's tokenizer.
//!
//! An estimate on the high side: the common tokenizers give 3 to 4 bytes a token for English and code, fewer for dense
//! punctuation and other scripts, whose characters take two to four bytes each. It is used to reserve money and to
//! settle streams whose provider never told its figures; both say that it is an estimate.

use crate::{Request, Usage};

/// Tokens of `text`, rounded up, on the high side for English and code.
pub fn estimate_tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(3)
}

/// What each message costs beside its text: role, separators.
const PER_MESSAGE: u64 = 8;

/// Tokens of a whole prompt.
pub(crate) fn estimate_prompt(request: &Request) -> u64 {
    let said: u64 = request.spoken().map(|message| estimate_tokens(&message.text) + PER_MESSAGE).sum();
    said + estimate_tokens(&request.system) + PER_MESSAGE
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
