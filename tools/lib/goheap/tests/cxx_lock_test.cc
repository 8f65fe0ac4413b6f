// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * cxx_lock_test: goheap_lock.hpp, from the outside: with the standard's guards, between
 * processes that have the heap at different addresses, and when owners die.
 */
#include <chrono>
#include <csignal>

#include <goheap_lock.hpp>

#include "cxx.hpp"
#include "tap.h"

namespace gh = libgoheap;
using namespace std::chrono_literals;

static_assert(sizeof(gh::mutex) == sizeof(struct goheap_mutex) &&
	      sizeof(gh::shared_mutex) == sizeof(struct goheap_rwlock) &&
	      sizeof(gh::condition_variable) == sizeof(struct goheap_cond));
static_assert(!std::is_copy_constructible_v<gh::mutex> && !std::is_copy_assignable_v<gh::mutex> &&
	      std::is_trivially_destructible_v<gh::mutex> &&
	      std::is_standard_layout_v<gh::mutex> && std::is_standard_layout_v<gh::shared_mutex>);
static_assert(!std::is_copy_constructible_v<gh::guard<gh::mutex>>);

namespace {

struct locked {
	gh::mutex mutex;
	gh::shared_mutex shared;
	gh::condition_variable changed;
	int turn = 0;
	long count = 0;
};

} /* namespace */

/* Calls @fn in a child that has the heap at another address, with what it sees there. */
template <class Fn> static int status_elsewhere(const gh::heap &h, locked *l, Fn fn)
{
	return status_of_child([&] {
		gh::heap mine = gh::heap::open_fd(h.fd());

		return fn(*static_cast<locked *>(
			goheap_pointer(mine.get(), goheap_offset(h.get(), l))));
	});
}

template <class Fn> static bool is_killed_in(const gh::heap &h, locked *l, Fn fn)
{
	int status = status_elsewhere(h, l, [&](locked &there) {
		fn(there);
		raise(SIGKILL);
		return false;
	});

	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void test_guards(const gh::heap &h, locked *l)
{
	{
		std::lock_guard<gh::mutex> lock(l->mutex);

		check(!status_elsewhere(h, l, [](locked &there) {
			return !there.mutex.try_lock() && !there.mutex.try_lock_for(1ms) &&
			       throws<std::system_error>([&] { there.mutex.unlock(); }, EPERM);
		}), "a mutex keeps others out");
	}
	check(!status_elsewhere(h, l, [](locked &there) {
		std::unique_lock<gh::mutex> lock(there.mutex, std::try_to_lock);
		bool had = lock.owns_lock();

		lock.unlock();
		return had && lock.try_lock_until(std::chrono::steady_clock::now() + 1h) &&
		       !there.mutex.owner_died();
	}), "until it is unlocked");
	{
		std::shared_lock<gh::shared_mutex> lock(l->shared);

		check(!status_elsewhere(h, l, [](locked &there) {
			std::shared_lock<gh::shared_mutex> other(there.shared);

			return other.owns_lock() && !there.shared.try_lock_for(1ms) &&
			       !there.shared.try_lock_until(std::chrono::steady_clock::now());
		}), "readers share, and keep writers out");
	}
	{
		std::scoped_lock lock(l->mutex, l->shared);

		check(!status_elsewhere(h, l, [](locked &there) {
			return !there.shared.try_lock_shared() &&
			       !there.shared.try_lock_shared_for(1ms) && !there.mutex.try_lock();
		}), "a writer keeps out all");
	}
	check(l->mutex.try_lock() && l->shared.try_lock(), "in the end, all are unlocked");
	l->mutex.unlock();
	l->shared.unlock();
}

static void test_nowhere()
{
	gh::mutex m;

	check(throws<std::system_error>([&] { m.lock(); }, ENXIO) &&
	      throws<std::system_error>([&] { (void)m.acquire(); }, ENXIO),
	      "a lock that is in no heap is refused");
}

static void test_exclusion(const gh::heap &h, locked *l)
{
	int i, bad = 0;
	pid_t pids[3];

	for (pid_t &pid : pids) {
		pid = fork();
		if (pid)
			continue;
		for (i = 0; i < 2000; i++) {
			std::lock_guard<gh::mutex> lock(l->mutex);

			/* Not in one step, so that it goes wrong without the lock. */
			long was = *const_cast<volatile long *>(&l->count);

			if (!(i % 16))
				sched_yield();
			*const_cast<volatile long *>(&l->count) = was + 1;
		}
		_exit(0);
	}
	for (pid_t pid : pids) {
		int status = 1;

		waitpid(pid, &status, 0);
		bad += !!status;
	}
	check(!bad && l->count == 3 * 2000, "one at a time");
	(void)h;
}

static void test_mutex_death(const gh::heap &h, locked *l)
{
	int mended = 0;

	check(is_killed_in(h, l, [](locked &there) { there.mutex.lock(); }),
	      "an owner dies");
	check(throws<gh::owner_died>([&] { std::lock_guard<gh::mutex> lock(l->mutex); }) &&
	      throws<gh::owner_died>([&] { l->mutex.lock(); }, EOWNERDEAD) &&
	      throws<gh::owner_died>([&] { (void)l->mutex.try_lock(); }) &&
	      throws<gh::owner_died>([&] { (void)l->mutex.try_lock_for(1h); }),
	      "guards of the standard cannot get past it");
	check(throws<const char *>([&] {
		gh::guard lock(l->mutex, [] { throw "cannot mend"; });
	}) && l->mutex.acquire() == gh::lock_state::owner_died && l->mutex.owner_died(),
	      "who wants to know has the lock");
	l->mutex.unlock();
	{
		gh::guard lock(l->mutex);

		check(lock.owner_died(), "the next is told, too");
	}
	{
		gh::guard lock(l->mutex, [&] { mended++; });

		check(mended == 1 && !lock.owner_died(), "until it is mended");
	}
	{
		gh::guard lock(l->mutex, [&] { mended++; });
	}
	check(mended == 1 && l->mutex.try_lock() && !l->mutex.owner_died(), "and all is well");
	l->mutex.unlock();
}

static void test_shared_death(const gh::heap &h, locked *l)
{
	check(is_killed_in(h, l, [](locked &there) { there.shared.lock_shared(); }) &&
	      l->shared.try_lock_for(1h), "a reader's death is none of anybody's concern");
	l->shared.unlock();
	check(is_killed_in(h, l, [](locked &there) { there.shared.lock(); }) &&
	      throws<gh::owner_died>([&] { l->shared.lock_shared(); }, EOWNERDEAD) &&
	      throws<gh::owner_died>([&] { (void)l->shared.try_lock_shared(); }) &&
	      throws<gh::owner_died>([&] { l->shared.lock(); }, EOWNERDEAD),
	      "a writer's is everybody's");
	{
		gh::guard lock(l->shared);

		check(lock.owner_died(), "who locks it for writing can mend");
		lock.consistent();
	}
	check(l->shared.try_lock_shared(), "and readers read");
	l->shared.unlock_shared();
}

/* ---- waiting ------------------------------------------------------------ */

/* Adds one whenever it is its turn. */
static bool take_turns(locked &l, int mine, int last)
{
	std::unique_lock<gh::mutex> lock(l.mutex);

	while (l.turn < last) {
		l.changed.wait(lock, [&] { return l.turn % 2 == mine || l.turn >= last; });
		l.turn += l.turn < last;
		l.changed.notify_all();
	}
	return true;
}

static void test_turns(const gh::heap &h, locked *l)
{
	pid_t pid;
	int status;

	l->turn = 0;
	pid = fork();
	if (!pid)
		_exit(!!status_elsewhere(h, l, [](locked &there) {
			return take_turns(there, 1, 200);
		}));
	take_turns(*l, 0, 200);
	waitpid(pid, &status, 0);
	check(!status && l->turn == 200, "two processes take turns");

	std::unique_lock<gh::mutex> lock(l->mutex);

	check(l->changed.wait_for(lock, 1ms) == std::cv_status::timeout && lock.owns_lock() &&
	      !l->changed.wait_for(lock, 1ms, [] { return false; }) &&
	      l->changed.wait_for(lock, 1h, [] { return true; }), "waiting may come to an end");
}

static void test_waiting_death(const gh::heap &h, locked *l)
{
	std::unique_lock<gh::mutex> lock(l->mutex);
	pid_t pid;

	l->turn = 0;
	pid = fork();
	if (!pid) {
		status_elsewhere(h, l, [](locked &there) {
			there.mutex.lock();
			there.turn = 1;
			there.changed.notify_one();
			raise(SIGKILL);
			return false;
		});
		_exit(0);
	}
	check(throws<gh::owner_died>([&] {
		l->changed.wait(lock, [&] { return l->turn == 2; });
	}) && lock.owns_lock() && l->turn == 1, "who waits is told, and has the lock");
	waitpid(pid, nullptr, 0);
	l->mutex.consistent();
	lock.unlock();

	gh::guard again(l->mutex);

	pid = fork();
	if (!pid) {
		status_elsewhere(h, l, [](locked &there) {
			there.mutex.lock();
			there.changed.notify_all();
			raise(SIGKILL);
			return false;
		});
		_exit(0);
	}
	l->changed.wait(again, [&] { return again.owner_died(); });
	waitpid(pid, nullptr, 0);
	check(again.owner_died(), "or has it in the guard");
	again.consistent();
}

void test_locks(const gh::heap &h)
{
	locked *l = gh::construct<locked>(h);

	test_nowhere();
	test_guards(h, l);
	test_exclusion(h, l);
	test_mutex_death(h, l);
	test_shared_death(h, l);
	test_turns(h, l);
	test_waiting_death(h, l);
	gh::destroy(l);
}
