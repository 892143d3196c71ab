//! Files and directories, made so that only their owner can read them.
