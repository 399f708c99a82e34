//! The models notice: each ordering and each duty, taken away, makes a model fail.
//!
//! The source names each of them (`ord!` and `mutant!`), and the table here says which model kills
//! it. One test runs the table, in processes of their own; it needs `--cfg lockwork_mutants`:
//!
//! ```text
//! RUSTFLAGS="--cfg loom --cfg lockwork_mutants" cargo test --release --features loom --test loom
//! ```
//!
//! The other one holds the table, the source and the tables of orderings in its documentation
//! against each other, in every build.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A mutant, what it breaks, and the test that kills it.
struct Row(&'static str, &'static str, &'static str);

#[rustfmt::skip]
const MUTANTS: &[Row] = &[
    Row("asymmetric.light", "the light side has no fence", "litmus::asymmetric_fences"),
    Row("asymmetric.heavy", "the heavy side has no fence", "litmus::asymmetric_fences"),

    Row("mutex.a", "try_lock does not see the last owner's writes", "mutex::two_threads"),
    Row("mutex.b", "a lock that slept does not see them", "mutex::two_threads"),
    Row("mutex.c", "unlock does not publish", "mutex::two_threads"),
    Row("mutex.wake", "unlock wakes nobody", "mutex::two_threads"),
    Row("mutex.overtake-hand-over", "a newcomer takes what is reserved for a sleeper",
        "mutex::fair_unlock_hands_over"),
    Row("mutex.hand-to-nobody", "the lock is handed over and nobody slept",
        "mutex::fair_unlock_with_nobody_left"),
    Row("mutex.claim-nothing", "who was woken too early for a hand-over sleeps behind others",
        "mutex::fair_unlock_with_two_sleepers"),
    Row("mutex.trust-inherited-marks", "a child of fork waits for a thread of its parent",
        "mutex::child_of_fork_ignores_a_hand_over"),
    Row("mutex.starve", "nobody ever reserves the lock", "mutex::starver_is_not_overtaken"),
    Row("mutex.overtake-starver", "a newcomer takes what a starver has reserved",
        "mutex::starver_is_not_overtaken"),
    Row("mutex.wake-starver", "whoever has slept for longest is woken, and not the starver",
        "mutex::starver_sleeps_behind_another"),
    Row("mutex.leave-mark", "a starver that gives up leaves its reservation",
        "mutex::starver_gives_up"),
    Row("mutex.forget-sleepers", "who slept locks as if alone", "mutex::three_threads"),

    Row("reentrant.owner-stays", "a thread that unlocked passes for the owner",
        "reentrant::turns"),
    Row("reentrant.first-release", "the first release of several unlocks",
        "reentrant::inside_one_another"),
    Row("reentrant.anybody", "whoever comes passes for the owner", "reentrant::two_threads"),

    Row("lock_set.hold-and-wait", "a set is waited for without a limit, with locks in hand",
        "lock_set::beside_one_that_holds_and_waits"),
    Row("lock_set.keep", "a set that could not be had is kept in part",
        "lock_set::beside_one_that_holds_and_waits"),

    Row("condvar.c", "the notifier's last reads may come after NOTIFIED",
        "condvar::notify_one_after_unlocking"),
    Row("condvar.d", "the owner may reuse its node before those reads",
        "condvar::notify_one_after_unlocking"),
    Row("condvar.wake", "a notified waiter is not woken", "condvar::notify_one_after_unlocking"),
    Row("condvar.move", "MOVED is stored and nobody moved", "condvar::notify_all_while_locked"),
    Row("condvar.drop-chain", "the first of a chain forgets the others",
        "condvar::notify_all_while_locked"),
    Row("condvar.gate", "who was moved to the gate is not woken there",
        "condvar::notify_all_two_waiters"),
    Row("condvar.sleep-unannounced", "a waiter sleeps and its state does not say so",
        "condvar::notify_one_after_unlocking"),
    Row("condvar.gate-unannounced", "who is moved to the gate is not told before",
        "condvar::interrupted_while_moved"),
    Row("condvar.drop-rest", "of a chain let go, only the first goes",
        "condvar::notify_all_while_locked"),
    Row("condvar.move-without-mark", "the mutex is not told of those moved to it",
        "condvar::notify_all_while_locked"),
    Row("condvar.moved-as-newcomer", "who was moved locks as if alone",
        "condvar::moved_waiters_wake_each_other"),
    Row("condvar.touch-after-notified", "a node is read once its owner may go",
        "condvar::notify_one_after_unlocking"),
    Row("condvar.timeout-eats-notify", "a notified wait says that it timed out",
        "condvar::timed_out_waiter_eats_no_notification"),
    Row("condvar.pass-nothing-on", "who has its lock again forgets those chained behind it",
        "condvar_any::writers_let_each_other_go"),
    Row("condvar.one-way", "who wants a lock in one way waits for who wants it in another",
        "condvar_any::other_way_is_not_waited_for"),

    Row("callback.a", "the end of a call does not publish what it did",
        "cancel::callback_and_guard"),
    Row("callback.b", "who takes a closure back does not see what its call did",
        "cancel::callback_and_guard"),
    Row("callback.wake", "who waits for the end of a call is not woken",
        "cancel::callback_and_guard"),
    Row("callback.wait-for-self", "a call that drops its guard waits for itself",
        "cancel::callback_drops_its_guard"),
    Row("callback.wait-for-parent", "a child of fork waits for a call in its parent",
        "cancel::child_of_fork_does_not_wait_for_a_call"),
    Row("cancel_token.a", "who finds it cancelled does not see what came before",
        "cancel::looks"),
    Row("cancel_token.b", "to cancel does not publish", "cancel::looks"),
    Row("cancel_token.wake", "to cancel wakes nobody", "cancel::waits"),
    Row("cancel_token.wake-one", "to cancel wakes one", "cancel::two_sleepers"),
    Row("cancel_token.unannounced", "a token does not say that somebody sleeps",
        "cancel::interrupted"),
    Row("cancel_token.not-slept-on", "who waits does not sleep for its token",
        "cancel::interrupted"),
    Row("cancel_token.eat-the-wake", "who is woken and cancelled leaves with the wake-up",
        "cancel::permit_is_passed_on"),
    Row("cancel_token.leave-unseeing", "who is cancelled trusts an old look",
        "cancel::permit_is_passed_on"),
    Row("cancel_token.born-live", "a child of a cancelled token is not",
        "cancel::born_in_time_or_cancelled"),
    Row("cancel_token.register-late", "a closure is registered once it is too late",
        "cancel::registered_in_time_or_called"),
    Row("cancel_token.spare-children", "to cancel a token does not cancel its children",
        "cancel::children_first"),
    Row("cancel_token.top-first", "a token is cancelled before what comes from it",
        "cancel::children_first"),
    Row("cancel_token.orphan", "the children of a token that goes have no parent",
        "cancel::middle_goes"),

    Row("list_lock.a", "the list lock does not see the last holder's links",
        "condvar::timed_out_waiter_eats_no_notification"),
    Row("list_lock.b", "the list lock does not publish links",
        "condvar::timed_out_waiter_eats_no_notification"),
    Row("list_lock.trust-inherited", "a child walks its parent's list",
        "condvar::forked_child_starts_anew"),
    Row("list_lock.forget-sleepers", "who slept on the list lock locks it as if alone",
        "condvar::list_lock_contention"),
    Row("list_lock.wake", "the list lock wakes nobody", "condvar::list_lock_contention"),

    Row("pi_mutex.a", "a lock that is free does not see the last owner's writes",
        "pi_mutex::tries"),
    Row("pi_mutex.b", "nor does one that the kernel hands over", "pi_mutex::two_threads"),
    Row("pi_mutex.c", "an unlock does not publish", "pi_mutex::two_threads"),
    Row("pi_mutex.d", "nor does one by the kernel", "pi_mutex::two_threads"),
    Row("pi_mutex.hand-over", "an unlock does not call the kernel", "pi_mutex::two_threads"),
    Row("pi_mutex.trust-heirs", "who inherits from an owner that died gets the data",
        "pi_mutex::owner_dies"),
    Row("pi_mutex.bury-heirs", "who comes as an owner ends writes over the one that inherits",
        "pi_mutex::owner_dies_with_others_in_line"),
    Row("pi_mutex.g", "or over one after that", "pi_mutex::owner_dies_with_others_in_line"),

    Row("pi_condvar.a", "a list with another mutex comes before the last one is over",
        "pi_condvar::another_mutex_later"),
    Row("pi_condvar.b", "the last waiter does not publish that the list is over",
        "pi_condvar::another_mutex_later"),
    Row("pi_condvar.send", "a notification sends nobody on", "pi_condvar::notify_one"),
    Row("pi_condvar.send-one", "a notification of all sends one on",
        "pi_condvar::notify_all_two_waiters"),
    Row("pi_condvar.same-sequence", "who is about to sleep does not notice a notification",
        "pi_condvar::notify_one"),
    Row("pi_condvar.steal", "a notification is taken by one that came after it",
        "pi_condvar::latecomer_steals_nothing"),
    Row("pi_condvar.drop-credits", "who leaves takes the notifications of others along",
        "pi_condvar::notify_all_two_waiters"),
    Row("pi_condvar.trust-inherited", "a child looks at its parent's list",
        "pi_condvar::child_of_fork"),

    Row("rwlock.a", "a reader does not see the last writer's writes", "rwlock::reader_and_writer"),
    Row("rwlock.b", "a writer does not see them", "rwlock::two_writers"),
    Row("rwlock.c", "a claim does not wait for the reads to be over", "rwlock::reader_and_writer"),
    Row("rwlock.d", "giving the slot up does not publish", "rwlock::two_writers"),
    Row("rwlock.e", "a downgrade does not publish", "rwlock::downgrade"),
    Row("rwlock.f", "a reader's reads may come after its leave", "rwlock::reader_and_writer"),
    Row("rwlock.wake-one", "an unlock wakes no solo", "rwlock::two_writers"),
    Row("rwlock.wake-readers", "an unlock wakes no readers", "rwlock::reader_and_writer"),
    Row("rwlock.wake-readers-instead", "readers are forgotten for a solo that has left",
        "rwlock::writers_with_limits_and_a_reader"),
    Row("rwlock.wake-latecomers", "an unlock misses who came while it looked",
        "rwlock::two_writers"),
    Row("rwlock.wake-drain", "the last reader wakes nobody", "rwlock::reader_and_writer"),
    Row("rwlock.forget-sleepers", "who was woken takes the slot as if alone",
        "rwlock::four_writers"),
    Row("rwlock.give-up-in-silence", "who gives up keeps the wake-up",
        "rwlock::writers_with_limits"),
    Row("rwlock.upgradable-admits-nobody", "readers sleep beside an upgradable one",
        "rwlock::reader_beside_an_upgradable"),
    Row("rwlock.strict-reader-hands-nothing-on", "solos sleep after a reader that had waited long",
        "rwlock::starving_reader"),
    Row("rwlock.trust-inherited-marks", "a child waits for its parent's waiters",
        "rwlock::marks_of_another_process"),

    Row("semaphore.a", "a permit taken at once does not bring what came before",
        "semaphore::try_and_drain"),
    Row("semaphore.a/drain", "nor do all of them", "semaphore::try_and_drain"),
    Row("semaphore.a/waiter", "nor does one that was waited for", "semaphore::two_threads"),
    Row("semaphore.b", "a release does not publish", "semaphore::two_threads"),
    Row("semaphore.c", "close does not publish what came before", "semaphore::close_is_seen"),
    Row("semaphore.d", "who is told of the end at once does not see it",
        "semaphore::close_is_seen_by_a_try"),
    Row("semaphore.d/waiter", "nor does one that waited", "semaphore::close_is_seen"),
    Row("semaphore.uncounted", "a waiter sleeps and is not counted", "semaphore::two_threads"),
    Row("semaphore.wake", "a release wakes nobody", "semaphore::two_threads"),
    Row("semaphore.wake-one", "a release of two wakes one",
        "semaphore::two_permits_for_two_waiters"),
    Row("semaphore.close-wake", "close wakes nobody", "semaphore::close_wakes_all"),
    Row("semaphore.touch-after-release", "a release looks at what may be gone",
        "semaphore::freed_by_whoever_acquires"),

    Row("fair_semaphore.a", "a permit taken at once does not bring what came before",
        "fair_semaphore::two_threads"),
    Row("fair_semaphore.a/drain", "nor do all of them",
        "fair_semaphore::drained_while_it_is_released"),
    Row("fair_semaphore.b", "a release does not publish", "fair_semaphore::two_threads"),
    Row("fair_semaphore.c", "who is served does not see what came before",
        "fair_semaphore::two_threads"),
    Row("fair_semaphore.d", "what came before the queue is not handed on in it",
        "fair_semaphore::two_releases_for_one"),
    Row("fair_semaphore.e", "what is left of a release comes without what was done before",
        "fair_semaphore::the_rest_of_a_release"),
    Row("fair_semaphore.f", "who is served does not look for it", "fair_semaphore::two_threads"),
    Row("fair_semaphore.g", "close does not publish what came before",
        "fair_semaphore::close_is_seen"),
    Row("fair_semaphore.h", "who is told of the end at once does not see it",
        "fair_semaphore::close_is_seen"),
    Row("fair_semaphore.wake", "who is served is not woken", "fair_semaphore::two_threads"),
    Row("fair_semaphore.overtake", "a try takes what the queue waits for",
        "fair_semaphore::not_overtaken"),
    Row("fair_semaphore.leave-in-silence", "who gives up serves nobody",
        "fair_semaphore::giving_up_serves_the_next"),
    Row("fair_semaphore.time-out-eats-permits", "who was served in time says that it was not",
        "fair_semaphore::timed"),
    Row("fair_semaphore.touch-after-telling", "a release looks at what may be gone",
        "fair_semaphore::freed_by_whoever_acquires"),
    Row("fair_semaphore.close-tells-nobody", "close leaves the queue asleep",
        "fair_semaphore::close_sends_all_away"),

    Row("waitable.leave-with-the-wake", "who gives up takes a wake-up along",
        "semaphore::timed_and_not_timed"),

    Row("event.a", "who sees a manual event set does not see what came before", "event::manual"),
    Row("event.b", "set of a manual event does not publish it", "event::manual"),
    Row("event.c", "set of an automatic one does not", "event::auto"),
    Row("event.d", "a reset does not see the work of the set that it undoes",
        "event::manual_reset_and_look"),
    Row("event.e", "who takes an automatic event does not see what came before", "event::auto"),
    Row("event.wake-all", "set of a manual event wakes nobody", "event::manual"),
    Row("event.wake-one-of-all", "it wakes one", "event::manual_two_waiters"),
    Row("event.wake-one", "set of an automatic event wakes nobody", "event::auto"),
    Row("event.forget-generation", "a set that was undone is missed", "event::manual_pulse"),
    Row("event.take-nothing", "a set lets two go", "event::auto_two_waiters"),

    Row("event.keep-the-wake", "who withdraws keeps a wake-up that was meant for another",
        "wait_any::passes_on_the_wake_of_an_event"),
    Row("semaphore.keep-the-wake", "so does who withdraws from a semaphore",
        "wait_any::passes_on_the_wake_of_a_semaphore"),
    Row("wait_any.stay-announced", "what was not taken is still waited for",
        "wait_any::two_who_wait_for_both"),
    Row("wait_any.take-two", "two things that come at once are both taken",
        "wait_any::takes_one"),
    Row("wait_any.leave-with-the-wake", "who is late does not look at what it was woken for",
        "wait_any::timed_beside_a_patient_one"),

    Row("latch.a", "a wait does not see what came before the steps", "latch::two_steps"),
    Row("latch.b", "a step does not publish it", "latch::two_steps"),
    Row("latch.wake", "the last step wakes nobody", "latch::two_steps"),
    Row("latch.wake-one", "it wakes one", "latch::two_waiters"),
    Row("latch.touch-after-zero", "it touches what the waiter may have freed",
        "latch::reused_by_the_waiter"),

    Row("wait_group.a", "a wait does not see what was done", "wait_group::two_threads_done"),
    Row("wait_group.b", "done does not publish it", "wait_group::two_threads_done"),
    Row("wait_group.wake", "the last one wakes nobody", "wait_group::two_done"),
    Row("wait_group.wake-one", "it wakes one", "wait_group::two_waiters"),
    Row("wait_group.forget-generation", "a zero that has passed is missed",
        "wait_group::used_again_at_once"),
    Row("wait_group.touch-after-zero", "the last one touches what the waiter may have freed",
        "wait_group::reused_by_the_waiter"),

    Row("barrier.a/acquire", "the last does not see what the others did", "barrier::two_threads"),
    Row("barrier.a/release", "who comes does not publish what it did", "barrier::two_threads"),
    Row("barrier.b", "who is woken does not see what the others did", "barrier::two_threads"),
    Row("barrier.wake", "the last wakes nobody", "barrier::two_threads"),
    Row("barrier.wake-one", "it wakes one", "barrier::three_threads"),
    Row("barrier.break-in-silence", "who gives up wakes nobody", "barrier::timed_with_two_more"),
    Row("barrier.reset-in-silence", "a reset wakes nobody", "barrier::reset"),
    Row("barrier.reset-as-before", "who was reset is told that all came",
        "barrier::reset_and_met_again"),
    Row("barrier.touch-after-last", "the last touches what the others may have freed",
        "barrier::reused_by_a_waiter"),
    Row("once.a", "who finds it done does not see what the closure did", "once::a_look"),
    Row("once.b", "an attempt does not see what one that failed did",
        "once::place_after_a_failure"),
    Row("once.c", "who slept does not see what the closure did", "once::two_callers"),
    Row("once.d", "the closure's end does not publish", "once::two_callers"),
    Row("once.e", "an attempt that is given up does not publish", "once::place_after_a_failure"),
    Row("once.wake", "the closure's end wakes nobody", "once::two_callers"),
    Row("once.wake-all", "it wakes one of two", "once::three_threads"),
    Row("once.sleep-unannounced", "who sleeps does not say so", "once::two_callers"),
    Row("once.hand-on", "an attempt that is given up lets nobody try next",
        "once::place_after_a_failure"),
    Row("once.forget-sleepers", "it forgets those who go on sleeping",
        "once::place_with_a_watcher_after_a_failure"),
    Row("once.wait-for-itself", "a closure that waits for itself is not told",
        "once::waits_for_itself"),

    Row("seq_lock.a", "words may be older than the sequence", "seq_lock::reader_beside_a_write"),
    Row("seq_lock.b", "the sequence may be older than words", "seq_lock::reader_beside_a_write"),
    Row("seq_lock.c", "a word of a write that has not begun", "seq_lock::reader_beside_a_write"),
    Row("seq_lock.d", "the end of a write does not publish", "seq_lock::reader_beside_a_write"),
    Row("seq_lock.read-once", "a copy counts whoever wrote", "seq_lock::reader_beside_a_write"),
    Row("seq_lock.unmarked", "a write does not say that it is under way",
        "seq_lock::reader_beside_a_write"),

    Row("parker.a", "park does not see what came before unpark",
        "parker::park_sees_what_came_before_unpark"),
    Row("parker.b", "unpark does not publish it", "parker::park_sees_what_came_before_unpark"),
    Row("parker.wake", "unpark wakes nobody", "parker::park_sees_what_came_before_unpark"),

    Row("index_word.no-tag", "a tag has no bits", "stack::place_comes_back_after_pop_all"),
    Row("index_stack.pop-all-same-tag", "whoever takes all leaves the tag as it was",
        "stack::pop_all_moves_the_tag_at_once"),
    Row("index_stack.a", "a pop that has lost a race does not see the push", "stack::hand_over"),
    Row("index_stack.a/one", "nor does one that looks once", "stack::hand_over"),
    Row("index_stack.a/fenced", "a pop that looks twice does not", "stack::hand_over"),
    Row("index_stack.a/again", "one that has lost two does not", "stack::hand_over_of_two"),
    Row("index_stack.a/pop_all", "one of all that has lost a race does not",
        "stack::hand_over_of_all"),
    Row("index_stack.a/len", "more nodes were emptied than taken", "stack::length_is_one_that_was"),
    Row("index_stack.a/put", "a link is made of a word that was not seen whole",
        "stack::batch_while_another_grows"),
    Row("index_stack.b", "a push does not publish", "stack::hand_over"),
    Row("index_stack.c", "a link does not publish the node that it names",
        "stack::batch_while_it_grows"),
    Row("index_stack.d", "who follows a link does not see the node made",
        "stack::batch_while_it_grows"),
    Row("index_stack.f", "two threads find each other's stack empty", "stack::empty_and_empty"),
    Row("index_stack.f/is_nothing", "the same by asking", "stack::is_empty_and_is_empty"),

    Row("ring.a", "a push may write before the last pop has read", "ring::place_is_reused"),
    Row("ring.b", "a push does not publish the value", "ring::laps_with_one_place"),
    Row("ring.c", "a pop does not see the value", "ring::laps_with_one_place"),
    Row("ring.d", "a pop may read after the next push has written", "ring::place_is_reused"),
    Row("ring.a/run", "so may one of a run", "ring::run_of_places"),
    Row("ring.c/run", "a pop of a run does not see a value", "ring::run_sees_all_values"),
    Row("ring.b/force_push", "a push in place of the oldest does not publish",
        "ring::displaced_while_popped"),
    Row("ring.c/force_push", "what it displaces is not seen", "ring::displaced_is_seen"),
    Row("ring.displace-without-place", "what displaced a value has no position",
        "ring::displaced_while_popped"),
    Row("ring.empty-while-displaced", "a pop is told of the moment within a displacement",
        "ring::displaced_while_popped"),
    Row("ring.e", "positions are handed out beside the total order", "ring::empty_and_empty"),
    Row("ring.f", "a push may find the queue full after a pop", "ring::full_and_full"),
    Row("ring.f/is_full", "so may is_full", "ring::is_full_and_is_full"),
    Row("ring.f/len", "and len", "ring::len_and_len"),
    Row("ring.g", "a pop may find the queue empty after a push", "ring::empty_and_empty"),
    Row("ring.g/is_empty", "so may is_empty", "ring::is_empty_and_is_empty"),
    Row("ring.h", "close does not publish what came before",
        "blocking_queue::closed_is_seen_by_a_push"),
    Row("ring.i", "who is told of the end does not see what came before it",
        "blocking_queue::closed_is_seen_by_a_push"),
    Row("ring.close", "close closes nothing", "blocking_queue::close_wakes_all_consumers"),

    Row("spsc.a", "a push may write before the last pop has read", "spsc::laps"),
    Row("spsc.b", "a push does not publish the value", "spsc::laps"),
    Row("spsc.c", "a pop does not see the value", "spsc::laps"),
    Row("spsc.d", "a pop may read after the next push has written", "spsc::laps"),
    Row("spsc.e/acquire", "who frees a ring does not see what the other end did",
        "spsc::last_end_frees"),
    Row("spsc.e/release", "an end that goes does not publish what it did",
        "spsc::last_end_frees"),
    Row("spsc.f", "values are pushed by a producer that is gone", "spsc::nothing_after_the_end"),

    Row("event_count.a", "a waiter may look before it is counted", "event_count::look_and_sleep"),
    Row("event_count.b", "a notifier may count before its change",
        "event_count::look_and_sleep"),
    Row("event_count.c", "a notifier of another process may count before its change",
        "event_count::shared"),
    Row("event_count.d", "a waiter of another process may look before it is counted",
        "event_count::shared"),
    Row("event_count.again-unfenced", "a waiter that looks again may do so before it says so",
        "event_count::two_for_one_who_stays"),
    Row("event_count.call-stays", "who was called once counts as called for good",
        "event_count::two_for_one"),
    Row("event_count.one-call", "while one is called nobody else is",
        "event_count::two_for_two_who_stay"),
    Row("event_count.sequence", "who is about to sleep is not told",
        "event_count::look_and_sleep"),
    Row("event_count.wake", "who sleeps is not woken", "event_count::look_and_sleep"),
    Row("event_count.notify-all", "one is woken instead of all", "event_count::notify_all"),

    Row("blocking_queue.push-wake", "a push tells no consumer",
        "blocking_queue::pop_waits_for_a_push"),
    Row("blocking_queue.pop-wake", "a pop tells no producer",
        "blocking_queue::push_waits_for_a_pop"),
    Row("blocking_queue.close-wakes-consumers", "close tells no consumer",
        "blocking_queue::close_wakes_all_consumers"),
    Row("blocking_queue.close-wakes-producers", "close tells no producer",
        "blocking_queue::close_wakes_all_producers"),

    Row("blocking_queue.push-many-wake", "a batch tells no consumer",
        "blocking_queue::batches_wake_both_sides"),
    Row("blocking_queue.pop-many-wake", "a batch taken tells no producer",
        "blocking_queue::batches_wake_both_sides"),
    Row("readiness.keep-the-call", "who waits for several keeps a consumer's wake-up",
        "blocking_queue::wait_any_takes_no_wake_up_along"),

    Row("rendezvous.a", "a value changes hands unpublished", "channel::hand_over"),
    Row("rendezvous.b", "a value that has come is not seen", "channel::hand_over"),
    Row("rendezvous.wake", "who is served sleeps on", "channel::hand_over"),
    Row("rendezvous.give-up-anyway", "who gives up has a value back that is gone",
        "channel::timed_send"),
    Row("rendezvous.arrive-untold", "a sender that comes tells nobody who waits for several",
        "channel::wait_any_for_a_sender"),
    Row("rendezvous.close-untold", "who waits for several does not learn of the end",
        "channel::wait_any_for_the_end"),
    Row("rendezvous.wait-in-no-list", "who was forked by a handler waits for nobody",
        "channel::forked_in_the_middle_of_a_wait"),
    Row("channel.a/acquire", "the last of them does not see the others go",
        "channel::disconnected_sees_all_receivers"),
    Row("channel.a/release", "a sender that goes does not publish",
        "channel::disconnected_sees_all_senders"),
    Row("channel.senders-stay", "the last sender does not close", "channel::sender_goes"),
    Row("channel.receivers-stay", "the last receiver does not close", "channel::receiver_goes"),

    Row("packet.a/release", "a task does not publish its result", "pool::submit_and_join"),
    Row("packet.a/acquire", "who publishes does not see the waker", "pool_more::a_waker_is_woken"),
    Row("packet.b", "join does not see the result", "pool::submit_and_join"),
    Row("packet.e", "a waker is not published", "pool_more::a_waker_is_woken"),
    Row("packet.wake", "a finished task wakes nobody", "pool::submit_and_join"),
    Row("packet.waker", "a finished task wakes no future", "pool_more::a_waker_is_woken"),
    Row("packet.claim", "a task is claimed by two", "pool_limits::join_against_start"),
    Row("worker.only-wait", "a join waits for a task that nobody runs", "pool::join_inside_a_task"),
    Row("batch.wake", "who waits for one of several tasks is not told",
        "pool_limits::as_they_come"),
    Row("crew.a", "a submission does not see who has gone to sleep", "pool_more::park_and_submit"),
    Row("crew.b", "who goes to sleep does not see a submission", "pool_more::park_and_submit"),
    Row("crew.c", "the last worker does not see a submission", "pool_more::the_last_worker_goes"),
    Row("crew.d", "a submission does not see that the last worker goes",
        "pool_more::the_last_worker_goes"),
    Row("crew.e", "the last worker trusts an old look", "pool_more::the_last_worker_goes"),
    Row("crew.help", "a submission wakes nobody", "pool_more::park_and_submit"),
    Row("crew.wake", "who is taken out of the stack is not woken", "pool_more::park_and_submit"),
    Row("crew.no-look", "who goes to sleep does not look again", "pool_more::park_and_submit"),
    Row("crew.baton", "who has found a task leaves the others asleep", "pool_more::the_baton"),
    Row("crew.close", "the end does not wake the idle", "pool::drop_drains_and_joins"),
    Row("crew.close-unannounced", "who awaits the end is not told of the shutdown",
        "pool_more::awaited_before_it_is_shut_down"),
    Row("crew.close-room", "the end does not wake who waits for room",
        "pool_more::blocked_at_the_end"),
    Row("crew.last-wake", "the last worker wakes nobody", "pool::submit_against_shutdown"),
    Row("crew.last-retires", "the last worker goes with a submission on its way",
        "pool_more::the_last_worker_goes"),
    Row("crew.count-on-starting", "a worker goes, as another is about to come",
        "pool_limits::the_worker_that_is_left_stays"),
    Row("crew.failed-search", "who was counted upon and fails to come tells nobody",
        "pool_limits::a_thread_that_cannot_be_started"),
    Row("crew.failed-place", "a worker that fails to come leaves its place and tells nobody",
        "pool_limits::a_place_that_becomes_free"),
    Row("crew.quiet", "who waits for idleness is not told", "pool_more::idleness"),
    Row("crew.quiet-failed", "nor when a worker fails to come",
        "pool_limits::idleness_without_threads"),
    Row("crew.quiet-end", "nor when the last worker goes", "pool_limits::idleness_at_the_end"),
    Row("crew.quiet-surplus", "nor when one too many goes", "pool_limits::somebody_stands_in"),
    Row("crew.blocked-queue", "a task blocks, and nobody comes for what is queued",
        "pool_limits::somebody_stands_in"),
    Row("crew.blocked-room", "a task blocks, and who waits for a place is not told",
        "pool_limits::somebody_stands_in_without_a_queue"),
    Row("crew.limits-unannounced", "there may be more threads, and who waits for one is not told",
        "pool_limits::a_limit_is_raised"),
    Row("crew.limits-unseen", "there may be fewer threads, and those asleep do not hear of it",
        "pool_limits::a_limit_is_lowered"),
    Row("room.a", "who makes room does not see who waits for it",
        "pool_limits::a_future_waits_for_room"),
    Row("room.b", "who waits for room does not see it made",
        "pool_limits::a_future_waits_for_room"),
    Row("room.wake", "who makes room wakes no thread", "pool::block_waits_for_room"),
    Row("room.wake-future", "who makes room wakes no future",
        "pool_limits::a_future_waits_for_room"),
    Row("room.keep-the-wake", "a future that is dropped keeps its wake-up",
        "pool_more::a_dropped_future_passes_on"),

    Row("stripes.a", "the words are found before they are made", "counter::first_additions"),
    Row("stripes.b", "who finds the words does not see how they were made",
        "counter::first_additions"),
    Row("stripes.c", "an addition does not publish", "counter::additions_publish"),
    Row("stripes.d", "a sum does not see what came before an addition",
        "counter::no_sum_is_negative"),
    Row("stripes.e", "a reset does not publish what it counted", "counter::resets_share_out"),
    Row("stripes.f", "a sum is from before the baseline it is compared to",
        "counter::resets_share_out"),
    Row("stripes.additions-first", "a sum reads the additions before the subtractions",
        "counter::no_sum_is_negative"),
    Row("stripes.one-look", "a sum does not look for a reset that came between",
        "counter::sum_beside_a_reset"),
    Row("stripes.forget-spare", "what was added while the words were made is not counted",
        "counter::first_additions"),
    Row("stripes.make-twice", "two threads make the words", "counter::first_additions"),

    Row("bounded.a", "who is refused does not see what was done before",
        "counter::bounded_publishes"),
    Row("bounded.b/acquire", "who takes what came back sees what was before it went",
        "counter::bounded_came_back"),
    Row("bounded.b/release", "a change does not publish", "counter::bounded_publishes"),
    Row("bounded.check-then-set", "the check and the change are two steps",
        "counter::up_to_a_limit"),

    Row("stamped.a", "who finds a value does not see what was done before",
        "counter::stamped_publishes"),
    Row("stamped.b/acquire", "who replaces a value that it expects does not see that either",
        "counter::stamped_expected"),
    Row("stamped.b/release", "a change does not publish", "counter::stamped_publishes"),
    Row("stamped.keep-stamp", "a value that came back is taken for the one that was there",
        "counter::stamps_tell"),
    Row("bin.a", "a retired segment is found with stale links", "seg_queue::two_retire"),
    Row("bin.b", "who takes retired segments does not see their links", "seg_queue::two_retire"),
    Row("bin.c", "a spare is kept before its last use is over",
        "seg_queue::spare_goes_from_hand_to_hand"),
    Row("bin.d", "who takes a spare does not see that", "seg_queue::spare_goes_from_hand_to_hand"),
    Row("hazard.a", "a hazard that replaces another does not say that its use is over",
        "seg_queue::protect"),
    Row("hazard.a/forget", "who leaves does not say that the use is over",
        "seg_queue::record_is_left"),
    Row("hazard.b", "to stop protecting does not say that the use is over",
        "seg_queue::protect_while_used"),
    Row("hazard.begin", "who begins to look does not say so", "seg_queue::protect_while_used"),
    Row("hazard.c", "who looks for hazards does not see that a use is over", "seg_queue::protect"),
    Row("hazard.c/used", "who asks who looks does not see that a use is over",
        "seg_queue::protect_while_used"),
    Row("hazard.c/again", "who asks again does not see that a use is over",
        "seg_queue::protect_on_the_way"),
    Row("hazard.e", "a look is announced too late", "seg_queue::protect_while_used"),
    Row("hazard.e/slow", "the same, slowly", "seg_queue::protect_while_used_slowly"),
    Row("hazard.f", "who asks who looks asks too early", "seg_queue::protect_while_used"),
    Row("hazard.g", "a record is added and not published", "seg_queue::protect_at_first"),
    Row("hazard.h", "a record is found and not seen", "seg_queue::protect_at_first"),
    Row("hazard.i", "a record is given back before its last use is over",
        "seg_queue::record_is_left"),
    Row("hazard.j", "who takes a record does not see that",
        "seg_queue::record_is_left_while_used"),
    Row("hazard.l", "a hazard is announced too late", "seg_queue::protect"),
    Row("hazard.l/weak", "a hazard is announced beside the total order", "seg_queue::protect"),
    Row("hazard.m", "who looks for hazards looks too early", "seg_queue::protect"),
    Row("hazard.m/weak", "who looks for hazards looks beside the total order",
        "seg_queue::protect"),
    Row("hazard.n", "who looks again does not see that his hazard was taken away",
        "seg_queue::protect_what_comes_back"),
    Row("hazard.trust", "who protects does not look again", "seg_queue::protect"),
    Row("hazard.trust/slow", "the same, slowly", "seg_queue::protect_slowly"),
    Row("segment.a", "tickets are taken beside the total order", "seg_queue::empty_and_empty"),
    Row("segment.c", "a batch may find the queue empty after a push",
        "seg_queue::empty_and_empty_slowly"),
    Row("segment.c/is_empty", "so may is_empty", "seg_queue::is_empty_and_is_empty"),
    Row("segment.c/one", "and a pop", "seg_queue::empty_and_empty"),
    Row("segment.d", "the next segment is not published", "seg_queue::hand_over_without_barriers"),
    Row("segment.e", "a push that goes on to the next segment does not see it",
        "seg_queue::three_at_segment_end"),
    Row("segment.e/last", "nor does a pop", "seg_queue::over_segments"),
    Row("segment.e/push", "nor a push that was too late to set its own",
        "seg_queue::three_at_segment_end"),
    Row("segment.f", "the next segment is set beside the total order",
        "seg_queue::closed_and_empty"),
    Row("segment.g", "a pop may find no next segment after a push", "seg_queue::closed_and_empty"),
    Row("segments.a", "`last` moves on and does not publish", "seg_queue::three_at_segment_end"),
    Row("segments.a/close", "to close an unused queue does not publish",
        "seg_queue::close_publishes"),
    Row("segments.a/first", "the first segment is not published",
        "seg_queue::empty_and_empty_at_first"),
    Row("segments.a/last", "the same, in `last`", "seg_queue::first_push_and_pop"),
    Row("segments.a/mark", "the mark of the end does not publish", "seg_queue::close_publishes"),
    Row("segments.a/move-first", "`first` moves on and does not publish",
        "seg_queue::segment_is_passed_on"),
    Row("segments.b", "who finds the first segment does not see it", "seg_queue::first_pushes"),
    Row("segments.c", "a pop may find an unused queue after a push",
        "seg_queue::empty_and_empty_at_first"),
    Row("segments.d", "the first segment is set beside the total order",
        "seg_queue::empty_and_empty_at_first"),
    Row("segments.e", "who sees that a queue is closed does not see what came before",
        "unbounded::is_closed_publishes"),
    Row("segments.seal", "the end is set while tickets are left", "seg_queue::close_push_and_pop"),
    Row("slot.a", "a value is not published", "seg_queue::slot_and_popper"),
    Row("slot.b", "a value is not seen", "seg_queue::hand_over_without_barriers"),
    Row("slot.b/q", "nor by who lost patience", "seg_queue::slot_and_popper"),
    Row("slot.c", "a pusher looks for suspicion too early", "seg_queue::slot_and_popper"),
    Row("slot.d", "a popper looks for suspicion too early", "seg_queue::slot_and_two_poppers"),
    Row("slot.e", "a verdict is given on an old look", "seg_queue::slot_and_popper"),
    Row("slot.f", "LIVE does not publish the value", "seg_queue::slot_without_barriers"),
    Row("slot.f/q", "the same by who lost patience", "seg_queue::slot_and_two_poppers"),
    Row("slot.g", "who finds LIVE does not see the value", "seg_queue::slot_and_two_poppers"),
    Row("slot.g/q", "nor does who was about to suspect", "seg_queue::slot_and_two_poppers"),
    Row("slot.g/r", "nor who was about to decide", "seg_queue::slot_and_popper"),
    Row("slot.plead", "a pusher takes a dead slot for a full one", "seg_queue::slot_and_popper"),
];

/// Sources whose orderings have no mutants, and why.
const EXEMPT: &[(&str, &str)] =
    &[("src/primitive/identity.rs", "the model replaces it: its fork epochs are made to order")];

// Table and source.

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Each source with its path from the root.
fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    files.sort();
    assert!(files.len() > 10, "looked in the wrong place");
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(named).collect()
}

/// The code without its comment lines, which also name mutants.
fn code(source: &str) -> String {
    source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The names of mutants in a source; an `AcqRel` ordering has two.
fn names(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (start, is_order) in ["ord!(", "mutant!("].into_iter().zip([true, false]) {
        for call in code.split(start).skip(1) {
            let Some(rest) = call.trim_start().strip_prefix('"') else {
                continue; // a macro's own definition
            };
            let (name, rest) = rest.split_once('"').unwrap();
            let order = rest.split(')').next().unwrap();
            if is_order && order.contains("AcqRel") {
                names.extend(["acquire", "release"].map(|half| format!("{name}/{half}")));
            } else {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

/// The letters and orders of the rows of a module's table of orderings.
fn rows(source: &str) -> Vec<(String, String)> {
    let docs = source.lines().filter_map(|line| line.strip_prefix("//!")).map(str::trim);
    docs.skip_while(|line| *line != "# Orderings")
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with('|'))
        .skip(2) // the heading and the line under it
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (cells[1].to_owned(), cells[3].to_owned())
        })
        .collect()
}

/// What a row calls for and the names do not have.
fn missing(stem: &str, row: &str, order: &str, names: &BTreeSet<String>) -> Vec<String> {
    let name = format!("{stem}.{row}");
    let wanted = match order {
        "Relaxed" => vec![],
        "AcqRel" => ["acquire", "release"].map(|half| format!("{name}/{half}")).to_vec(),
        _ => vec![name],
    };
    wanted.into_iter().filter(|name| !names.contains(name)).collect()
}

#[test]
fn every_row_has_a_mutant() {
    let mut in_source = BTreeSet::new();
    let (mut findings, mut tables) = (Vec::new(), 0);
    for (path, source) in sources() {
        let names = names(&code(&source));
        let rows = rows(&source);
        tables += usize::from(!rows.is_empty());
        let module = path.strip_suffix("/mod.rs").unwrap_or(&path);
        let stem = Path::new(module).file_stem().unwrap().to_str().unwrap();
        match EXEMPT.iter().find(|(exempt, _)| *exempt == path) {
            None => {
                for (row, order) in &rows {
                    for name in missing(stem, row, order, &names) {
                        findings.push(format!("{path}: row {row} is {order}, and has no {name}"));
                    }
                }
            }
            Some((_, why)) if rows.is_empty() || !names.is_empty() => {
                findings.push(format!("{path} needs no exemption ({why})"));
            }
            Some(_) => {}
        }
        in_source.extend(names);
    }
    assert!(tables > 5, "{tables} tables of orderings: not read any more");
    let in_table: BTreeSet<String> = MUTANTS.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(in_table.len(), MUTANTS.len(), "a mutant has two rows");
    assert!(MUTANTS.iter().all(|Row(_, breaks, _)| !breaks.is_empty()));
    findings
        .extend(in_source.difference(&in_table).map(|name| format!("{name} is killed by none")));
    findings
        .extend(in_table.difference(&in_source).map(|name| format!("{name} is not in the source")));
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn the_scan_sees() {
    let source = r#"
//! # Orderings
//!
//! | row | operation | order | pairs with | why |
//! |-----|-----------|-------|------------|-----|
//! | a | one | Acquire | - | because |
//! | b | two | Relaxed | - | because |
//! | c | three | AcqRel | - | because |
//!
//! # More
//!
//! | d | not | SeqCst | of | it |
// ord!("x.comment", Acquire)
macro_rules! ord { () => {} }
x.load(ord!("x.e", Acquire));
x.swap(1, ord!(
    "x.c", AcqRel)); if mutant!("x.duty") {}
"#;
    let names = names(&code(source));
    assert_eq!(Vec::from_iter(&names), ["x.c/acquire", "x.c/release", "x.duty", "x.e"]);
    let rows = rows(source);
    let letters: Vec<&str> = rows.iter().map(|(row, _)| &**row).collect();
    assert_eq!(letters, ["a", "b", "c"]);
    let missing: Vec<String> =
        rows.iter().flat_map(|(row, order)| missing("x", row, order, &names)).collect();
    assert_eq!(missing, ["x.a"]);
}

/// The tests that the table relies on, each with its mutants.
fn by_killer() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut killers = BTreeMap::<_, Vec<_>>::new();
    for Row(name, _, test) in MUTANTS {
        killers.entry(*test).or_default().push(*name);
    }
    killers
}

/// Each killer is a test of this binary: `--exact` with a name that is none runs nothing and is
/// content.
#[test]
fn killers_exist() {
    for killer in by_killer().keys() {
        let (module, test) = killer.split_once("::").unwrap();
        let path = root().join("tests/loom").join(module).with_extension("rs");
        let source = fs::read_to_string(path).unwrap();
        let (head, _) = source.split_once(&format!("\nfn {test}() {{")).unwrap_or_default();
        let attributes = head.rsplit("\n\n").next().unwrap_or_default();
        assert!(attributes.contains("#[test]"), "{killer} is no test");
    }
}

#[cfg(lockwork_mutants)]
#[test]
fn every_mutant_is_killed() {
    run::the_table();
}

#[cfg(lockwork_mutants)]
mod run {
    use std::io::Read;
    use std::process::{Command, ExitStatus, Stdio};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};
    use std::{env, thread};

    use super::{MUTANTS, Row, by_killer};

    /// Mutants die within a second; a test that lives takes up to a minute or two, beside others.
    /// Whoever is still running by then hangs, and that is not what the table calls a kill.
    const LIMIT: Duration = Duration::from_secs(400);

    /// What loom says of an object that is gone: the mutant was found out by what happened to lie
    /// in its place.
    const STRAY: [&str; 2] = ["loom internal bug", "index out of bounds"];

    /// Processes at a time.
    const JOBS: usize = 2;

    /// How one run of one test ended.
    enum End {
        Passed,
        /// With the first thing that it said.
        Failed(String),
        Hung,
    }

    /// Runs one test of this binary in a process of its own.
    fn run(test: &str, mutant: Option<&str>) -> End {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", test, "--test-threads=1", "--nocapture"]);
        command.env_remove("LOCKWORK_MUTANT").env("RUST_BACKTRACE", "0");
        if let Some(mutant) = mutant {
            command.env("LOCKWORK_MUTANT", mutant);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let printed = thread::spawn(move || read(&mut stdout));
        let said = thread::spawn(move || read(&mut stderr));
        let start = Instant::now();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if start.elapsed() > LIMIT => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    break None;
                }
                None => thread::sleep(Duration::from_millis(10)),
            }
        };
        let (printed, said) = (printed.join().unwrap(), said.join().unwrap());
        match status {
            None => End::Hung,
            Some(status) if status.success() => {
                assert!(printed.contains("1 passed"), "{test} is no test");
                End::Passed
            }
            Some(status) => End::Failed(first_words(&said, status)),
        }
    }

    fn read(from: &mut impl Read) -> String {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The first line of the first panic's message.
    fn first_words(said: &str, status: ExitStatus) -> String {
        let mut lines = said.lines().skip_while(|line| !line.contains("panicked at"));
        match lines.nth(1) {
            Some(line) => line.trim().chars().take(70).collect(),
            None => status.to_string(),
        }
    }

    /// Runs `jobs` a few at a time; the results come in their order.
    fn in_parallel<J: Sync, R: Send>(jobs: &[J], run: impl Fn(&J) -> R + Sync) -> Vec<R> {
        let next = AtomicUsize::new(0);
        let worker = || {
            let mut done = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                match jobs.get(i) {
                    Some(job) => done.push((i, run(job))),
                    None => return done,
                }
            }
        };
        let mut done: Vec<(usize, R)> = thread::scope(|s| {
            let workers = [(); JOBS].map(|()| s.spawn(worker));
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        done.sort_by_key(|(i, _)| *i);
        done.into_iter().map(|(_, result)| result).collect()
    }

    /// Runs the killers without a mutant and then with each of theirs.
    pub(super) fn the_table() {
        let killers: Vec<&str> = by_killer().into_keys().collect();
        let mut findings = Vec::new();
        for (test, end) in killers.iter().zip(in_parallel(&killers, |test| run(test, None))) {
            match end {
                End::Passed => {}
                End::Failed(how) => findings.push(format!("{test} fails without a mutant: {how}")),
                End::Hung => findings.push(format!("{test} hangs without a mutant")),
            }
        }
        println!("mutant | breaks | killed by | how");
        let ends = in_parallel(MUTANTS, |Row(name, _, test)| run(test, Some(name)));
        for (Row(name, what, test), end) in MUTANTS.iter().zip(ends) {
            let how = match end {
                End::Failed(how) => {
                    if STRAY.iter().any(|stray| how.contains(stray)) {
                        findings.push(format!("{name} dies by luck: {how}"));
                    }
                    how
                }
                End::Passed => {
                    findings.push(format!("{name} survives {test}"));
                    "SURVIVES".to_owned()
                }
                End::Hung => {
                    findings.push(format!("{name} makes {test} hang, not fail"));
                    "HANGS".to_owned()
                }
            };
            println!("{name} | {what} | {test} | {how}");
        }
        assert!(findings.is_empty(), "{findings:#?}");
    }
}
