//! Part of the assist server.
