# Short names for plain cargo commands.

default:
    @just --list

# What CI runs.
ci:
    bash .ci/run

# The tests of the README.
test:
    cargo test --workspace

# One seed of the core's simulation.
sim SEED:
    SIM_SEED={{ SEED }} cargo test -p ceptra-flow-core --test simulation -- --nocapture

# Kill the engine N times at random instants, and at every journal write.
crash N="100":
    CRASH_RUNS={{ N }} cargo test --release -p ceptra-flow --features crash-points --test crash -- --nocapture

# Benchmarks, each beside the raw SQLite floor.
bench:
    cargo bench -p ceptra-flow --bench engine

# The documentation of every crate.
docs:
    cargo doc --workspace --no-deps

# Formats everything.
fmt:
    cargo fmt --all
