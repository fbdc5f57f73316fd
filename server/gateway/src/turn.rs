//! Turns of a conversation that hold more than text: images, calls of tools and what the tools gave back.
//!
//! Some providers sign a model's thoughts and refuse a conversation in which they come back changed. So a turn of the
//! model also keeps its provider's own form, opaque to everyone else, which goes back as it came if the same model is
//! asked again. Any other model gets the plain parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Message, ModelRef, Role, ToolCall};

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order. A turn without anything to say is left out of the request.
    pub parts: Vec<Part>,
    /// The same in its provider's own form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) native: Option<Native>,
}

/// A piece of a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Text.
    Text(String),
    /// A picture, from the user only.
    Image(Image),
    /// A tool that the model wants called.
    Call(ToolCall),
    /// What a tool gave back, from the user only.
    Result(ToolResult),
}

/// What a tool gave back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The [`ToolCall::id`] that this answers. Each call of a turn needs one result in the next.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// What the model gets to read.
    pub content: String,
    /// Whether the tool failed.
    pub failed: bool,
}

/// A turn as its provider wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Native {
    pub provider: String,
    pub model: String,
    pub content: Value,
}

/// A picture: PNG, JPEG, GIF or WebP, which all providers with eyes can read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    media_type: String,
    base64: String,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({}, {} bytes of base64)", self.media_type, self.base64.len())
    }
}

/// Bytes that no model can look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Not one of the four formats.
    #[error("this is not a PNG, JPEG, GIF or WebP picture: convert it first")]
    Format,
    /// Larger than providers take.
    #[error("this picture has {bytes} bytes and may have {MAX_IMAGE_BYTES}: make it smaller")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
}

/// The smallest of the providers' limits (Anthropic's 5 MB, counted before base64 on the safe side).
pub const MAX_IMAGE_BYTES: usize = 3_750_000;

impl Image {
    /// A picture from the bytes of its file. The format is told by the bytes, not by a name.
    ///
    /// # Errors
    /// [`ImageError`] when no provider would take it.
    pub fn new(bytes: &[u8]) -> Result<Self, ImageError> {
        let media_type = match bytes {
            [0x89, b'P', b'N', b'G', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [b'G', b'I', b'F', b'8', ..] => "image/gif",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
            _ => return Err(ImageError::Format),
        };
        if bytes.len() > MAX_IMAGE_BYTES {
            return Err(ImageError::TooLarge { bytes: bytes.len() });
        }
        Ok(Self { media_type: media_type.to_owned(), base64: STANDARD.encode(bytes) })
    }

    /// `image/png` and the like.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    pub(crate) fn base64(&self) -> &str {
        &self.base64
    }

    pub(crate) fn data_url(&self) -> String {
        format!("data:{};base64,{}", self.media_type, self.base64)
    }
}

impl Turn {
    /// The user says something.
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, parts: vec![Part::Text(text.into())], native: None }
    }

    /// The model said something.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self { role: Role::Assistant, parts: vec![Part::Text(text.into())], native: None }
    }

    /// What tools gave back.
    pub fn results(results: impl IntoIterator<Item = ToolResult>) -> Self {
        Self { role: Role::User, parts: results.into_iter().map(Part::Result).collect(), native: None }
    }

    /// With a picture behind what is said.
    #[must_use]
    pub fn with_image(mut self, image: Image) -> Self {
        self.parts.push(Part::Image(image));
        self
    }

    /// The text of it, without tools' results.
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None })
            .collect()
    }

    /// The tools that the model wants called, in its order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|part| if let Part::Call(call) = part { Some(call) } else { None })
    }

    /// Everything of it that is read as text, results of tools included.
    pub(crate) fn read_text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Result(result) => Some(result.content.as_str()),
            Part::Image(_) | Part::Call(_) => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    /// Whether there is anything to send.
    pub(crate) fn speaks(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, Part::Text(text) if text.trim().is_empty()))
    }

    /// The parts without texts that hold nothing, which some providers refuse.
    pub(crate) fn spoken(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| !matches!(part, Part::Text(text) if text.trim().is_empty()))
    }

    /// The provider's own form, where it is this model's.
    pub(crate) fn native_for(&self, provider: &str, model: &str) -> Option<&Value> {
        let native = self.native.as_ref()?;
        (native.provider == provider && native.model == model).then_some(&native.content)
    }

    pub(crate) fn keep_native(&mut self, model: &ModelRef, content: Value) {
        self.native = Some(Native { provider: model.provider.clone(), model: model.model.clone(), content });
    }
}

impl From<&Message> for Turn {
    fn from(message: &Message) -> Self {
        Self { role: message.role, parts: vec![Part::Text(message.text.clone())], native: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_of_a_picture_is_read_from_its_bytes() {
        let image = Image::new(b"\x89PNG\r\n\x1a\nrest").unwrap();
        assert_eq!(image.data_url(), "data:image/png;base64,iVBORw0KGgpyZXN0");
        assert_eq!(Image::new(b"RIFF1234WEBPx").unwrap().media_type(), "image/webp");
        assert_eq!(Image::new(b"<svg/>"), Err(ImageError::Format));
        assert_eq!(Image::new(b""), Err(ImageError::Format));
        let mut large = vec![0; MAX_IMAGE_BYTES + 1];
        large[..4].copy_from_slice(b"GIF8");
        assert_eq!(Image::new(&large), Err(ImageError::TooLarge { bytes: MAX_IMAGE_BYTES + 1 }));
    }

    #[test]
    fn a_turn_survives_being_stored() {
        let mut turn = Turn::user("look").with_image(Image::new(b"GIF8x").unwrap());
        turn.keep_native(&ModelRef { provider: "p".into(), model: "m".into() }, serde_json::json!([1]));
        let stored = serde_json::to_string(&turn).unwrap();
        let back: Turn = serde_json::from_str(&stored).unwrap();
        assert_eq!(back, turn);
        assert!(back.native_for("p", "m").is_some() && back.native_for("p", "other").is_none());
        assert!(!format!("{turn:?}").contains("R0lGOHg"), "pictures are not printed");
    }
}
