//! Metrics of TypeScript and metrics for TypeScript: the functions `metric*` of native.ts.

use crate::convert::{Given, bytes, export, undefined};
use crate::runtime;
use neon::prelude::*;

pub fn export_all(cx: &mut ModuleContext) -> NeonResult<()> {
    export(cx, "metricDefine", metric_define)?;
    export(cx, "metricRecord", metric_record)?;
    export(cx, "metricFetch", metric_fetch)?;
    Ok(())
}

fn metric_define<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let definition = bytes(cx, 1)?;
    let number = runtime(cx, 0)?.define_metric(&definition)?;
    Ok(cx.number(number).upcast())
}

fn metric_record<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let updates = bytes(cx, 1)?;
    runtime(cx, 0)?.record_metrics(&updates)?;
    undefined(cx)
}

fn metric_fetch<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let batch = runtime(cx, 0)?.fetch_metrics();
    Ok(JsUint8Array::from_slice(cx, &batch)?.upcast())
}
