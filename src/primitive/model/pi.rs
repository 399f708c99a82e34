//! The kernel's half of locks with priority inheritance, as far as this crate relies on it.
//!
//! What the kernel knows of a lock that somebody waits for is who owns it and who waits. It keeps
//! the word in step: `WAITERS` is set before it believes the word, and stays with the next owner.
//! When an owner ends, the first waiter gets the lock, and writes its own id and `OWNER_DIED` once
//! it runs; until then the word contradicts what the kernel knows, and newcomers are refused.
//!
//! Priorities decide who is first, and nothing else here: there is no processor to run on. Waiters
//! for a lock are compared by the priority that they have then, those on their way to one by that
//! with which they went to sleep, as the kernel does it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::vec::Vec;

use super::super::pi::{Handed, NotOwner, OWNER, OWNER_DIED, PiError, WAITERS};
use super::super::{Deadline, Futex, Ordering, Private};
use super::backend::address;
use super::kernel::{self, in_one_step, touch_token};

/// A thread, whose id is one more than its place in the list.
struct Task {
    epoch: u32,
    priority: u32,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Sleeps on a word, to be sent on to a lock, with the priority that it had then.
    OnTheWay { from: usize, to: usize, priority: u32 },
    /// Waits for a lock.
    For(usize),
    /// Was sleeping on a word, and is told to look again.
    Interrupted,
    /// Owns it: was handed it, or inherited it from an owner that ended.
    Owner { inherited: bool },
}

struct Waiter {
    id: u32,
    place: Cell<Place>,
    parked: Cell<bool>,
    thread: loom::thread::Thread,
}

impl Waiter {
    fn is_done(&self) -> bool {
        matches!(self.place.get(), Place::Owner { .. } | Place::Interrupted)
    }

    fn sleep(&self) {
        kernel::sleep_until(false, &self.parked, || self.is_done().then_some(()));
    }
}

/// Hidden from the explorer. Touched only in a step that begins with the token.
#[derive(Default)]
pub(super) struct Pi {
    tasks: RefCell<Vec<Task>>,
    /// In the order in which they came.
    waiters: RefCell<Vec<Rc<Waiter>>>,
    /// Owners of locks that somebody waits for; 0 if the owner ended.
    owners: RefCell<Vec<(usize, u32)>>,
}

loom::thread_local! {
    /// `{fork epoch, id}` of this thread.
    static ME: Cell<(u32, u32)> = Cell::new((0, 0));
}

/// The calling thread's id: a new one in a child of fork.
pub(crate) fn thread_id() -> u32 {
    let epoch = kernel::fork_epoch();
    ME.with(|me| match me.get() {
        (known, id) if known == epoch => id,
        _ => {
            let mut tasks = kernel::pi().tasks.borrow_mut();
            tasks.push(Task { epoch, priority: 0, ended: false });
            me.set((epoch, tasks.len() as u32));
            tasks.len() as u32
        }
    })
}

/// Sets the calling thread's priority. Higher ones go first.
pub fn set_priority(priority: u32) {
    touch_token();
    let id = thread_id();
    kernel::pi().tasks.borrow_mut()[id as usize - 1].priority = priority;
}

/// What the kernel does when the calling thread ends with locks that it owns.
pub fn end_thread() {
    touch_token();
    let (pi, id) = (kernel::pi(), thread_id());
    pi.tasks.borrow_mut()[id as usize - 1].ended = true;
    let mut heirs = Vec::new();
    for (lock, owner) in pi.owners.borrow_mut().iter_mut().filter(|(_, owner)| *owner == id) {
        *owner = 0;
        heirs.extend(pi.take_first(Place::For(*lock)));
    }
    for heir in heirs {
        hand(&heir, true);
    }
}

fn hand(waiter: &Waiter, inherited: bool) {
    end(waiter, Place::Owner { inherited });
}

fn end(waiter: &Waiter, place: Place) {
    waiter.place.set(place);
    if waiter.parked.get() {
        waiter.thread.unpark();
    }
}

impl Pi {
    /// Ends the sleep of all that are on their way to a lock and not there yet.
    pub(super) fn interrupt(&self) {
        let asleep = |waiter: &Rc<Waiter>| matches!(waiter.place.get(), Place::OnTheWay { .. });
        let (interrupted, others) = self.waiters.take().into_iter().partition(asleep);
        self.waiters.replace(others);
        for waiter in Vec::<Rc<Waiter>>::from_iter(interrupted) {
            end(&waiter, Place::Interrupted);
        }
    }

    fn owner(&self, lock: usize) -> Option<u32> {
        self.owners.borrow().iter().find(|(of, _)| *of == lock).map(|(_, owner)| *owner)
    }

    fn set_owner(&self, lock: usize, owner: u32) {
        self.owners.borrow_mut().retain(|(of, _)| *of != lock);
        if self.waiters.borrow().iter().any(|waiter| waiter.place.get() == Place::For(lock)) {
            self.owners.borrow_mut().push((lock, owner));
        }
    }

    fn priority(&self, waiter: &Waiter) -> u32 {
        match waiter.place.get() {
            Place::OnTheWay { priority, .. } => priority,
            _ => self.tasks.borrow()[waiter.id as usize - 1].priority,
        }
    }

    /// The lock that a thread waits for.
    fn waited_for_by(&self, id: u32) -> Option<usize> {
        self.waiters.borrow().iter().find(|waiter| waiter.id == id).and_then(|waiter| match waiter
            .place
            .get()
        {
            Place::For(lock) => Some(lock),
            _ => None,
        })
    }

    /// The one to go first of those in the same place, whatever priority they came with.
    fn first(&self, place: Place) -> Option<Rc<Waiter>> {
        let same = |other: Place| match (place, other) {
            (Place::OnTheWay { from, .. }, Place::OnTheWay { from: other, .. }) => from == other,
            (place, other) => place == other,
        };
        let mut first: Option<Rc<Waiter>> = None;
        for waiter in self.waiters.borrow().iter().filter(|waiter| same(waiter.place.get())) {
            if first.as_ref().is_none_or(|best| self.priority(waiter) > self.priority(best)) {
                first = Some(waiter.clone());
            }
        }
        first
    }

    fn take_first(&self, place: Place) -> Option<Rc<Waiter>> {
        let first = self.first(place)?;
        self.remove(&first);
        Some(first)
    }

    fn remove(&self, waiter: &Rc<Waiter>) {
        self.waiters.borrow_mut().retain(|other| !Rc::ptr_eq(other, waiter));
    }

    fn queue(&self, waiter: &Rc<Waiter>, place: Place) {
        self.remove(waiter);
        waiter.place.set(place);
        self.waiters.borrow_mut().push(waiter.clone());
    }

    /// Whether `id` would wait for itself in the end.
    fn closes_a_cycle(&self, id: u32, lock: usize) -> bool {
        let mut next = Some(lock);
        while let Some(lock) = next {
            let Some(owner) = self.owner(lock) else { return false };
            if owner == id {
                return true;
            }
            next = self.waited_for_by(owner);
        }
        false
    }
}

/// The real type of this name, on the modelled kernel.
#[derive(Debug)]
pub struct PiFutex {
    value: loom::sync::atomic::AtomicU32,
}

#[allow(missing_docs, reason = "documented on the real type")]
impl PiFutex {
    pub fn new() -> Self {
        Self { value: loom::sync::atomic::AtomicU32::new(0) }
    }

    pub(crate) fn show_receipt(&self) {}

    pub fn load(&self, order: Ordering) -> u32 {
        self.touch();
        self.value.load(order)
    }

    pub fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.touch();
        self.value.compare_exchange(current, new, success, failure)
    }

    pub fn lock(&self, deadline: Deadline) -> Result<u32, PiError> {
        self.touch();
        kernel::count_call();
        let me = self.waiter();
        if in_one_step(|| self.take_or_queue(&me))? {
            return Ok(self.newest());
        }
        if deadline != Deadline::NEVER {
            // Others may run here, and may hand us the lock: then we have it, however late it is.
            touch_token();
            if !me.is_done() {
                self.give_up(&me);
                return Err(PiError::TimedOut);
            }
        }
        me.sleep();
        Ok(self.arrive(&me))
    }

    /// # Safety
    ///
    /// As for the real one.
    pub unsafe fn unlock(this: *const Self) -> Result<(), NotOwner> {
        // SAFETY: the word is there until it is handed over.
        let this = unsafe { &*this };
        this.touch();
        kernel::count_call();
        let (pi, lock) = (kernel::pi(), address(this));
        let heir = in_one_step(|| {
            if this.newest() & OWNER != thread_id() {
                return Err(NotOwner);
            }
            let heir = pi.take_first(Place::For(lock));
            this.write(|_| heir.as_ref().map_or(0, |heir| heir.id | WAITERS));
            if let Some(heir) = &heir {
                pi.set_owner(lock, heir.id);
            }
            Ok(heir)
        })?;
        if let Some(heir) = heir {
            hand(&heir, false);
        }
        Ok(())
    }

    pub fn wait_requeue(
        &self,
        from: &Futex<Private>,
        expected: u32,
        deadline: Deadline,
    ) -> Result<Handed, PiError> {
        self.touch();
        kernel::count_call();
        let (pi, me) = (kernel::pi(), self.waiter());
        let priority = pi.tasks.borrow()[me.id as usize - 1].priority;
        let place = Place::OnTheWay { from: address(from), to: address(self), priority };
        let enqueue = || {
            let holds = from.holds(expected);
            if holds {
                pi.queue(&me, place);
            }
            holds
        };
        if !in_one_step(enqueue) {
            return Ok(Handed::Changed);
        }
        let (timed, interrupted) = (deadline != Deadline::NEVER, kernel::take_signal());
        if timed || interrupted {
            touch_token();
            match me.place.get() {
                Place::Owner { .. } | Place::Interrupted => {}
                _ if timed => {
                    self.give_up(&me);
                    return Ok(Handed::TimedOut);
                }
                Place::For(_) => {
                    self.give_up(&me);
                    return Ok(Handed::Changed);
                }
                // The kernel begins the wait again.
                Place::OnTheWay { .. } => {
                    self.give_up(&me);
                    touch_token();
                    if !in_one_step(enqueue) {
                        return Ok(Handed::Changed);
                    }
                }
            }
        }
        me.sleep();
        if me.place.get() == Place::Interrupted {
            return Ok(Handed::Changed);
        }
        Ok(Handed::Owner(self.arrive(&me)))
    }

    pub fn requeue(&self, from: &Futex<Private>, more: u32) -> Result<u32, PiError> {
        self.touch();
        kernel::count_call();
        let (pi, to, from) = (kernel::pi(), address(self), address(from));
        let mut owner = None;
        let sent = in_one_step(|| {
            let mut sent = 0;
            while sent <= more {
                let any = Place::OnTheWay { from, to, priority: 0 };
                let Some(first) = pi.first(any) else { break };
                let Place::OnTheWay { to: wanted, .. } = first.place.get() else { break };
                assert_eq!(wanted, to, "sent to another lock than the one it waits for");
                if self.take_or_queue(&first)? {
                    pi.remove(&first);
                    owner = Some(first);
                }
                sent += 1;
            }
            Ok(sent)
        });
        if let Some(owner) = owner {
            hand(&owner, false);
        }
        sent
    }

    fn touch(&self) {
        touch_token();
        // Others have run by now.
        kernel::look_for_grave(address(self));
    }

    fn waiter(&self) -> Rc<Waiter> {
        Rc::new(Waiter {
            id: thread_id(),
            place: Cell::new(Place::For(address(self))),
            parked: Cell::new(false),
            thread: loom::thread::current(),
        })
    }

    /// Makes the waiter the owner of a lock that is free, and says so; else queues it for the lock.
    fn take_or_queue(&self, waiter: &Rc<Waiter>) -> Result<bool, PiError> {
        let (pi, lock) = (kernel::pi(), address(self));
        let owner = self.newest() & OWNER;
        if owner == waiter.id {
            return Err(PiError::Deadlock);
        }
        if owner == 0 {
            assert_eq!(pi.owner(lock), None, "a lock that somebody waits for was made free");
            self.write(|word| word | waiter.id);
            return Ok(true);
        }
        match pi.owner(lock) {
            // It ended, and the heir has yet to write its id.
            Some(0) => return Err(PiError::OwnerDied),
            Some(known) => assert_eq!(known, owner, "the word of a lock that somebody waits for"),
            None => match pi.tasks.borrow().get(owner as usize - 1) {
                Some(task) if task.epoch != kernel::fork_epoch() => {
                    return Err(PiError::NotPermitted);
                }
                Some(task) if !task.ended => {}
                _ => return Err(PiError::OwnerDied),
            },
        }
        self.write(|word| word | WAITERS);
        pi.queue(waiter, Place::For(lock));
        pi.set_owner(lock, owner);
        if pi.closes_a_cycle(waiter.id, lock) {
            self.give_up(waiter);
            return Err(PiError::Deadlock);
        }
        Ok(false)
    }

    fn give_up(&self, waiter: &Rc<Waiter>) {
        let (pi, lock) = (kernel::pi(), address(self));
        pi.remove(waiter);
        if let Some(owner) = pi.owner(lock) {
            pi.set_owner(lock, owner);
        }
    }

    /// Writes what an heir writes when it runs; the word as it is then.
    fn arrive(&self, waiter: &Waiter) -> u32 {
        if waiter.place.get() == (Place::Owner { inherited: true }) {
            touch_token();
            in_one_step(|| {
                self.write(|_| waiter.id | WAITERS | OWNER_DIED);
                kernel::pi().set_owner(address(self), waiter.id);
            });
        }
        in_one_step(|| self.newest())
    }

    /// What the kernel reads: see `Futex::holds`.
    fn newest(&self) -> u32 {
        let nothing = u32::MAX; // `OWNER_DIED` with an owner that cannot be
        match self.value.compare_exchange(nothing, nothing, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(word) | Err(word) => word,
        }
    }

    /// Relaxed: the kernel's own locks order nothing that user space may rely on. In one step, so
    /// that the exchange does not fail.
    fn write(&self, new: impl FnOnce(u32) -> u32) {
        let word = self.newest();
        let (new, order) = (new(word), Ordering::Relaxed);
        self.value.compare_exchange(word, new, order, order).expect("nobody runs meanwhile");
    }
}

impl Default for PiFutex {
    fn default() -> Self {
        Self::new()
    }
}

/// The explorer sees fences.
pub(crate) fn show_hand_over(_: &super::backend::AtomicU32) {}

/// The explorer sees fences.
pub(crate) fn show_receipt(_: &super::backend::AtomicU32) {}
