//! The addon stays in memory once it is loaded: Node.js unloads an addon when the last thread that loaded it ends,
//! while tokio's threads may still run its code.
//!
//! PERDURE_SOURCE_HASH: see crates/hub/build.rs. The addon carries it, so that a copy can be told from another's.

fn main() {
    println!("cargo:rerun-if-env-changed=PERDURE_SOURCE_HASH");
    println!("cargo:rerun-if-changed=build.rs");
    let hash = std::env::var("PERDURE_SOURCE_HASH").unwrap_or_default();
    println!("cargo:rustc-env=PERDURE_SOURCE_HASH={hash}");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        // Rust links with lld here, which can keep one copy of functions that came out alike; other linkers cannot.
        if std::env::var("TARGET").as_deref() == Ok("x86_64-unknown-linux-gnu") {
            println!("cargo:rustc-cdylib-link-arg=-Wl,--icf=all");
        }
    }
}
