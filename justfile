# The menu. Every recipe is one line; what it does is in crates/xtask.

default:
    @just --list

# From a bare machine to a run's answer
demo:
    cargo xtask demo

# Every suite, on real components
test *args:
    cargo xtask test {{args}}

# Format, lints, generated files, boundaries, charts
check *args:
    cargo xtask check {{args}}

# Start the development cluster
up *args:
    cargo xtask up {{args}}

# Stop it and leave nothing behind
down:
    cargo xtask down

# What runs
status:
    cargo xtask status

# Logs of a component
logs *component:
    cargo xtask logs {{component}}

# Build the images and load them into the cluster
image:
    cargo xtask image

# Write the generated files
generate:
    cargo xtask generate

# Measure speed and size
bench *args:
    cargo xtask bench {{args}}
