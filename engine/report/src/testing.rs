//! Plans and runs for tests.
