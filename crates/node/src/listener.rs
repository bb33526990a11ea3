//! A JavaScript function that is called, on its own thread, with all the bytes that wait in an outbox.
//!
//! L1  A listener whose thread is gone is a no-op: no call, no panic.
//! L2  A listener keeps the process alive only between `hold` and `release`.
//! L3  Nothing that a listener throws leaves here: while its thread is being terminated every call fails in odd ways,
//!     and Neon would end the process over it. Listeners catch what they throw themselves (native-errors.ts).

use neon::event::Channel;
use neon::prelude::*;
use perdure_hub::Outbox;
use std::sync::{Arc, Mutex};

/// Keeps the process alive while it is held (L2).
pub struct Hold(Mutex<Channel>);

impl Hold {
    pub fn hold<'a>(&self, cx: &mut impl Context<'a>) {
        self.channel().reference(cx);
    }

    pub fn release<'a>(&self, cx: &mut impl Context<'a>) {
        self.channel().unref(cx);
    }

    fn channel(&self) -> std::sync::MutexGuard<'_, Channel> {
        self.0.lock().expect("no panic holds this lock")
    }
}

/// An outbox that wakes this thread, where `listener` gets what `take` takes out of it.
pub fn outbox<'cx>(
    cx: &mut FunctionContext<'cx>,
    listener: Handle<'cx, JsFunction>,
    take: impl Fn(&Outbox) -> Vec<u8> + Send + Sync + 'static,
) -> (Arc<Outbox>, Hold) {
    let listener = Arc::new(listener.root(cx));
    let mut channel = Channel::new(cx);
    channel.unref(cx);
    let hold = Hold(Mutex::new(channel.clone()));
    let take = Arc::new(take);
    let outbox = Arc::new_cyclic(|outbox: &std::sync::Weak<Outbox>| {
        let outbox = outbox.clone();
        Outbox::new(move || {
            let (outbox, listener, take) = (outbox.clone(), listener.clone(), take.clone());
            // L1: an error means that the thread has ended.
            let _ = channel.try_send(move |mut cx| {
                if let Some(outbox) = outbox.upgrade()
                    && tell(&mut cx, &listener, &take(&outbox)).is_err()
                {
                    let _ = cx.try_catch(|_| Ok(())); // L3: clears what is pending, if anything is
                }
                Ok(())
            });
        })
    });
    (outbox, hold)
}

fn tell(cx: &mut Cx<'_>, listener: &Root<JsFunction>, bytes: &[u8]) -> NeonResult<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let batch = JsUint8Array::from_slice(cx, bytes)?;
    let this = cx.undefined();
    let listener = listener.to_inner(cx);
    listener.call(cx, this, [batch.upcast::<JsValue>()])?;
    Ok(())
}
