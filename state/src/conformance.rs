//! What every kind of journal must do: each function is a test that both sides pass.
