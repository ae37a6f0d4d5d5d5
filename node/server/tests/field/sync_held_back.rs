//! sync_held_back
