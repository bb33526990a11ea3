use neon::prelude::*;
#[neon::main]
fn main(mut cx: ModuleContext) -> NeonResult<()> { let _ = &mut cx; Ok(()) }
