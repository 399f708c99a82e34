//! Single-thread fast paths under criterion: what one call costs when nobody else is there.
//!
//! `cargo bench -p lockwork-bench --bench micro`
//!
//! criterion compares with earlier runs of its own; comparisons between peers belong to the
//! `mutex` and `condvar` families, which interleave them, and to `count-instructions`, which is
//! exact. This is the quick look while one works on a fast path.

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use lockwork_bench::condvars::{self, Condvars};
use lockwork_bench::locks::{self, Lock};
use std::hint::black_box;

fn lock_unlock<L: Lock>(group: &mut BenchmarkGroup<'_, WallTime>) {
    let lock = black_box(L::new());
    group.bench_function(L::NAME, |bencher| bencher.iter(|| lock.with(|n| *n += 1)));
}

fn try_lock<L: Lock>(group: &mut BenchmarkGroup<'_, WallTime>) {
    let lock = black_box(L::new());
    group.bench_function(L::NAME, |bencher| bencher.iter(|| lock.try_with(|n| *n += 1)));
}

fn notify_one<C: Condvars>(group: &mut BenchmarkGroup<'_, WallTime>) {
    let condvar = black_box(C::condvar());
    group.bench_function(C::NAME, |bencher| bencher.iter(|| C::notify_one(&condvar)));
}

fn mutex(criterion: &mut Criterion) {
    macro_rules! with_every_lock {
        ($group:literal, $measure:ident) => {
            let mut group = criterion.benchmark_group($group);
            $measure::<lockwork::Mutex<u64>>(&mut group);
            $measure::<std::sync::Mutex<u64>>(&mut group);
            $measure::<parking_lot::Mutex<u64>>(&mut group);
            $measure::<usync::Mutex<u64>>(&mut group);
            $measure::<locks::Pthread>(&mut group);
            #[cfg(target_env = "gnu")]
            $measure::<locks::PthreadAdaptive>(&mut group);
            group.finish();
        };
    }
    with_every_lock!("mutex, lock and unlock", lock_unlock);
    with_every_lock!("mutex, try_lock and unlock", try_lock);
}

fn condvar(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("condvar, notify_one, nobody waits");
    notify_one::<condvars::Lockwork>(&mut group);
    notify_one::<condvars::Std>(&mut group);
    notify_one::<condvars::ParkingLot>(&mut group);
    notify_one::<condvars::Usync>(&mut group);
    notify_one::<condvars::Pthread>(&mut group);
    group.finish();
}

criterion_group!(fast_paths, mutex, condvar);
criterion_main!(fast_paths);
