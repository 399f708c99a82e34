#!/usr/bin/env python3
"""The protocol of `src/raw/mutex.rs`, searched exhaustively.

Every interleaving of a few threads is visited, one atomic step of one thread at a time: a step is
one read-modify-write of the word, one comparison-and-sleep in the kernel, one wake-up call, or the
end of a time-out. Memory is sequentially consistent here (the loom models look at orderings), and
a compare-exchange loop is one step. The kernel may wake any sleeper of a class first, signals may
interrupt any sleep, and from its first sleep on a waiter may have waited for long at any moment.

What is checked in every state:

* exclusion: one owner;
* the marks: a starver's has one owner, a hand-over is on its way to somebody that was woken;
* no lost wake-up: somebody can move unless everybody is done, time-outs and signals not counting
  as moves;
* nothing is left held or reserved when all are done;
* bypass: from its mark to its turn, nobody gets in before a starver; and nobody who was not woken
  gets in while the lock is handed over.

Each MUTANT leaves one duty out, and one of the checks must notice.
"""

import sys
import time

# The word: as in the source, less the epoch.
LOCKED, SLEEPERS, HANDOFF, STARVING = 1, 2, 4, 8
RESERVED = HANDOFF | STARVING

# A program is a string of these.
#   L l T   lock, with a time limit, once if it is free
#   . !     unlock, unlock fairly
#   ~       bump

# What a thread is about to do.
OP, WAIT, SLEEP, ASLEEP, WAKE_STARVER, WAKE, CALL, PASS, TAKE_BACK, PASS_ON, KEEP = range(11)
# Flags of a waiter: was woken, has slept, has waited for long, owns the mark, is past its deadline.
WOKEN, SLEPT, LONG, MINE, LATE = 1, 2, 4, 8, 16


class Broken(Exception):
    pass


class Model:
    def __init__(self, programs, rounds, mutant="", signals=True):
        """`rounds` 0: each thread repeats its program for ever."""
        self.programs = programs
        self.rounds = rounds
        self.mutant = mutant
        self.signals = signals
        # Threads with the same program are interchangeable.
        groups = {}
        for i, p in enumerate(programs):
            groups.setdefault(p, []).append(i)
        self.groups = [g for g in groups.values() if len(g) > 1]
        self.marks = 0

    # A thread: (position, phase, expected word, flags, rounds left)
    def start(self):
        return (0, tuple((0, OP, 0, 0, self.rounds) for _ in self.programs))

    def canonical(self, state):
        word, threads = state
        threads = list(threads)
        for group in self.groups:
            for i, thread in zip(group, sorted(threads[i] for i in group)):
                threads[i] = thread
        return word, tuple(threads)

    def done(self, i, thread):
        return self.rounds != 0 and thread[4] == 0

    def go_on(self, i, thread, skip=1):
        """The thread behind its operation, or behind the section too."""
        position, rounds = thread[0] + skip, thread[4]
        if position >= len(self.programs[i]):
            position, rounds = 0, max(rounds - 1, 0)
        return (position, OP, 0, 0, rounds)

    def owns(self, i, thread):
        """Whether the thread is inside a section."""
        position, phase = thread[0], thread[1]
        if phase in (CALL, PASS, TAKE_BACK, PASS_ON, KEEP):
            return True
        return phase == OP and self.programs[i][position] in ".!~"

    def steps(self, state):
        """Successors, and whether each is a move that needs no clock and no signal."""
        word, threads = state
        out = []

        def put(i, thread, new_word=word, others=None, moves=True):
            changed = list(others or threads)
            changed[i] = thread
            out.append(((new_word, tuple(changed)), moves))

        def wake(i, after, nobody, classes):
            """One sleeper of any of `classes`, whichever."""
            found = False
            for j, other in enumerate(threads):
                if other[1] == ASLEEP and (classes == "all" or other[3] & MINE):
                    found = True
                    changed = list(threads)
                    flags = (other[3] | WOKEN) & ~LATE
                    changed[j] = (other[0], WAIT, 0, flags, other[4])
                    put(i, after, word, changed)
            if not found:
                put(i, nobody)

        for i, thread in enumerate(threads):
            if self.done(i, thread):
                continue
            position, phase, expected, flags, rounds = thread
            op = self.programs[i][position]

            def at(phase, expected=0, flags=flags):
                return (position, phase, expected, flags, rounds)

            if phase == OP and op in "LlT":
                if word == 0:
                    put(i, self.go_on(i, thread), LOCKED)
                elif op != "T":
                    put(i, at(WAIT))
                elif self.may_take(word, 0):
                    put(i, self.go_on(i, thread), self.taken(word, 0))
                else:
                    put(i, self.go_on(i, thread, 2))
            elif phase == OP and (op == "." or word == LOCKED and op == "!"):
                self.unlock(i, thread, word, put)
            elif phase == OP and word == LOCKED:  # a bump, and nobody waits
                put(i, self.go_on(i, thread))
            elif phase == OP:
                if word & SLEEPERS and not word & RESERVED:
                    put(i, at(CALL), LOCKED | HANDOFF)
                else:
                    self.unlock(i, thread, word, put)
            elif phase == CALL:
                nobody = at(PASS if self.mutant == "hand to nobody" else TAKE_BACK)
                wake(i, at(PASS), nobody, "all")
            elif phase == PASS:
                self.unlock(i, thread, word, put)
            elif phase == TAKE_BACK:
                put(i, at(PASS), word & ~HANDOFF)
            elif phase == PASS_ON:
                nobody = self.mutant == "pass on to nobody"
                wake(i, self.go_on(i, thread), self.go_on(i, thread) if nobody else at(KEEP), "all")
            elif phase == KEEP:
                put(i, self.go_on(i, thread), word & ~HANDOFF)
            elif phase == WAKE_STARVER:
                wake(i, self.released(i, thread), self.released(i, thread), "starver")
            elif phase == WAKE:
                wake(i, self.released(i, thread), self.released(i, thread), "all")
            elif phase == WAIT:
                for now in {flags, flags | LONG} if flags & SLEPT else {flags}:
                    self.wait(i, thread, word, now, op == "l", put)
            elif phase == SLEEP:
                # What the thread remembers of having slept matters only for its clock.
                put(i, at(ASLEEP if word == expected else WAIT))
            elif phase == ASLEEP:
                if op == "l":
                    put(i, at(WAIT, flags=flags | LATE), moves=False)
                if self.signals:
                    put(i, at(WAIT), moves=False)
        return out

    def unlock(self, i, thread, word, put):
        rest = word & ~LOCKED
        position, _, _, _, rounds = thread
        if not rest & SLEEPERS or self.mutant == "unlock wakes nobody":
            put(i, self.released(i, thread), rest)
        elif rest & STARVING and self.mutant != "the first sleeper is woken":
            put(i, (position, WAKE_STARVER, 0, 0, rounds), rest)
        else:
            put(i, (position, WAKE, 0, 0, rounds), rest)

    def released(self, i, thread):
        """Behind an unlock; a bump goes on to lock again."""
        if self.programs[i][thread[0]] == "~":
            return (thread[0], WAIT, 0, 0, thread[4])
        return self.go_on(i, thread)

    def may_take(self, word, flags):
        if word & LOCKED:
            return False
        if word & STARVING:
            return bool(flags & MINE) or self.mutant == "overtake a starver"
        if word & HANDOFF:
            return bool(flags & WOKEN) or self.mutant == "overtake a hand-over"
        return True

    def taken(self, word, flags):
        owes = flags & (WOKEN | MINE) and self.mutant != "woken thread forgets the others"
        return LOCKED | (SLEEPERS if owes else 0)

    def wait(self, i, thread, word, flags, timed, put):
        position, _, _, _, rounds = thread
        if self.may_take(word, flags):
            if word & STARVING and not flags & MINE:
                raise Broken("a starver is overtaken")
            if word & HANDOFF and not flags & WOKEN:
                raise Broken("a hand-over is overtaken")
            if word & RESERVED and flags & LONG:
                put(i, (position, PASS_ON, 0, 0, rounds), LOCKED | HANDOFF)
            else:
                put(i, self.go_on(i, thread), self.taken(word, flags))
            return
        if flags & LATE:
            new = word
            if word & LOCKED and flags & (WOKEN | MINE):
                new |= SLEEPERS
                if self.mutant != "waiter leaves its mark" and (flags & MINE or word & HANDOFF):
                    new &= ~RESERVED
            # A bump has no time limit: what gives up is a lock, and its section is left out.
            put(i, self.go_on(i, thread, 2), new)
            return
        if flags & LONG and word & LOCKED and not word & RESERVED:
            # Those who sleep are its to see to from here on. It looks once more before it sleeps.
            self.marks += 1
            put(i, (position, WAIT, 0, flags | MINE, rounds), LOCKED | STARVING)
            return
        if flags & WOKEN and word & LOCKED and word & HANDOFF:
            put(i, (position, WAIT, 0, flags | MINE, rounds), LOCKED | STARVING | word & SLEEPERS)
            return
        new = word | SLEEPERS
        put(i, (position, SLEEP, new, flags | SLEPT, rounds), new)

    def check(self, state, successors):
        word, threads = state
        owners = sum(self.owns(i, t) for i, t in enumerate(threads) if not self.done(i, t))
        if owners > 1 or owners != (word & LOCKED):
            raise Broken("two owners, or a word that is wrong about them")
        starvers = sum(bool(t[3] & MINE) for t in threads)
        if starvers != bool(word & STARVING):
            raise Broken("a mark without a starver, or two")
        if all(self.done(i, t) for i, t in enumerate(threads)):
            if word & ~SLEEPERS:
                raise Broken("something is left held")
        elif not any(moves for _, moves in successors):
            raise Broken("stuck")

    def run(self):
        start = self.canonical(self.start())
        seen, todo = {start}, [start]
        while todo:
            state = todo.pop()
            successors = self.steps(state)
            self.check(state, successors)
            for new, _ in successors:
                new = self.canonical(new)
                if new not in seen:
                    seen.add(new)
                    todo.append(new)
        return len(seen)


# Threads and rounds; without an end: 0.
CASES = [
    (["L.", "L.", "L."], 2),
    (["L.", "L.", "L.", "L."], 1),
    (["L.", "l.", "l.", "L."], 1),
    (["L!", "l!", "L."], 2),
    (["L!", "l.", "L!", "L."], 1),
    (["L~.", "l.", "L."], 1),
    (["L~!", "l!", "L."], 1),
    (["T.", "l!", "L."], 2),
    (["L.", "L.", "l."], 0),
    (["L!", "L.", "l."], 0),
    (["L~.", "T.", "l!"], 0),
]

# With `--long`: minutes.
MINUTES = [
    (["L.", "L.", "L.", "L."], 0),
    (["L!", "l.", "L.", "L~."], 0),
]

MUTANTS = [
    "unlock wakes nobody",
    "the first sleeper is woken",
    "woken thread forgets the others",
    "waiter leaves its mark",
    "overtake a starver",
    "overtake a hand-over",
    "hand to nobody",
    "pass on to nobody",
]


def explore(programs, rounds, mutant=""):
    model = Model(programs, rounds, mutant)
    return model.run(), model.marks


def main():
    began = time.process_time()
    for programs, rounds in CASES + (MINUTES if "--long" in sys.argv else []):
        states, marks = explore(programs, rounds)
        rounds = f"x{rounds}" if rounds else "for ever"
        print(f"{' '.join(programs)} {rounds}: {states} states, {marks} marks", flush=True)
        assert marks > 0, "no thread ever starved"
    survivors = []
    for mutant in MUTANTS:
        for programs, rounds in CASES:
            try:
                explore(programs, rounds, mutant)
            except Broken as how:
                print(f"mutant: {mutant}: {' '.join(programs)}: {how}", flush=True)
                break
        else:
            survivors.append(mutant)
    print(f"{time.process_time() - began:.0f} s")
    if survivors:
        sys.exit(f"mutants survive: {survivors}")


if __name__ == "__main__":
    main()
