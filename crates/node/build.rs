//! The addon stays in memory once it is loaded: Node.js unloads an addon when the last thread that loaded it ends,
//! while tokio's threads may still run its code.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
