//! Rust types of the contract between TypeScript and Rust, from proto/perdure/core/v1.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = "../../proto";
    println!("cargo:rerun-if-changed={root}/perdure/core/v1");
    let files = protox::compile(
        [
            "perdure/core/v1/options.proto",
            "perdure/core/v1/exchange.proto",
        ],
        [root],
    )?;
    prost_build::Config::new()
        // A completion is decoded from a slice of the batch it came in.
        .bytes([".perdure.core.v1.LaneCompletion.completion"])
        .compile_fds(files)?;
    Ok(())
}
