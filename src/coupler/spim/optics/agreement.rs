//! How far the tiers part.
