/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * epoch: why nobody reads an object that was freed, as a model for spin.
 *
 * A reader stores an odd count, loads a ref, reads the object, and stores an even count. A
 * writer replaces the ref, retires the object, and the kernel frees it after a grace period:
 * mm/user/epoch.c. Twice, so that a reader comes back.
 *
 * Stores wait in a buffer of their processor and leave it in order, at any time (x86's memory
 * model). A processor with weaker order also lets the load of the ref overtake the store of the
 * count, which is the same to others. It lets neither overtake the store of the even count,
 * which is a release.
 *
 * synchronize_rcu() waits until each processor has been in a quiescent state, in which it has
 * no stores in its buffer: so it does in the model, and knows nothing of readers.
 *
 * Without each of these, spin must find a way to read what is free:
 *   NO_BARRIER	the kernel looks at the counts without synchronize_rcu()
 *   EARLY_EXIT	the store of the even count overtakes what was read before
 *   NO_LOOK	synchronize_rcu() alone, without a look at the counts
 *   LATE_UNLINK	the object is retired before the ref is replaced
 *   NEW_READS	a reader that has come back counts as one that has left: the count is only
 *		looked at for being odd, and of two looks each sees another section
 * NEW_READS must find none: it waits for too much, but for nothing too little.
 */
#define READERS	2
#define SECTIONS 2
#define OBJECTS	3

byte ref;			/* the object that is found */
bool freed[OBJECTS];
byte count[READERS];

/* The buffer of each reader's processor: counts that are not visible yet. */
chan buffer[READERS] = [2] of { byte };

bool asked[READERS];		/* synchronize_rcu() waits for its quiescent state */

inline store(me, value)
{
	buffer[me]!value
}

inline quiet(me)
{
	atomic { asked[me] && empty(buffer[me]) -> asked[me] = false }
}

proctype drain(byte me)
{
	byte value;
end:
	do
	:: atomic { buffer[me]?value -> count[me] = value }
	od
}

/* A quiescent state comes between any two steps of the reader, or after all. */
proctype reader(byte me)
{
	byte mine = 0, found, section = 0;
	do
	:: quiet(me)
	:: section < SECTIONS ->
		mine++;
		store(me, mine);
		do
		:: quiet(me)
		:: break
		od;
		found = ref;
#ifdef EARLY_EXIT
		mine++;
		store(me, mine);
#endif
		do
		:: quiet(me)
		:: break
		od;
		assert(!freed[found]);
#ifndef EARLY_EXIT
		mine++;
		store(me, mine);
#endif
		section++
	:: section == SECTIONS -> break
	od;
	/* It is in the kernel, or something else runs. */
end:
	do
	:: quiet(me)
	od
}

proctype writer()
{
	byte old = 0, i;
	byte seen[READERS];
	do
	:: old < OBJECTS - 1 ->
#ifndef LATE_UNLINK
		ref = old + 1;
#endif
#ifndef NO_BARRIER
		for (i : 0 .. READERS - 1) { asked[i] = true }
		for (i : 0 .. READERS - 1) { !asked[i] }
#endif
#ifndef NO_LOOK
		for (i : 0 .. READERS - 1) { seen[i] = count[i] }
		for (i : 0 .. READERS - 1) {
#ifdef NEW_READS
			count[i] % 2 == 0
#else
			seen[i] % 2 == 0 || count[i] != seen[i]
#endif
		}
#endif
		freed[old] = true;
#ifdef LATE_UNLINK
		ref = old + 1;
#endif
		old++
	:: else -> break
	od
}

init {
	byte i;
	atomic {
		for (i : 0 .. READERS - 1) {
			run drain(i);
			run reader(i)
		}
		run writer()
	}
}
