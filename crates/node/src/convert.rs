//! JavaScript values to Rust and back, errors included.
//!
//! X1  Every error that leaves is a JavaScript `Error` with a string `code`; wrong arguments and panics too.

use futures_util::FutureExt;
use neon::prelude::*;
use neon::types::Deferred;
use neon::types::buffer::TypedArray;
use perdure_hub::{HubError, MetadataValue, Runtime};
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How an exported function fails: with an error of the hub, or with a JavaScript exception that is pending already.
pub enum Fail {
    Hub(HubError),
    Pending(neon::result::Throw),
}

impl From<HubError> for Fail {
    fn from(error: HubError) -> Self {
        Self::Hub(error)
    }
}

impl From<neon::result::Throw> for Fail {
    fn from(throw: neon::result::Throw) -> Self {
        Self::Pending(throw)
    }
}

/// What exported functions give back.
pub type Given<'cx> = Result<Handle<'cx, JsValue>, Fail>;

/// Exports `function` under `name`, with errors turned into JavaScript's (X1).
pub fn export(
    cx: &mut ModuleContext,
    name: &'static str,
    function: for<'a, 'cx> fn(&'a mut FunctionContext<'cx>) -> Given<'cx>,
) -> NeonResult<()> {
    cx.export_function(name, move |mut cx: FunctionContext| {
        let outcome = catch_unwind(AssertUnwindSafe(|| function(&mut cx)));
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Fail::Pending(throw))) => Err(throw),
            Ok(Err(Fail::Hub(error))) => throw(&mut cx, &error),
            Err(panic) => throw(&mut cx, &panicked(panic.as_ref())),
        }
    })
}

/// A promise of what `work` gives, made into a JavaScript value by `finish` on this thread.
/// The pending promise keeps the process alive.
pub fn promise<'cx, T, W, F>(
    cx: &mut FunctionContext<'cx>,
    runtime: &Runtime,
    work: W,
    finish: F,
) -> Given<'cx>
where
    T: Send + 'static,
    W: Future<Output = Result<T, HubError>> + Send + 'static,
    F: for<'a> FnOnce(&mut Cx<'a>, T) -> JsResult<'a, JsValue> + Send + 'static,
{
    let channel = cx.channel();
    let (deferred, promise) = cx.promise();
    let mut pending = Pending(Some((deferred, channel)));
    runtime.tokio().spawn(async move {
        let outcome = AssertUnwindSafe(work)
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        if let Some((deferred, channel)) = pending.0.take() {
            // Fails only if the thread is gone, and nobody waits then.
            let _ = deferred.try_settle_with(&channel, move |mut cx| match outcome {
                Ok(value) => finish(&mut cx, value),
                Err(error) => throw(&mut cx, &error),
            });
        }
    });
    Ok(promise.upcast())
}

/// A promise that a closed runtime will never settle is rejected with the code for that (X1).
struct Pending(Option<(Deferred, Channel)>);

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some((deferred, channel)) = self.0.take() {
            let _ = deferred.try_settle_with(&channel, |mut cx| {
                throw::<_, Handle<JsUndefined>>(&mut cx, &HubError::RuntimeClosed)
            });
        }
    }
}

/// A promise that has its outcome already: no thread has to be woken for it.
pub fn settled<'cx>(cx: &mut FunctionContext<'cx>, outcome: Result<(), HubError>) -> Given<'cx> {
    let (deferred, promise) = cx.promise();
    let failure = outcome.err();
    let thrown = failure.map(|error| cx.try_catch(|cx| throw::<_, ()>(cx, &error)));
    if let Some(Err(error)) = thrown {
        deferred.reject(cx, error);
    } else {
        let nothing = cx.undefined();
        deferred.resolve(cx, nothing);
    }
    Ok(promise.upcast())
}

/// For promises of nothing.
pub fn nothing<'a>(cx: &mut Cx<'a>, (): ()) -> JsResult<'a, JsValue> {
    Ok(cx.undefined().upcast())
}

pub fn undefined<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    Ok(cx.undefined().upcast())
}

pub fn throw<'a, C: Context<'a>, T>(cx: &mut C, error: &HubError) -> NeonResult<T> {
    let js = cx.error(error.to_string())?;
    let code = cx.string(error.code());
    js.set(cx, "code", code)?;
    if let HubError::RpcFailed(failure) = error {
        let grpc_code = cx.number(failure.grpc_code);
        js.set(cx, "grpcCode", grpc_code)?;
        let details = JsUint8Array::from_slice(cx, &failure.details)?;
        js.set(cx, "details", details)?;
        let metadata = cx.empty_object();
        for (key, value) in &failure.metadata {
            let value: Handle<JsValue> = match value {
                MetadataValue::Text(text) => cx.string(text).upcast(),
                MetadataValue::Binary(bytes) => JsUint8Array::from_slice(cx, bytes)?.upcast(),
            };
            metadata.set(cx, key.as_str(), value)?;
        }
        js.set(cx, "metadata", metadata)?;
    }
    cx.throw(js)
}

pub fn panicked(panic: &(dyn Any + Send)) -> HubError {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown panic".to_owned());
    HubError::Panicked { message }
}

// Arguments

fn argument<'cx, V: Value>(
    cx: &mut FunctionContext<'cx>,
    index: usize,
    takes: &str,
) -> Result<Handle<'cx, V>, Fail> {
    cx.argument_opt(index)
        .and_then(|value| value.downcast::<V, _>(cx).ok())
        .ok_or_else(|| refused(index, takes))
}

fn refused(index: usize, takes: &str) -> Fail {
    Fail::Hub(HubError::OptionsInvalid {
        what: format!("argument {index} of this native function is not {takes}"),
    })
}

pub fn bytes(cx: &mut FunctionContext<'_>, index: usize) -> Result<Vec<u8>, Fail> {
    let array: Handle<JsUint8Array> = argument(cx, index, "a Uint8Array")?;
    Ok(array.as_slice(cx).to_vec())
}

pub fn number(cx: &mut FunctionContext<'_>, index: usize) -> Result<u32, Fail> {
    const TAKES: &str = "a whole number below 2 ** 32";
    let number: Handle<JsNumber> = argument(cx, index, TAKES)?;
    whole(number.value(cx)).ok_or_else(|| refused(index, TAKES))
}

pub fn numbers(cx: &mut FunctionContext<'_>, index: usize) -> Result<Vec<u32>, Fail> {
    const TAKES: &str = "an array of whole numbers below 2 ** 32";
    let array: Handle<JsArray> = argument(cx, index, TAKES)?;
    let mut numbers = Vec::new();
    for item in array.to_vec(cx)? {
        let number = item.downcast::<JsNumber, _>(cx).ok();
        let number = number.and_then(|number| whole(number.value(cx)));
        numbers.push(number.ok_or_else(|| refused(index, TAKES))?);
    }
    Ok(numbers)
}

fn whole(number: f64) -> Option<u32> {
    Some(number as u32).filter(|whole| f64::from(*whole) == number)
}

pub fn function<'cx>(
    cx: &mut FunctionContext<'cx>,
    index: usize,
) -> Result<Handle<'cx, JsFunction>, Fail> {
    argument(cx, index, "a function")
}

pub fn handle<'cx, T: Finalize + 'static>(
    cx: &mut FunctionContext<'cx>,
    index: usize,
    what: &str,
) -> Result<Handle<'cx, JsBox<T>>, Fail> {
    argument(cx, index, what)
}
