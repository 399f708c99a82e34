#!/usr/bin/env bash
# Futex calls per run of each scripted schedule, for every peer, as a Markdown table.
#
#   bash benches/futex-calls.sh
#
# Each schedule is run FEW and MANY times under a counter (perf's tracepoints, or strace) and the
# difference is divided, so that start and end of the process cancel out. Schedules whose steps
# leave a race open (several waiters woken without the lock, a rush) have means; all others are
# exact. Where one unlock of a reader-writer lock meets sleepers, wake-ups are counted by themselves.
#
# Exits with 1 if lockwork enters the kernel where nobody waits, wakes by more than two calls an
# unlock, or releases several permits by more than one; with 2 if nothing can count.
set -euo pipefail
cd "$(dirname "$0")/.."

few=20
many=120

cargo build --quiet --locked --release -p lockwork-bench --bin schedules
schedules="${CARGO_TARGET_DIR:-target}/release/schedules"
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT

# Prints how often a command entered any of the futex calls.
with_perf() {
    perf stat -x, -o "$counts" -e 'syscalls:sys_enter_futex*' -- "$@"
    awk -F, '$1 ~ /^[0-9]+$/ { sum += $1 } END { print sum + 0 }' "$counts"
}
with_strace() {
    strace -f -c -U calls,name -e trace='/^futex' -o "$counts" -- "$@"
    awk '$2 ~ /^futex/ { sum += $1 } END { print sum + 0 }' "$counts"
}

# The same of those calls that wake: FUTEX_WAKE and FUTEX_WAKE_BITSET, shared or private.
wakes_with_perf() {
    perf stat -x, -o "$counts" -e syscalls:sys_enter_futex \
        --filter 'op == 1 || op == 10 || op == 129 || op == 138' -- "$@"
    awk -F, '$1 ~ /^[0-9]+$/ { sum += $1 } END { print sum + 0 }' "$counts"
}
wakes_with_strace() {
    strace -f -e trace='/^futex' -o "$counts" -- "$@"
    grep -c 'FUTEX_WAKE' "$counts" || true
}

if with_perf true >/dev/null 2>&1; then
    count=with_perf
elif with_strace true >/dev/null 2>&1; then
    count=with_strace
else
    echo "neither perf's tracepoints nor strace can count here" >&2
    exit 2
fi
echo "counted by ${count#with_}"
echo

# Prints schedule, peer, and what `counter` counts per run.
per_run() {
    local counter=$1 schedule=$2 peer=$3 label=$4
    local run=("$schedules" --only "$schedule" --peer "$peer" --times)
    local first second
    first=$("$counter" "${run[@]}" "$few")
    second=$("$counter" "${run[@]}" "$many")
    awk -v s="$label" -v p="$peer" -v calls=$((second - first)) -v runs=$((many - few)) \
        'BEGIN { printf "%s\t%s\t%.2f\n", s, p, calls / runs }'
}

"$schedules" --list | while IFS=$'\t' read -r schedule peer; do
    per_run "$count" "$schedule" "$peer" "$schedule"
    case $schedule in
    rwlock-writer-waits | rwlock-8-readers-wait | rwlock-last-reader-leaves)
        per_run "wakes_$count" "$schedule" "$peer" "$schedule: wakes"
        ;;
    esac
done | awk -F'\t' '
    !($1 in schedules) { schedules[$1]; order[++rows] = $1 }
    !($2 in peers) { peers[$2]; column[++columns] = $2 }
    { calls[$1, $2] = $3 }
    END {
        head = "| futex calls per run"; rule = "|---"
        for (c = 1; c <= columns; c++) { head = head " | " column[c]; rule = rule "|---" }
        print head " |"; print rule "|"
        for (r = 1; r <= rows; r++) {
            line = "| " order[r]
            for (c = 1; c <= columns; c++) {
                found = (order[r], column[c]) in calls
                line = line " | " (found ? calls[order[r], column[c]] : "-")
            }
            print line " |"
        }
        print ""
        free_ones = split("uncontended notify-one-nobody notify-all-nobody rwlock-uncontended " \
            "permit-uncontended set-nobody", free, " ")
        for (i = 1; i <= free_ones; i++) {
            kept = calls[free[i], "lockwork"] == 0
            print (kept ? "met" : "MISSED") ": " free[i] ": lockwork stays out of the kernel"
            broken = broken || !kept
        }
        for (r = 1; r <= rows; r++) {
            if (order[r] ~ /: wakes$/) {
                kept = calls[order[r], "lockwork"] <= 2
                print (kept ? "met" : "MISSED") ": " order[r] ": at most two"
                broken = broken || !kept
            }
        }
        kept = calls["release-16", "lockwork"] == 17
        print (kept ? "met" : "MISSED") ": release-16: lockwork wakes sixteen by one call"
        broken = broken || !kept
        exit broken ? 1 : 0
    }'
