//! Embeddings: `POST /v1/embeddings` as OpenAI has it and `POST /api/embed` as Ollama has it.
//!
//! A text's vector counts its words, each in a place that its letters decide; words that the script calls alike share a
//! place. So texts of like words are near each other, and the same text always has the same vector.

use serde_json::{Value, json};

use crate::script::Script;

/// How many numbers a vector has.
const DIMENSIONS: usize = 128;

/// The vector of a text, of length 1; of no words, all of it in the first place.
fn vector(script: &Script, text: &str) -> Vec<f64> {
    let mut vector = vec![0.0; DIMENSIONS];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        let group = script.alike.iter().find(|group| group.contains(&word));
        let name = group.and_then(|group| group.first()).unwrap_or(&word);
        // FNV-1a: the same on every machine.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let place = usize::try_from(hash % DIMENSIONS as u64).unwrap_or_default();
        vector[place] += 1.0;
    }
    let length = vector.iter().map(|number| number * number).sum::<f64>().sqrt();
    if length == 0.0 {
        vector[0] = 1.0;
        return vector;
    }
    vector.into_iter().map(|number| number / length).collect()
}

/// The answer to a request's body; the error is what is wrong with it.
pub(crate) fn answer(script: &Script, body: &[u8], openai: bool) -> Result<String, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))?;
    let model = body["model"].as_str().ok_or("`model` is missing")?;
    let texts: Vec<&str> = match &body["input"] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts
            .iter()
            .map(|text| text.as_str().ok_or("`input` holds what is no text"))
            .collect::<Result<_, _>>()?,
        _ => return Err("`input` is missing".to_owned()),
    };
    if texts.iter().any(|text| text.is_empty()) {
        return Err("`input` cannot be an empty string".to_owned());
    }
    let vectors = texts.iter().map(|text| vector(script, text));
    let tokens: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
    let answer = if openai {
        let data: Vec<Value> = vectors
            .enumerate()
            .map(|(index, vector)| json!({ "object": "embedding", "index": index, "embedding": vector }))
            .collect();
        let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
        json!({ "object": "list", "data": data, "model": model, "usage": usage })
    } else {
        json!({ "model": model, "embeddings": vectors.collect::<Vec<_>>(), "prompt_eval_count": tokens })
    };
    Ok(answer.to_string())
}
