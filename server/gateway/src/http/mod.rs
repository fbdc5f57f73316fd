//! Clients of services that are no models: each called behind a breaker, through [`crate::Gateway::outside`].

pub(crate) mod embeddings;
