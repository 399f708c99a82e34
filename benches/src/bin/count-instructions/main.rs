//! Counts the instructions that a call of each fast path really executes, and how many of them
//! lock the bus: exact, on any machine, whatever else it does.
//!
//! `cargo run --release -p lockwork-bench --bin count-instructions`
//!
//! A child process makes one warmed call of each probe under the debugger's single step, so the
//! count follows the path that succeeds, through other crates and the C library if it goes there.
//! It starts at the probe's first instruction and includes its return. *Locked* are instructions
//! with a `lock` prefix and `xchg` with memory, which locks without one. To read a path:
//! `objdump -d --disassemble=lockwork_lock_unlock target/release/count-instructions`.
//!
//! It exits with 1 if a promise is broken, and with 2 if it cannot count.

#[cfg(target_arch = "x86_64")]
mod probes;
#[cfg(target_arch = "x86_64")]
mod single_step;

#[cfg(not(target_arch = "x86_64"))]
fn main() -> std::process::ExitCode {
    eprintln!("not available: this tool reads x86-64 instructions");
    std::process::ExitCode::from(2)
}

#[cfg(target_arch = "x86_64")]
fn main() -> std::process::ExitCode {
    use lockwork_bench::harness::report::Table;
    use std::process::ExitCode;

    if cfg!(debug_assertions) {
        eprintln!("not available: counts of a debug build mean nothing (use --release)");
        return ExitCode::from(2);
    }
    // glibc leaves locked instructions out until a process has had a second thread. Programs that
    // use locks have one.
    std::thread::spawn(|| {}).join().expect("an empty thread does not panic");

    let mut counted = vec![];
    let mut table = Table::new(["path", "peer", "instructions", "locked", "system calls"]);
    for probe in probes::all() {
        let steps = match single_step::count(&probe) {
            Ok(steps) => steps,
            Err(error) => {
                eprintln!("{}, {}: {error}", probe.path, probe.peer);
                return ExitCode::from(2);
            }
        };
        table.row([
            probe.path.to_owned(),
            probe.peer.to_owned(),
            steps.instructions.to_string(),
            steps.locked.to_string(),
            steps.system_calls.to_string(),
        ]);
        counted.push((probe.path, probe.peer, steps));
    }
    println!("{table}");

    let of = |path, peer| {
        let found = counted.iter().find(|(p, who, _)| (*p, *who) == (path, peer));
        found.map(|(_, _, steps)| *steps).expect("all() has what is asked for")
    };
    let (ours, std) = (of(probes::LOCK, "lockwork"), of(probes::LOCK, "std"));
    let share = f64::from(ours.instructions) / f64::from(std.instructions);
    let (one, all) = (of(probes::NOTIFY_ONE, "lockwork"), of(probes::NOTIFY_ALL, "lockwork"));
    let (read, write) = (of(probes::READ, "lockwork"), of(probes::WRITE, "lockwork"));
    let (permit, sem_t) = (of(probes::PERMIT, "lockwork"), of(probes::PERMIT, "sem_t"));
    let fair = of(probes::PERMIT, "lockwork, fair");
    let promises = [
        (ours.locked == 2, format!("lock and unlock: {} locked instructions, of 2", ours.locked)),
        (share <= 0.6, format!("lock and unlock: {share:.2} of std's instructions, of 0.60")),
        (ours.system_calls == 0, "lock and unlock: no system call".to_owned()),
        (
            permit.locked == 2 && fair.locked == 2,
            format!("acquire and release: {} and {} locked, of 2", permit.locked, fair.locked),
        ),
        (
            permit.instructions <= sem_t.instructions,
            format!(
                "acquire and release: {} instructions, of {} as sem_t",
                permit.instructions, sem_t.instructions
            ),
        ),
        (
            permit.system_calls + fair.system_calls == 0,
            "acquire and release: no system call".to_owned(),
        ),
        (one.locked + all.locked == 0, "notify, nobody waits: no locked instruction".to_owned()),
        (
            one.system_calls + all.system_calls == 0,
            "notify, nobody waits: no system call".to_owned(),
        ),
        (read.locked == 2, format!("read and unlock: {} locked instructions, of 2", read.locked)),
        (
            write.locked == 2,
            format!("write and unlock: {} locked instructions, of 2", write.locked),
        ),
        (read.system_calls + write.system_calls == 0, "read and write: no system call".to_owned()),
    ];
    let count = of(probes::COUNT, "lockwork");
    // Where the C library has registered no restartable sequences, it is an atomic addition.
    let sections = single_step::has_restartable_sequences();
    let promises = promises.into_iter().chain([(
        !sections || count.locked == 0 && count.instructions <= 24,
        format!("count: {} instructions, of 24, {} locked", count.instructions, count.locked),
    )]);
    let once = [probes::ONCE, probes::ONCE_LOCK, probes::LAZY_LOCK];
    let promises = promises.chain(once.map(|path| {
        let (ours, std) = (of(path, "lockwork"), of(path, "std"));
        let kept = ours.instructions <= std.instructions && ours.locked == 0;
        (kept, format!("{path}: {} instructions, std {}", ours.instructions, std.instructions))
    }));
    // That is where the kernel makes the waiter's fence.
    let (bare, waiting) = (of(probes::PASS, "ArrayQueue"), of(probes::PASS, "BlockingQueue"));
    let (tried, channel) = (of(probes::PASS, "BlockingQueue, try"), of(probes::PASS, "channel"));
    let promises = promises.chain([
        (
            // For each of the two: a load, with its address, a comparison and a branch; an answer.
            tried.instructions <= bare.instructions + 12,
            format!(
                "push and pop, nobody asleep: {} instructions, {} without waiting, and 12",
                tried.instructions, bare.instructions
            ),
        ),
        (
            waiting.locked == bare.locked && channel.locked == bare.locked,
            format!(
                "push and pop, nobody asleep: {} locked, {} in a channel, {} without waiting",
                waiting.locked, channel.locked, bare.locked
            ),
        ),
        (
            waiting.system_calls + channel.system_calls == 0,
            "push and pop, nobody asleep: no system call".to_owned(),
        ),
    ]);
    let (empty, spsc) = (of(probes::EMPTY, "ArrayQueue"), of(probes::SPSC, "spsc"));
    let (in_one, out_one) =
        (of(probes::PUSH_MANY, "ArrayQueue"), of(probes::POP_MANY, "ArrayQueue"));
    let promises = promises.chain([
        (bare.locked == 2, format!("push and pop: {} locked instructions, of 2", bare.locked)),
        (empty.locked == 0, "pop, nothing there: no locked instruction".to_owned()),
        (
            in_one.locked == 1 && out_one.locked == 1,
            format!("16 in, 16 out: {} and {} locked, of 1", in_one.locked, out_one.locked),
        ),
        (spsc.locked == 0, "one thread at each end: no locked instruction".to_owned()),
        (
            [bare, empty, in_one, out_one, spsc].iter().all(|steps| steps.system_calls == 0),
            "queues: no system call".to_owned(),
        ),
    ]);
    let (seg, seg_empty) = (of(probes::PASS, "SegQueue"), of(probes::EMPTY, "SegQueue"));
    let (seg_in, seg_out) = (of(probes::PUSH_MANY, "SegQueue"), of(probes::POP_MANY, "SegQueue"));
    let promises = promises.chain([
        (seg.locked == 2, format!("without a bound: {} locked instructions, of 2", seg.locked)),
        (seg_empty.locked == 0, "without a bound, nothing there: none locked".to_owned()),
        (
            seg_in.locked == 1 && seg_out.locked == 1,
            format!("without a bound, 16: {} and {} locked, of 1", seg_in.locked, seg_out.locked),
        ),
    ]);
    let promises: Vec<(bool, String)> = promises.collect();
    for (kept, promise) in &promises {
        println!("{}: {promise}", if *kept { "met" } else { "MISSED" });
    }
    let broken = promises.iter().any(|(kept, _)| !kept);
    if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
