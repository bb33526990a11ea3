//! The floor: what a worker costs that is written directly on the Rust core, the least that any worker on this
//! core can cost. `bench/run.mjs` runs it beside the Node.js workers.

mod live;
mod replay;
mod usage;
mod workflow;

use std::collections::HashMap;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// `--name value` pairs.
pub struct Arguments(HashMap<String, String>);

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut pairs = HashMap::new();
        while let Some(name) = words.next() {
            let name = name
                .strip_prefix("--")
                .ok_or_else(|| format!("expected --name, got {name}"))?;
            let value = words
                .next()
                .ok_or_else(|| format!("--{name} needs a value"))?;
            pairs.insert(name.to_owned(), value);
        }
        Ok(Self(pairs))
    }

    pub fn text(&self, name: &str) -> Result<&str> {
        Ok(self
            .0
            .get(name)
            .ok_or_else(|| format!("--{name} is missing"))?)
    }

    pub fn number(&self, name: &str) -> Result<u32> {
        Ok(self.text(name)?.parse()?)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let mode = words.next().unwrap_or_default();
    let arguments = Arguments::parse(words)?;
    match mode.as_str() {
        "replay" => replay::replay(&arguments).await,
        "live" => live::live(&arguments).await,
        other => Err(format!("unknown mode {other:?}: replay or live").into()),
    }
}
