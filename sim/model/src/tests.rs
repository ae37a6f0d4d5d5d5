//! The booking rules as examples and as properties.
