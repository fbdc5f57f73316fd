//! Finds the JSON object in what a model wrote: inside fences and talk, with trailing commas and comments taken out.

use serde_json::Value;

/// Longer answers are no plans.
const MAX_BYTES: usize = 256 * 1024;
/// How many places an object may begin at are tried: a text of brackets must not take quadratic time.
const MAX_STARTS: usize = 16;

/// The object that holds a plan, or else the first object there is.
///
/// # Errors
/// Why there is none, in one sentence.
pub(super) fn read(text: &str) -> Result<Value, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("The answer has {} bytes; a plan is shorter.", text.len()));
    }
    let mut first = None;
    let mut problem = None;
    let mut from = 0;
    for _ in 0..MAX_STARTS {
        let Some(start) = text.get(from..).and_then(|rest| rest.find('{')).map(|at| from + at) else { break };
        let Some(end) = object_end(&text[start..]) else {
            problem.get_or_insert_with(|| "The JSON is cut: a bracket is never closed.".to_owned());
            from = start + 1;
            continue;
        };
        let object = &text[start..start + end];
        match lenient(object) {
            Ok(value) if is_plan(&value) => return Ok(value),
            Ok(value) => {
                first.get_or_insert(value);
                from = start + end;
            }
            Err(error) => {
                problem.get_or_insert_with(|| format!("It is not JSON: {error}."));
                from = start + 1;
            }
        }
    }
    match (first, problem) {
        // Something in it can be read, but the plan around it cannot.
        (_, Some(problem)) => Err(problem),
        (Some(value), None) => Ok(value),
        (None, None) => Err("There is no JSON object in the answer.".to_owned()),
    }
}

/// Any JSON value, with comments and trailing commas passed over.
pub(super) fn lenient(text: &str) -> Result<Value, serde_json::Error> {
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&relaxed(text)))
}

fn is_plan(value: &Value) -> bool {
    value.get("components").is_some() || value.get("plan").is_some_and(Value::is_object)
}

/// Where the object that begins `text` ends, behind its bracket.
fn object_end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut strings = Strings::default();
    for (at, byte) in text.bytes().enumerate() {
        if strings.holds(byte) {
            continue;
        }
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Without commas before a closing bracket, and without comments.
fn relaxed(text: &str) -> String {
    let mut kept: Vec<u8> = Vec::with_capacity(text.len());
    let mut strings = Strings::default();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let inside = strings.holds(byte);
        if !inside && byte == b'/' && bytes.get(at + 1) == Some(&b'/') {
            at += bytes[at..].iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len() - at);
            continue;
        }
        if !inside && byte == b'/' && bytes.get(at + 1) == Some(&b'*') {
            at += text.get(at + 2..).and_then(|rest| rest.find("*/")).map_or(bytes.len() - at, |end| end + 4);
            continue;
        }
        if !inside && matches!(byte, b'}' | b']') {
            let last = kept.iter().rposition(|byte| !byte.is_ascii_whitespace());
            if let Some(last) = last.filter(|&last| kept[last] == b',') {
                kept.remove(last);
            }
        }
        kept.push(byte);
        at += 1;
    }
    String::from_utf8(kept).unwrap_or_default()
}

/// Knows whether a byte belongs to a string.
#[derive(Default)]
struct Strings {
    inside: bool,
    escaped: bool,
}

impl Strings {
    fn holds(&mut self, byte: u8) -> bool {
        if !self.inside {
            self.inside = byte == b'"';
            return self.inside;
        }
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.inside = false,
            _ => {}
        }
        true
    }
}
