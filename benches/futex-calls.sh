#!/usr/bin/env bash
# Futex calls per run of each scripted schedule, for every peer, as a Markdown table.
#
#   bash benches/futex-calls.sh
#
# Each schedule is run FEW and MANY times under a counter (perf's tracepoints, or strace) and the
# difference is divided, so that start and end of the process cancel out. Schedules whose steps
# leave a race open (several waiters woken without the lock) have means; all others are exact.
#
# Exits with 1 if lockwork enters the kernel where nobody waits, with 2 if nothing can count.
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

# schedule, peer, calls per run
"$schedules" --list | while IFS=$'\t' read -r schedule peer; do
    run=("$schedules" --only "$schedule" --peer "$peer" --times)
    first=$("$count" "${run[@]}" "$few")
    second=$("$count" "${run[@]}" "$many")
    awk -v s="$schedule" -v p="$peer" -v calls=$((second - first)) -v runs=$((many - few)) \
        'BEGIN { printf "%s\t%s\t%.2f\n", s, p, calls / runs }'
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
        split("uncontended notify-one-nobody notify-all-nobody", free, " ")
        for (i = 1; i <= 3; i++) {
            kept = calls[free[i], "lockwork"] == 0
            print (kept ? "met" : "MISSED") ": " free[i] ": lockwork stays out of the kernel"
            broken = broken || !kept
        }
        exit broken ? 1 : 0
    }'
