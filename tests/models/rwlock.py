#!/usr/bin/env python3
"""The protocol of `src/raw/rwlock.rs`, searched exhaustively.

Every interleaving of a few threads is visited, one atomic step of one thread at a time: a step is
one read-modify-write of the word, one look that decides what is done next, one
comparison-and-sleep in the kernel, one wake-up call, or the end of a time-out. Memory is
sequentially consistent here (the loom models look at orderings), and a compare-exchange loop is
one step. The kernel may wake any sleeper of a class first.

What is checked in every state:

* exclusion: one writer or upgradable reader, and no writer beside a reader;
* the marks: each has one owner who is on its way to the lock;
* no lost wake-up: somebody can move unless everybody is done, time-outs not counting as moves;
* nothing is left held when all are done;
* bypass, with threads that go on for ever: between the moment a waiter's mark becomes *strict* and
  its own entry, at most BOUND others enter of those whom it excludes: for a reader, writers and
  upgradable readers (that one is a writer who had the claim already); for a writer or upgradable
  reader, BOUND of these and BOUND readers, not counting readers beside an upgradable one, nor what
  one holder converts its hold into.

Each MUTANT leaves one duty out, and one of the checks must notice.
"""

import sys
import time

# The word: as in the source, less the epoch.
READERS_ASLEEP, SOLOS_ASLEEP, DRAIN, UPGRADABLE, WRITER = 1, 2, 4, 8, 16
READER_HEIR, SOLO_HEIR, READER_STRICT, SOLO_STRICT = 32, 64, 128, 256
HEIR_ASLEEP = 512
ONE = 1024
SLOT = WRITER | UPGRADABLE

# Classes of sleepers.
R, S, D, HR, HS = "R", "S", "D", "HR", "HS"

# A program is a string of these; a lower-case first letter gives the acquisitions a time limit.
#   R W U   read, write, upgradable
#   ^       upgrade            v  write to read      x  write to upgradable   y  upgradable to read
#   .       unlock             !  unlock fairly
BOUND = 1


class Broken(Exception):
    pass


class Model:
    def __init__(self, programs, rounds, mutant="", recursive=False):
        """`rounds` 0: each thread repeats its program for ever, and bypass is counted."""
        self.timed = [p[0].islower() for p in programs]
        self.programs = [p.upper().replace("V", "v").replace("X", "x").replace("Y", "y")
                         for p in programs]
        self.rounds = rounds
        self.mutant = mutant
        self.recursive = recursive
        self.endless = rounds == 0
        # Threads with the same program are interchangeable.
        groups = {}
        for i, p in enumerate(programs):
            groups.setdefault(p, []).append(i)
        self.groups = [g for g in groups.values() if len(g) > 1]
        self.worst = {"reader": 0, "solo": 0, "reads": 0}

    # A thread: (position, phase, expected, flags, duties, mode, rounds left, bypassed, read past)
    # phase: op, try, sleep, asleep, giveup, release, done
    # expected: the word and class of a sleep to come, or the class of one under way
    # flags: bit 0 heir, bit 1 was woken as an ordinary solo, bit 2 a reader that has waited long,
    #        bit 3 a solo that has slept and may have waited long
    def start(self):
        return (0, tuple((0, "op", -1, 0, (), "", self.rounds, 0, 0) for _ in self.programs))

    def may_read(self, word, heir):
        if self.recursive and word >= ONE:
            return True
        if word & WRITER:
            return False
        strict = heir and word & READER_STRICT
        return bool(strict or not word & SOLO_STRICT or word & UPGRADABLE)

    def may_claim(self, word, heir):
        if word & SLOT:
            return False
        if word & READER_STRICT and self.mutant != "claim past a strict reader":
            return False
        return bool(heir or not word & SOLO_STRICT or self.mutant == "claim past a strict solo")

    def vacate(self, word):
        """The word after the slot was given up, and the wake-ups owed."""
        word &= ~DRAIN
        if word & READER_STRICT:
            if word & SOLO_STRICT:
                return word, (("all", (HR,)),)
            return word & ~READERS_ASLEEP, (("all", (R, HR)),)
        if word & SOLO_HEIR:
            return self.call_heir(word)
        if word & SOLOS_ASLEEP:
            if self.mutant == "vacate without the other class":
                return word & ~SOLOS_ASLEEP, (("one", (S,)),)
            return word & ~SOLOS_ASLEEP, (("else", (S,)),)
        if word & READERS_ASLEEP:
            return word & ~READERS_ASLEEP, (("all", (R, HR)),)
        return word, ()

    def call_heir(self, word):
        """The first of the solos is woken, unless it is awake and on its way."""
        if word & HEIR_ASLEEP:
            return word & ~HEIR_ASLEEP, (("one", (HS,)),)
        return word, ()

    def admit(self, word):
        """The word now that readers may enter beside an upgradable one, and the wake-ups owed."""
        if word & READERS_ASLEEP and self.mutant != "upgradable lets nobody in":
            return word & ~READERS_ASLEEP, (("all", (R, HR)),)
        return word, ()

    def reader_in_or_gone(self, before, word):
        """What a reader heir owes once its mark is gone."""
        if not before & READER_STRICT or self.mutant == "strict reader hands nothing on":
            return word, ()
        if not word & SLOT:
            return self.vacate(word)
        if word & UPGRADABLE and word & DRAIN and self.mutant != "strict reader forgets upgrader":
            return word & ~DRAIN, (("one", (D,)),)
        return word, ()

    def steps(self, state):
        word, threads = state
        out = []

        def put(i, new, word=word, threads=threads):
            out.append((word, threads[:i] + (new,) + threads[i + 1:]))

        for i, t in enumerate(threads):
            pos, phase, exp, flags, duties, mode, left, byp, past = t
            if phase == "done":
                continue
            if duties:
                self.wake(state, i, out)
                continue
            program = self.programs[i]
            op = program[pos] if pos < len(program) else ""
            if phase == "asleep":
                cls = exp
                if cls in (R, HR) and not flags & 4:
                    put(i, (pos, "try", -1, flags | 4, (), mode, left, byp, past))
                if self.timed[i]:
                    put(i, (pos, "giveup", -1, flags, (), mode, left, byp, past))
                continue
            if phase == "sleep":
                if word == exp[0]:
                    put(i, (pos, "asleep", exp[1], flags, (), mode, left, byp, past))
                else:
                    put(i, (pos, "try", -1, flags, (), mode, left, byp, past))
                continue
            if phase == "op":
                if op == "":
                    more = 0 if self.endless else left - 1
                    phase = "op" if self.endless or more > 0 else "done"
                    put(i, (0, phase, -1, 0, (), "", more, 0, 0))
                elif op in "RWU^":
                    put(i, (pos, "try", -1, 0, (), mode, left, 0, 0))
                else:
                    self.let_go(state, i, op, out)
                continue
            heir = flags & 1
            if phase == "release":
                # The word was seen with nobody else on it. That somebody came since is all that
                # is known after a subtraction, and what was set stays set: the lock may be gone.
                new = word & ~(WRITER if mode == "W" else UPGRADABLE)
                duties = (("all", (R, HR, HS)), ("one", (S,)))
                if new == 0 or self.mutant == "latecomers sleep on":
                    duties = ()
                put(i, (pos + 1, "op", -1, 0, duties, "", left, 0, 0), new)
            elif phase == "giveup":
                self.give_up(state, i, op, out)
            elif op == "R":
                if self.may_read(word, heir):
                    new, duties = word + ONE, ()
                    if heir:
                        new &= ~(READER_HEIR | READER_STRICT)
                        new, duties = self.reader_in_or_gone(word, new)
                    self.entered(new, threads, i, "R", duties, out)
                else:
                    new = word
                    if not word & READER_HEIR:
                        new |= READER_HEIR
                        flags |= 1
                    new |= READERS_ASLEEP
                    if flags & 1 and flags & 4 and word & WRITER:
                        new |= READER_STRICT
                    cls = HR if flags & 1 else R
                    put(i, (pos, "sleep", (new, cls), flags, (), mode, left, byp, past), new)
            elif op in "WU" and mode == "":
                if self.may_claim(word, heir):
                    bit = WRITER if op == "W" else UPGRADABLE
                    new, duties = word | bit, ()
                    if heir:
                        new &= ~(SOLO_HEIR | SOLO_STRICT | HEIR_ASLEEP)
                    if flags & 2 and self.mutant != "woken solo forgets the others":
                        new |= SOLOS_ASLEEP
                    if op == "U":
                        new, duties = self.admit(new)
                        self.entered(new, threads, i, "U", duties, out)
                    else:
                        put(i, (pos, "try", -1, 0, (), "claimed", left, 0, 0), new)
                else:
                    for waited in (False, True) if flags & 8 else (False,):
                        new, f = word, flags
                        if not word & SOLO_HEIR:
                            new |= SOLO_HEIR
                            f |= 1
                        elif not heir:
                            new |= SOLOS_ASLEEP
                        if f & 2 and self.mutant != "woken solo forgets the others":
                            new |= SOLOS_ASLEEP
                        if f & 1 and waited and word & SLOT:
                            new |= SOLO_STRICT
                        cls = HS if f & 1 else S
                        new |= HEIR_ASLEEP if f & 1 else 0
                        f |= 8
                        put(i, (pos, "sleep", (new, cls), f, (), mode, left, byp, past), new)
            elif op == "^" and mode == "U":
                if not word & READER_STRICT or self.mutant == "upgrade past a strict reader":
                    new = word & ~(UPGRADABLE | DRAIN) | WRITER
                    put(i, (pos, "try", -1, 0, (), "upgrading", left, 0, 0), new)
                else:
                    new = word | DRAIN
                    put(i, (pos, "sleep", (new, D), flags, (), mode, left, byp, past), new)
            else:  # claimed or upgrading: the readers inside have to leave
                if word < ONE:
                    self.entered(word & ~DRAIN, threads, i, "W", (), out, mode == "upgrading")
                else:
                    new = word | DRAIN
                    put(i, (pos, "sleep", (new, D), flags, (), mode, left, byp, past), new)
        return out

    def entered(self, word, threads, i, mode, duties, out, upgrade=False):
        """Thread `i` holds the lock now; those it went past count that."""
        pos, _, _, _, _, _, left, _, _ = threads[i]
        new = []
        for j, t in enumerate(threads):
            if j != i and self.endless and t[3] & 1 and t[1] in ("try", "sleep", "asleep"):
                op = self.programs[j][t[0]]
                byp, past = t[7], t[8]
                if op == "R" and word & READER_STRICT and mode != "R":
                    byp += 1
                elif op in "WU" and word & SOLO_STRICT:
                    if mode == "R" and not word & UPGRADABLE:
                        past += 1
                    elif mode != "R" and not upgrade:
                        byp += 1
                if byp != t[7] or past != t[8]:
                    which = "reader" if op == "R" else "solo"
                    self.worst[which] = max(self.worst[which], byp)
                    self.worst["reads"] = max(self.worst["reads"], past)
                    if byp > BOUND or past > BOUND:
                        raise Broken(f"bypass: a strict {which} was passed {byp} + {past} times")
                    t = t[:7] + (byp, past)
            new.append(t)
        new[i] = (pos + 1, "op", -1, 0, duties, mode, left, 0, 0)
        out.append((word, tuple(new)))

    def let_go(self, state, i, op, out):
        word, threads = state
        pos, _, _, _, _, mode, left, _, _ = threads[i]
        after = {"v": "R", "x": "U", "y": "R"}.get(op, "")
        if op in ".!" and word == {"W": WRITER, "U": UPGRADABLE}.get(mode):
            # A look and a subtraction, not an exchange: two steps.
            releasing = (pos, "release", -1, 0, (), mode, left, 0, 0)
            out.append((word, threads[:i] + (releasing,) + threads[i + 1:]))
            return
        if mode == "R":
            new = word - ONE
            last = new < ONE and word & DRAIN and self.mutant != "last reader wakes nobody"
            duties = (("one", (D,)),) if last else ()
        elif op == "x":
            new, duties = self.admit(word & ~(WRITER | DRAIN) | UPGRADABLE)
        elif op == "v":
            new = (word & ~(WRITER | DRAIN)) + ONE
            if new & (READER_STRICT | SOLO_STRICT):
                new, duties = self.vacate(new)
            else:
                duties = ()
                if new & READERS_ASLEEP:
                    duties += (("all", (R, HR)),)
                if new & SOLO_HEIR:
                    new, owed = self.call_heir(new)
                    duties += owed
                elif new & SOLOS_ASLEEP:
                    duties += (("one", (S,)),)
                    new &= ~SOLOS_ASLEEP
                new &= ~READERS_ASLEEP
        else:
            new = word & ~(WRITER if mode == "W" else UPGRADABLE)
            if op == "y":
                new += ONE
            if op == "!":
                new |= READER_STRICT if new & READER_HEIR and mode == "W" else 0
                new |= SOLO_STRICT if new & SOLO_HEIR else 0
            new, duties = self.vacate(new)
        new_thread = (pos + 1, "op", -1, 0, duties, after, left, 0, 0)
        out.append((new, threads[:i] + (new_thread,) + threads[i + 1:]))

    def give_up(self, state, i, op, out):
        word, threads = state
        pos, _, _, flags, _, mode, left, _, _ = threads[i]
        # Without the lock, on with the next round.
        leave, keep = len(self.programs[i]), pos + 1
        new, duties, to, mode_after = word, (), leave, ""
        if op == "R":
            if flags & 1:
                new &= ~(READER_HEIR | READER_STRICT)
                new, duties = self.reader_in_or_gone(word, new)
        elif op == "^" and mode == "U":
            to, mode_after = keep, "U"
        elif mode in ("claimed", "upgrading"):
            if word < ONE:
                self.entered(word & ~DRAIN, threads, i, "W", (), out, mode == "upgrading")
                return
            if mode == "claimed":
                new, duties = self.vacate(word & ~WRITER)
            else:
                new, duties = self.admit(word & ~(WRITER | DRAIN) | UPGRADABLE)
                to, mode_after = keep, "U"
        else:
            if flags & 1:
                new &= ~(SOLO_HEIR | SOLO_STRICT | HEIR_ASLEEP)
            if not new & SLOT and self.mutant != "solo gives up in silence":
                new, duties = self.vacate(new)
        if op == "^" and mode_after == "U":
            # Whatever comes next in the program is for a writer; unlock as what we are.
            to = len(self.programs[i]) - 1
        new_thread = (to, "op", -1, 0, duties, mode_after, left, 0, 0)
        out.append((new, threads[:i] + (new_thread,) + threads[i + 1:]))

    def wake(self, state, i, out):
        word, threads = state
        t = threads[i]
        (count, classes), rest = t[4][0], t[4][1:]

        def woken(indices, duties):
            new = list(threads)
            for j in indices:
                s = new[j]
                flags = s[3] | 2 if s[2] == S else s[3]
                new[j] = (s[0], "try", -1, flags) + s[4:]
            new[i] = t[:4] + (duties,) + t[5:]
            out.append((word, tuple(new)))

        sleepers = [j for j, s in enumerate(threads) if s[1] == "asleep" and s[2] in classes]
        if count == "all":
            woken(sleepers, rest)
        elif sleepers:
            for j in sleepers:
                woken([j], rest)
        else:
            woken([], ((("all", (R, HR)),) if count == "else" else ()) + rest)

    def canonical(self, state):
        if not self.groups:
            return state
        word, threads = state
        threads = list(threads)
        for group in self.groups:
            for i, t in zip(group, sorted((threads[i] for i in group), key=repr)):
                threads[i] = t
        return word, tuple(threads)

    def check(self, state, successors):
        word, threads = state
        writers = sum(t[5] == "W" for t in threads)
        upgradables = sum(t[5] == "U" for t in threads)
        readers = sum(t[5] == "R" for t in threads)
        if writers + upgradables > 1 or (writers and readers):
            raise Broken("exclusion")
        if word // ONE != readers:
            raise Broken("count of readers")
        heirs = {R: 0, S: 0}
        for i, t in enumerate(threads):
            if t[3] & 1 and t[1] in ("try", "sleep", "asleep", "giveup") and not t[4]:
                heirs[R if self.programs[i][t[0]] == "R" else S] += 1
        if heirs[R] != bool(word & READER_HEIR) or heirs[S] != bool(word & SOLO_HEIR):
            raise Broken("a mark without its owner")
        if word & READER_STRICT and not word & READER_HEIR:
            raise Broken("strict without an heir")
        if word & (SOLO_STRICT | HEIR_ASLEEP) and not word & SOLO_HEIR:
            raise Broken("strict without an heir")
        live = [t for t in threads if t[1] != "done"]
        if live and all(t[1] == "asleep" and not t[4] for t in live):
            raise Broken("lost wake-up: all are asleep")
        if not live and word & ~(READERS_ASLEEP | SOLOS_ASLEEP):
            raise Broken("something is left held")
        if live and not successors:
            raise Broken("stuck")

    def run(self):
        start = self.canonical(self.start())
        seen, todo = {start}, [start]
        while todo:
            state = todo.pop()
            successors = self.steps(state)
            self.check(state, successors)
            for new in successors:
                new = self.canonical(new)
                if new not in seen:
                    seen.add(new)
                    todo.append(new)
        return len(seen)


# Threads and rounds. Without an end (0), bypass is what is looked at.
CASES = [
    (["R.", "W.", "W."], 2),
    (["R.", "R.", "W.", "W."], 1),
    (["W.", "W.", "W."], 2),
    (["R.", "r.", "w.", "W."], 1),
    (["R.", "U.", "U^.", "W."], 1),
    (["R.", "u^.", "Wv.", "w."], 1),
    (["R.", "Wx.", "Uy."], 1),
    (["R.", "Wx^.", "w."], 1),
    (["R.", "W!", "w!", "U!"], 1),
    (["r.", "w.", "u^."], 1),
    (["R.", "r.", "u^x^."], 1),
]

# With readers that enter wherever a reader is inside.
RECURSIVE = [
    (["R.", "R.", "W.", "W."], 1),
    (["R.", "r.", "w.", "u^."], 1),
    (["R.", "Wx^.", "w."], 1),
]

ENDLESS = [
    ["R.", "W.", "W."],
    ["R.", "W.", "U."],
    ["R.", "U^x^.", "W."],
    ["R.", "Wx^.", "W."],
    ["R.", "Wv.", "W!"],
    ["r.", "w.", "W."],
    ["R.", "Uy.", "W."],
]

# With `--long`: minutes.
LONG = [["R.", "R.", "W.", "W."]]

MUTANTS = [
    "last reader wakes nobody",
    "latecomers sleep on",
    "vacate without the other class",
    "woken solo forgets the others",
    "upgradable lets nobody in",
    "strict reader hands nothing on",
    "strict reader forgets upgrader",
    "solo gives up in silence",
    "claim past a strict reader",
    "claim past a strict solo",
    "upgrade past a strict reader",
]


def explore(programs, rounds, mutant="", recursive=False):
    model = Model(programs, rounds, mutant, recursive)
    return model.run(), model.worst


def main():
    began = time.process_time()
    for programs, rounds in CASES:
        states, _ = explore(programs, rounds)
        print(f"{' '.join(programs)} x{rounds}: {states} states", flush=True)
    for programs, rounds in RECURSIVE:
        states, _ = explore(programs, rounds, recursive=True)
        print(f"{' '.join(programs)} x{rounds}, recursive: {states} states", flush=True)
    for programs in ENDLESS + (LONG if "--long" in sys.argv else []):
        states, worst = explore(programs, 0)
        print(f"{' '.join(programs)} for ever: {states} states, most passed: {worst}", flush=True)
    survivors = []
    for mutant in MUTANTS:
        endless = [(programs, 0) for programs in ENDLESS]
        for programs, rounds in endless if " past " in mutant else CASES:
            try:
                explore(programs, rounds, mutant)
            except Broken as how:
                print(f"mutant: {mutant}: {' '.join(programs)}: {how}", flush=True)
                break
        else:
            survivors.append(mutant)
    print(f"bound {BOUND}; {time.process_time() - began:.0f} s")
    if survivors:
        sys.exit(f"mutants survive: {survivors}")


if __name__ == "__main__":
    main()
