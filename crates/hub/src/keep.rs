//! What is needed to go on with a run when its lane is gone: its activations, and prints of what was answered to them.
//!
//! Owns    the memory of it, and how much that may be.
//! Leaves  when a run moves to the routing.
//! K1  A run is kept whole or not at all: what does not fit is given up with everything of the run before it.
//! K2  Answers are remembered as prints of 64 bits: enough to notice a run that is not deterministic.

use crate::routing::WorkerId;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

/// Completed activations of one run take at most this much, in bytes.
const RUN_LIMIT: usize = 64 << 10;
/// Those of all runs of the process.
const TOTAL_LIMIT: usize = 32 << 20;

#[derive(Default)]
pub(crate) struct Keep {
    workers: HashMap<WorkerId, HashMap<String, Kept>>,
    bytes: usize,
}

#[derive(Default)]
struct Kept {
    past: Vec<Past>,
    bytes: usize,
    outstanding: Option<Vec<u8>>,
}

/// An activation that has been completed.
pub(crate) struct Past {
    activation: Box<[u8]>,
    answer: u64,
}

impl Past {
    /// As an element of a LaneBatch.
    pub fn activation(&self) -> &[u8] {
        &self.activation
    }
}

/// K2
pub(crate) fn fingerprint(completion: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(completion);
    hasher.finish()
}

impl Keep {
    /// A run's first activation is outstanding.
    pub fn begin(&mut self, worker: WorkerId, run_id: &str, activation: Vec<u8>) {
        self.drop_run(worker, run_id);
        let kept = Kept {
            outstanding: Some(activation),
            ..Kept::default()
        };
        let runs = self.workers.entry(worker).or_default();
        runs.insert(run_id.to_owned(), kept);
    }

    /// Another activation is outstanding.
    pub fn asked(&mut self, worker: WorkerId, run_id: &str, activation: Vec<u8>) {
        if let Some(kept) = self.kept(worker, run_id) {
            kept.outstanding = Some(activation);
        }
    }

    /// The outstanding activation has been completed. Returns whether the run is kept.
    pub fn answered(&mut self, worker: WorkerId, run_id: &str, completion: &[u8]) -> bool {
        let total = self.bytes;
        let Some(kept) = self.kept(worker, run_id) else {
            return false;
        };
        let Some(activation) = kept.outstanding.take() else {
            return false;
        };
        let added = activation.len() + size_of::<Past>();
        if kept.bytes + added > RUN_LIMIT || total + added > TOTAL_LIMIT {
            self.drop_run(worker, run_id); // K1
            return false;
        }
        kept.bytes += added;
        kept.past.push(Past {
            activation: activation.into_boxed_slice(),
            answer: fingerprint(completion),
        });
        self.bytes += added;
        true
    }

    /// The outstanding activation has been completed and need not be carried out again. Returns whether the run is kept.
    pub fn answered_for_nothing(&mut self, worker: WorkerId, run_id: &str) -> bool {
        let Some(kept) = self.kept(worker, run_id) else {
            return false;
        };
        kept.outstanding = None;
        true
    }

    pub fn drop_run(&mut self, worker: WorkerId, run_id: &str) {
        let runs = self.workers.get_mut(&worker);
        if let Some(kept) = runs.and_then(|runs| runs.remove(run_id)) {
            self.bytes -= kept.bytes;
        }
    }

    pub fn drop_worker(&mut self, worker: WorkerId) {
        for kept in self.workers.remove(&worker).unwrap_or_default().values() {
            self.bytes -= kept.bytes;
        }
    }

    /// Completed activations of the run, oldest first.
    pub fn past(&self, worker: WorkerId, run_id: &str) -> &[Past] {
        self.get(worker, run_id).map_or(&[], |kept| &kept.past)
    }

    pub fn outstanding(&self, worker: WorkerId, run_id: &str) -> Option<&[u8]> {
        self.get(worker, run_id)?.outstanding.as_deref()
    }

    /// The print of the answer to a completed activation.
    pub fn answer(&self, worker: WorkerId, run_id: &str, index: usize) -> Option<u64> {
        self.past(worker, run_id).get(index).map(|past| past.answer)
    }

    fn get(&self, worker: WorkerId, run_id: &str) -> Option<&Kept> {
        self.workers.get(&worker)?.get(run_id)
    }

    fn kept(&mut self, worker: WorkerId, run_id: &str) -> Option<&mut Kept> {
        self.workers.get_mut(&worker)?.get_mut(run_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_kept_with_all_that_it_has_completed() {
        let mut keep = Keep::default();
        keep.begin(1, "a", vec![1; 10]);
        assert_eq!(keep.outstanding(1, "a"), Some(&[1; 10][..]));
        assert!(keep.answered(1, "a", b"one"));
        keep.asked(1, "a", vec![2; 20]);
        assert!(keep.answered_for_nothing(1, "a"));
        keep.asked(1, "a", vec![3; 30]);
        assert!(keep.answered(1, "a", b"three"));
        let past: Vec<_> = keep.past(1, "a").iter().map(Past::activation).collect();
        assert_eq!(past, [&[1; 10][..], &[3; 30][..]]);
        assert_eq!(keep.answer(1, "a", 1), Some(fingerprint(b"three")));
        assert_ne!(keep.answer(1, "a", 0), keep.answer(1, "a", 1));
        assert_eq!(keep.answer(1, "a", 2), None);
        keep.drop_run(1, "a");
        assert_eq!(keep.bytes, 0);
    }

    #[test]
    fn a_run_that_grows_too_large_is_given_up_whole() {
        let mut keep = Keep::default();
        keep.begin(1, "a", vec![0; RUN_LIMIT / 2]);
        assert!(keep.answered(1, "a", b""));
        keep.begin(1, "b", vec![0; 10]);
        assert!(keep.answered(1, "b", b""));
        keep.asked(1, "a", vec![0; RUN_LIMIT / 2]);
        assert!(!keep.answered(1, "a", b""));
        assert!(keep.past(1, "a").is_empty());
        assert_eq!(keep.bytes, 10 + size_of::<Past>());
        keep.asked(1, "a", vec![0; 1]);
        assert_eq!(keep.outstanding(1, "a"), None);
    }

    #[test]
    fn all_runs_together_stay_below_the_limit() {
        let mut keep = Keep::default();
        let size = RUN_LIMIT - 1000;
        let fit = (0..2000)
            .filter(|index| {
                let worker = 1 + index % 3;
                let run_id = index.to_string();
                keep.begin(worker, &run_id, vec![0; size]);
                keep.answered(worker, &run_id, b"")
            })
            .count();
        assert!(keep.bytes <= TOTAL_LIMIT);
        assert!((TOTAL_LIMIT / RUN_LIMIT..=TOTAL_LIMIT / size).contains(&fit));
        for worker in 1..=3 {
            keep.drop_worker(worker);
        }
        assert_eq!(keep.bytes, 0);
    }
}
