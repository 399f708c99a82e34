//! Feature `tracing`: each task of a pool runs in a span of its own.
//!
//! A subscriber is a process's own, so each test has a process.

use std::cell::RefCell;
use std::fmt::Debug;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use lockwork::pool::{RejectionPolicy, ThreadPool};
use lockwork::{Mutex, OnceLock};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, info, info_span};

use super::pool::{occupy, quiet};
use super::support::child;
use super::support::watchdog::Watchdog;

thread_local! {
    /// The spans that this thread is in.
    static INSIDE: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// The one of this process.
static RECORDER: OnceLock<Recorder> = OnceLock::new();

/// What was said of a span.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    metadata: Option<&'static Metadata<'static>>,
    fields: Vec<String>,
    entered: u32,
    exited: u32,
    closed: bool,
    events: u32,
}

#[derive(Clone, Debug, Default)]
struct Recorder {
    spans: Arc<Mutex<Vec<Seen>>>,
    /// What to throw at.
    throws: Option<&'static str>,
}

struct Fields<'a>(&'a mut Vec<String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push(format!("{field}={value:?}"));
    }
}

impl Recorder {
    fn at(&self, id: &Id, what: impl FnOnce(&mut Seen)) {
        what(&mut self.spans.lock()[id.into_u64() as usize - 1]);
    }

    /// Throws, if that is where to.
    fn pass(&self, place: &'static str) {
        if self.throws == Some(place) {
            resume_unwind(Box::new(place));
        }
    }

    fn ended(&self) -> Vec<Seen> {
        self.spans.lock().clone()
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.pass("new");
        let mut spans = self.spans.lock();
        let mut seen = Seen { metadata: Some(attributes.metadata()), ..Seen::default() };
        attributes.record(&mut Fields(&mut seen.fields));
        spans.push(seen);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.pass("record");
        self.at(id, |seen| values.record(&mut Fields(&mut seen.fields)));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        if let Some(id) = INSIDE.with_borrow(|inside| inside.last().cloned()) {
            self.at(&id, |seen| seen.events += 1);
        }
    }

    fn enter(&self, id: &Id) {
        self.pass("enter");
        INSIDE.with_borrow_mut(|inside| inside.push(id.clone()));
        self.at(id, |seen| seen.entered += 1);
    }

    fn exit(&self, id: &Id) {
        let last = INSIDE.with_borrow_mut(Vec::pop);
        assert_eq!(last.as_ref(), Some(id), "on the thread that entered, innermost first");
        self.at(id, |seen| seen.exited += 1);
    }

    fn try_close(&self, id: Id) -> bool {
        self.at(&id, |seen| seen.closed = true);
        self.pass("close");
        true
    }
}

/// What the innermost span of this thread is called.
fn name_of_current() -> Option<&'static str> {
    let id = INSIDE.with_borrow(|inside| inside.last().cloned())?;
    let spans = RECORDER.get().expect("there are spans").spans.lock();
    spans[id.into_u64() as usize - 1].metadata.map(Metadata::name)
}

/// Whether the caller is the child, in which `recorder` hears of everything.
fn in_child(recorder: &Recorder) -> bool {
    let path = thread::current().name().expect("the harness names its threads").to_owned();
    if !child::is(&path) {
        child::assert_exit(&child::run(&path, &path), 0);
        return false;
    }
    RECORDER.set(recorder.clone()).expect("the only one");
    tracing::subscriber::set_global_default(recorder.clone()).expect("the only one");
    true
}

#[test]
fn each_task_has_its_own() {
    let recorder = Recorder::default();
    if !in_child(&recorder) {
        return;
    }
    let _watchdog = Watchdog::start();
    let pool = ThreadPool::builder()
        .name("io")
        .threads(1)
        .queue_capacity(1)
        .rejection(RejectionPolicy::CallerRuns)
        .before_task(|| assert_eq!(name_of_current(), Some("task")))
        .after_task(|_| assert_eq!(name_of_current(), Some("task")))
        .build()
        .unwrap();
    assert_eq!(pool.submit(name_of_current).unwrap().join().unwrap(), Some("task"));
    pool.execute(|| info!("inside")).unwrap();
    pool.wait_idle();
    let thrown = pool.submit(|| quiet("on purpose")).unwrap().join().unwrap_err();
    assert!(thrown.is_panic());
    // Of this thread, as the queue is full.
    let gate = occupy(&pool);
    let queued = pool.submit(|| ()).unwrap();
    let request = info_span!("request");
    let here = request.in_scope(|| pool.submit(name_of_current).unwrap().join().unwrap());
    assert_eq!(here, Some("task"));
    assert!(queued.cancel() == lockwork::pool::Cancel::Prevented);
    drop(gate);
    // As the documentation has it.
    let (outer, inner) = (request.clone(), request.clone());
    let task = pool.submit(move || inner.in_scope(name_of_current)).unwrap();
    assert_eq!(task.join().unwrap(), Some("request"));
    drop((outer, request));
    pool.wait_idle();
    assert_eq!(pool.snapshot().hook_panics, 0);
    drop(pool);

    let spans = recorder.ended();
    let tasks: Vec<_> =
        spans.iter().filter(|seen| seen.metadata.unwrap().name() == "task").collect();
    // In the order in which they started; the one that was cancelled never did.
    let expected = [
        ("true", "completed", 0),
        ("false", "completed", 1),
        ("true", "panicked", 0),
        ("false", "completed", 0),
        ("true", "completed", 0),
        ("true", "completed", 0),
    ];
    assert_eq!(tasks.len(), expected.len(), "{tasks:?}");
    for (seen, (has_handle, end, events)) in tasks.into_iter().zip(expected) {
        let metadata = seen.metadata.unwrap();
        assert_eq!(metadata.target(), "lockwork::pool");
        assert_eq!(*metadata.level(), tracing::Level::DEBUG);
        let fields = [
            "pool=\"io\"".to_owned(),
            format!("has_handle={has_handle}"),
            format!("end=\"{end}\""),
        ];
        assert_eq!(seen.fields, fields);
        assert_eq!((seen.entered, seen.exited, seen.closed), (1, 1, true));
        assert_eq!(seen.events, events);
    }
}

/// It is treated like a hook.
fn throws_at(place: &'static str) {
    let recorder = Recorder { throws: Some(place), ..Recorder::default() };
    if !in_child(&recorder) {
        return;
    }
    let _watchdog = Watchdog::start();
    let pool = ThreadPool::builder().threads(1).build().unwrap();
    for i in 0..5 {
        assert_eq!(pool.submit(move || i).unwrap().join().unwrap(), i);
    }
    assert!(pool.submit(|| quiet("on purpose")).unwrap().join().unwrap_err().is_panic());
    pool.execute(|| ()).unwrap();
    pool.wait_idle();
    let seen = pool.snapshot();
    assert_eq!((seen.completed, seen.panicked, seen.hook_panics), (6, 1, 7));
}

#[test]
fn a_subscriber_that_makes_none() {
    throws_at("new");
}

#[test]
fn a_subscriber_that_is_not_to_be_entered() {
    throws_at("enter");
}

#[test]
fn a_subscriber_that_does_not_record() {
    throws_at("record");
}

#[test]
fn a_subscriber_that_does_not_close() {
    throws_at("close");
}
