//! Slot suppliers that are written in TypeScript: the core asks, the main thread answers.
//!
//! Owns    the numbers of permits and the questions that wait for an answer.
//! Leaves  what a supplier decides, and what becomes of its errors, to packages/worker/src/slot-suppliers.ts.
//! S1  Every permit that TypeScript has granted is released exactly once: by its task, or because nobody waits for the
//!     grant any more. A question that is given up is told so; TypeScript then releases what it has granted.
//! S2  Nothing here waits on the main thread itself, and no other thread waits for it longer than `TRY_WAIT`; while
//!     an answer is overdue nobody waits at all.
//! S3  What TypeScript is told about one permit arrives in the order in which it happened.

use crate::outbox::{Outbox, element};
use crate::proto::{
    self, SlotKind as Kind, SlotRequest, SlotUse, TaskItem, slot_request, task_item,
};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::ThreadId;
use std::time::Duration;
use temporalio_sdk_core::{
    SlotInfo, SlotInfoTrait, SlotKind, SlotKindType, SlotMarkUsedContext, SlotReleaseContext,
    SlotReservationContext, SlotSupplier, SlotSupplierPermit,
};
use tokio::sync::oneshot;

/// How long a thread of the core, or a lane, waits for `tryReserveSlot`.
const TRY_WAIT: Duration = Duration::from_millis(50);

/// Where the suppliers of one worker ask.
pub(crate) struct SlotDesk {
    tasks: Arc<Outbox>,
    /// The thread that answers (S2).
    home: ThreadId,
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, Waiting>>,
    overdue: AtomicUsize,
}

enum Waiting {
    Patient(oneshot::Sender<()>),
    Hasty(mpsc::SyncSender<bool>),
    Overdue,
}

/// What the core's permit carries.
struct Permit(u64);

impl SlotDesk {
    /// To be called on the thread that will answer.
    pub(crate) fn new(tasks: Arc<Outbox>) -> Arc<Self> {
        Arc::new(Self {
            tasks,
            home: std::thread::current().id(),
            last: AtomicU64::new(0),
            waiting: Mutex::default(),
            overdue: AtomicUsize::new(0),
        })
    }

    /// The main thread has answered. An answer that nobody waits for is ignored: its permit was given up (S1).
    pub(crate) fn answer(&self, answer: &proto::SlotAnswer) {
        let waiting = self.waiting().remove(&answer.permit);
        match waiting {
            Some(Waiting::Patient(sender)) if answer.granted => {
                let _ = sender.send(()); // the asker's guard tells if it went away
            }
            Some(Waiting::Hasty(sender)) => {
                let _ = sender.try_send(answer.granted);
            }
            Some(Waiting::Overdue) => {
                self.overdue.fetch_sub(1, Ordering::AcqRel);
            }
            Some(Waiting::Patient(_)) | None => {}
        }
    }

    fn tell(&self, kind: Kind, permit: u64, what: slot_request::What) {
        self.tasks.push(&element(&TaskItem {
            kind: Some(task_item::Kind::Slot(SlotRequest {
                permit,
                kind: kind.into(),
                what: Some(what),
            })),
        }));
    }

    async fn reserve(self: &Arc<Self>, kind: Kind, sticky: bool) -> SlotSupplierPermit {
        let permit = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, granted) = oneshot::channel();
        self.waiting().insert(permit, Waiting::Patient(sender));
        // The core drops this future when it stops to poll.
        let mut asking = Asking {
            desk: self,
            kind,
            permit,
            given_up: true,
        };
        let reserve = slot_request::Reserve { sticky };
        self.tell(kind, permit, slot_request::What::Reserve(reserve));
        if granted.await.is_err() {
            std::future::pending::<()>().await; // refused: TypeScript does so for questions that were given up
        }
        asking.given_up = false;
        SlotSupplierPermit::with_user_data(Permit(permit))
    }

    fn try_reserve(&self, kind: Kind, sticky: bool) -> Option<SlotSupplierPermit> {
        if std::thread::current().id() == self.home || self.overdue.load(Ordering::Acquire) > 0 {
            return None; // S2
        }
        let permit = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, answer) = mpsc::sync_channel(1);
        self.waiting().insert(permit, Waiting::Hasty(sender));
        let reserve = slot_request::Reserve { sticky };
        self.tell(kind, permit, slot_request::What::TryReserve(reserve));
        let granted = answer.recv_timeout(TRY_WAIT).or_else(|_| {
            let mut waiting = self.waiting();
            if waiting.remove(&permit).is_none() {
                return answer.recv(); // it is being answered at this moment
            }
            waiting.insert(permit, Waiting::Overdue);
            self.overdue.fetch_add(1, Ordering::AcqRel);
            Err(mpsc::RecvError)
        });
        match granted {
            Ok(true) => Some(SlotSupplierPermit::with_user_data(Permit(permit))),
            Ok(false) => None,
            Err(_) => {
                self.tell(kind, permit, slot_request::What::Abandoned(true)); // S1
                None
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().expect("no panic holds this lock")
    }
}

/// A question that tells when it is given up (S1).
struct Asking<'a> {
    desk: &'a SlotDesk,
    kind: Kind,
    permit: u64,
    given_up: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.given_up {
            self.desk.waiting().remove(&self.permit);
            let given_up = slot_request::What::Abandoned(true);
            self.desk.tell(self.kind, self.permit, given_up);
        }
    }
}

/// The supplier of one kind of tasks.
pub(crate) struct CustomSlots<K> {
    desk: Arc<SlotDesk>,
    kind: Kind,
    of: PhantomData<fn() -> K>,
}

impl<K: SlotKind> CustomSlots<K> {
    pub(crate) fn new(desk: &Arc<SlotDesk>) -> Self {
        Self {
            desk: desk.clone(),
            kind: match K::kind() {
                SlotKindType::Workflow => Kind::Workflow,
                SlotKindType::Activity => Kind::Activity,
                SlotKindType::LocalActivity => Kind::LocalActivity,
                SlotKindType::Nexus => Kind::Nexus,
            },
            of: PhantomData,
        }
    }
}

#[async_trait::async_trait]
impl<K: SlotKind> SlotSupplier for CustomSlots<K> {
    type SlotKind = K;

    async fn reserve_slot(&self, ctx: &dyn SlotReservationContext) -> SlotSupplierPermit {
        self.desk.reserve(self.kind, ctx.is_sticky()).await
    }

    fn try_reserve_slot(&self, ctx: &dyn SlotReservationContext) -> Option<SlotSupplierPermit> {
        self.desk.try_reserve(self.kind, ctx.is_sticky())
    }

    fn mark_slot_used(&self, ctx: &dyn SlotMarkUsedContext<SlotKind = K>) {
        if let Some(Permit(permit)) = ctx.permit().user_data() {
            let used = slot_request::What::Used(slot_use(ctx.info()));
            self.desk.tell(self.kind, *permit, used);
        }
    }

    fn release_slot(&self, ctx: &dyn SlotReleaseContext<SlotKind = K>) {
        if let Some(Permit(permit)) = ctx.permit().user_data() {
            let released = proto::SlotRelease {
                r#use: ctx.info().map(slot_use),
            };
            let released = slot_request::What::Released(released);
            self.desk.tell(self.kind, *permit, released);
        }
    }
}

fn slot_use(info: &impl SlotInfoTrait) -> SlotUse {
    match info.downcast() {
        SlotInfo::Workflow(info) => SlotUse {
            name: info.workflow_type.clone(),
            sticky: info.is_sticky,
            ..SlotUse::default()
        },
        SlotInfo::Activity(info) => SlotUse {
            name: info.activity_type.clone(),
            ..SlotUse::default()
        },
        SlotInfo::LocalActivity(info) => SlotUse {
            name: info.activity_type.clone(),
            ..SlotUse::default()
        },
        SlotInfo::Nexus(info) => SlotUse {
            name: info.service.clone(),
            operation: info.operation.clone(),
            ..SlotUse::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::TaskBatch;
    use prost::Message;
    use std::time::Instant;

    fn desk() -> Arc<SlotDesk> {
        SlotDesk::new(Arc::new(Outbox::new(|| {})))
    }

    fn told(desk: &SlotDesk) -> Vec<(u64, slot_request::What)> {
        let batch = TaskBatch::decode(&desk.tasks.take()[..]).unwrap();
        let slot = |item: TaskItem| match item.kind {
            Some(task_item::Kind::Slot(slot)) => (slot.permit, slot.what.unwrap()),
            other => panic!("not about slots: {other:?}"),
        };
        batch.items.into_iter().map(slot).collect()
    }

    fn grant(desk: &SlotDesk, permit: u64) {
        desk.answer(&proto::SlotAnswer {
            permit,
            granted: true,
        });
    }

    /// Asks on another thread, as the core does, while this one answers.
    fn asked_elsewhere(desk: &Arc<SlotDesk>) -> std::thread::JoinHandle<bool> {
        let desk = desk.clone();
        std::thread::spawn(move || desk.try_reserve(Kind::Activity, false).is_some())
    }

    fn next_told(desk: &SlotDesk) -> (u64, slot_request::What) {
        loop {
            if let Some(first) = told(desk).pop() {
                return first;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[tokio::test]
    async fn a_reservation_resolves_once_it_is_granted() {
        let desk = desk();
        let asking = desk.clone();
        let asked = tokio::spawn(async move { asking.reserve(Kind::Workflow, true).await });
        tokio::task::yield_now().await;
        let (permit, what) = told(&desk).remove(0);
        let reserve = slot_request::Reserve { sticky: true };
        assert_eq!(what, slot_request::What::Reserve(reserve));
        grant(&desk, permit);
        let given = asked.await.unwrap();
        assert_eq!(given.user_data::<Permit>().unwrap().0, permit);
        assert!(told(&desk).is_empty());
    }

    #[tokio::test]
    async fn a_reservation_that_is_dropped_is_told_as_given_up_whether_granted_or_not() {
        for granted in [false, true] {
            let desk = desk();
            let asking = desk.clone();
            let asked = tokio::spawn(async move { asking.reserve(Kind::Nexus, false).await });
            tokio::task::yield_now().await;
            let (permit, _) = told(&desk).remove(0);
            if granted {
                grant(&desk, permit);
            }
            asked.abort();
            assert!(asked.await.is_err());
            assert_eq!(
                told(&desk),
                [(permit, slot_request::What::Abandoned(true))],
                "granted: {granted}"
            );
        }
    }

    #[test]
    fn a_try_gives_what_the_main_thread_answers_in_time() {
        for granted in [false, true] {
            let desk = desk();
            let asked = asked_elsewhere(&desk);
            let (permit, _) = next_told(&desk);
            desk.answer(&proto::SlotAnswer { permit, granted });
            assert_eq!(asked.join().unwrap(), granted);
            assert!(told(&desk).is_empty());
        }
    }

    #[test]
    fn a_try_gives_up_on_a_main_thread_that_is_busy_and_asks_no_more_until_it_answers() {
        let desk = desk();
        assert!(!asked_elsewhere(&desk).join().unwrap());
        let given_up = told(&desk);
        assert_eq!(given_up[1].1, slot_request::What::Abandoned(true));
        let begun = Instant::now();
        assert!(!asked_elsewhere(&desk).join().unwrap());
        assert!(begun.elapsed() < TRY_WAIT, "it waited again");
        assert!(told(&desk).is_empty());
        grant(&desk, given_up[0].0);
        let asked = asked_elsewhere(&desk);
        grant(&desk, next_told(&desk).0);
        assert!(asked.join().unwrap());
    }

    #[test]
    fn the_main_thread_itself_is_never_made_to_wait() {
        let desk = desk();
        assert!(desk.try_reserve(Kind::Activity, false).is_none());
        assert!(told(&desk).is_empty());
    }
}
