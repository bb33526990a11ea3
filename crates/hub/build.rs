//! Rust types of the contract between TypeScript and Rust, from proto/perdure/core/v1.
//!
//! PERDURE_SOURCE_HASH names the sources by content (packages/core/scripts/build-native.mjs). Checkouts may share a
//! target directory, and cargo, which compares times only, would take one checkout's build for the other's.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-env-changed=PERDURE_SOURCE_HASH");
    println!("cargo:rerun-if-changed=build.rs");
    let root = "../../proto";
    println!("cargo:rerun-if-changed={root}/perdure/core/v1");
    let files = protox::compile(
        [
            "perdure/core/v1/options.proto",
            "perdure/core/v1/exchange.proto",
            "perdure/core/v1/metrics.proto",
        ],
        [root],
    )?;
    prost_build::Config::new()
        // A completion is decoded from a slice of the batch it came in.
        .bytes([".perdure.core.v1.LaneCompletion.completion"])
        .compile_fds(files)?;
    Ok(())
}
