//! Builds again when the sources of the checkout are others: see packages/core/scripts/source-hash.mjs.

fn main() {
    println!("cargo:rerun-if-env-changed=PERDURE_SOURCE_HASH");
    println!("cargo:rerun-if-changed=build.rs");
}
