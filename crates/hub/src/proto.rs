//! Generated from proto/perdure/core/v1: what TypeScript and Rust say to each other.

#![allow(clippy::all, clippy::pedantic)]

include!(concat!(env!("OUT_DIR"), "/perdure.core.v1.rs"));
