/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * goheap_lock.hpp: the locks of goheap_lock.h for C++17. They are in objects of a heap, so they
 * find it by their own address, and each process its own struct goheap.
 *
 * They meet the requirements of the standard's guards: mutex is TimedLockable, shared_mutex
 * SharedLockable as well.
 *
 * The owner of a lock may die, and what it protects is half changed then. Guards of the
 * standard have no place for that word: they drop what lock() returns. So all that they call
 * throws owner_died, and leaves the lock unlocked; nobody gets further by accident, until
 * somebody mends. acquire() is for who does: it never throws for that, it returns it, and the
 * caller has the lock:
 *
 *   libgoheap::guard g(m, [&] { mend(); });	// called if the owner died
 *
 *   if (m.acquire() == libgoheap::lock_state::owner_died) {
 *           mend();
 *           m.consistent();
 *   }
 */
#ifndef GOHEAP_LOCK_HPP
#define GOHEAP_LOCK_HPP

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>

#include "goheap.hpp"
#include "goheap_lock.h"

namespace libgoheap {

/* Until consistent() is called, each who gets the lock is told that an owner has died. */
enum class [[nodiscard]] lock_state { usual, owner_died };

class owner_died : public std::system_error {
public:
	owner_died()
		: std::system_error(EOWNERDEAD, std::generic_category(), "goheap: owner died") {}
};

namespace detail {

/* The heap of a lock. */
inline struct goheap *heap_of_lock(const void *lock)
{
	struct goheap *h = goheap_of(lock);

	if (!h)
		fail("goheap: the lock is in no open heap", ENXIO);
	return h;
}

/* Not less than asked for; what is too long for an int is 24 days. */
template <class Rep, class Period>
int to_timeout(const std::chrono::duration<Rep, Period> &d)
{
	using ms = std::chrono::milliseconds;

	if (d <= d.zero())
		return 0;
	if (d >= ms(INT_MAX))
		return INT_MAX;
	return static_cast<int>(std::chrono::ceil<ms>(d).count());
}

/* Calls with timeouts until it returns true, or the time has come. */
template <class Clock, class Duration, class Try>
bool try_until(const std::chrono::time_point<Clock, Duration> &deadline, Try attempt)
{
	for (;;) {
		auto left = deadline - Clock::now();

		if (attempt(to_timeout(left)))
			return true;
		if (left <= left.zero())
			return false;
	}
}

struct mutex_calls {
	using type = struct goheap_mutex;

	static int lock(struct goheap *h, type *m, int timeout)
	{
		return goheap_mutex_lock(h, m, timeout);
	}

	static int unlock(struct goheap *h, type *m)
	{
		return goheap_mutex_unlock(h, m);
	}

	static int consistent(struct goheap *h, type *m)
	{
		return goheap_mutex_consistent(h, m);
	}

	static bool has_died(const type *m)
	{
		return __atomic_load_n(&m->died, __ATOMIC_RELAXED);
	}
};

struct rwlock_calls {
	using type = struct goheap_rwlock;

	static int lock(struct goheap *h, type *l, int timeout)
	{
		return goheap_rwlock_write(h, l, timeout);
	}

	static int unlock(struct goheap *h, type *l)
	{
		return goheap_rwlock_unlock(h, l);
	}

	static int consistent(struct goheap *h, type *l)
	{
		return goheap_rwlock_consistent(h, l);
	}

	static bool has_died(const type *l)
	{
		return __atomic_load_n(&l->writer.died, __ATOMIC_RELAXED);
	}
};

/* What a mutex and the writers of a shared one have in common. */
template <class Calls> class exclusive {
public:
	constexpr exclusive() noexcept = default;
	exclusive(const exclusive &) = delete;
	exclusive &operator=(const exclusive &) = delete;

	void lock()
	{
		take_or_throw(-1);
	}

	bool try_lock()
	{
		return take_or_throw(0);
	}

	template <class Rep, class Period>
	bool try_lock_for(const std::chrono::duration<Rep, Period> &d)
	{
		return take_or_throw(to_timeout(d));
	}

	template <class Clock, class Duration>
	bool try_lock_until(const std::chrono::time_point<Clock, Duration> &deadline)
	{
		return try_until(deadline, [&](int timeout) { return take_or_throw(timeout); });
	}

	/* Fails if this process does not have the lock. */
	void unlock()
	{
		if (Calls::unlock(heap_of_lock(this), &lock_))
			fail("goheap: unlock");
	}

	lock_state acquire()
	{
		return take(-1) == 1 ? lock_state::owner_died : lock_state::usual;
	}

	/* Whoever has the lock says that what it protects is whole again. */
	void consistent()
	{
		if (Calls::consistent(heap_of_lock(this), &lock_))
			fail("goheap: consistent");
	}

	/* The same as acquire() has returned, for who has the lock. */
	bool owner_died() const noexcept
	{
		return Calls::has_died(&lock_);
	}

	typename Calls::type *native_handle() noexcept
	{
		return &lock_;
	}

protected:
	/* 0 or 1: it has the lock, as in C; -1: it has not, in time. */
	int take(int timeout)
	{
		int got = Calls::lock(heap_of_lock(this), &lock_, timeout);

		if (got < 0 && errno != EAGAIN && errno != ETIMEDOUT)
			fail("goheap: lock");
		return got;
	}

	bool take_or_throw(int timeout)
	{
		int got = take(timeout);

		if (got != 1)
			return !got;
		unlock();
		throw libgoheap::owner_died();
	}

	typename Calls::type lock_ = {};
};

} /* namespace detail */

/* 8 bytes; memory of zeroes is one that is unlocked. */
class mutex : public detail::exclusive<detail::mutex_calls> {};

/* Readers hear of a writer's death only by owner_died: to mend, they must lock for writing. */
class shared_mutex : public detail::exclusive<detail::rwlock_calls> {
public:
	void lock_shared()
	{
		read(-1);
	}

	bool try_lock_shared()
	{
		return read(0);
	}

	template <class Rep, class Period>
	bool try_lock_shared_for(const std::chrono::duration<Rep, Period> &d)
	{
		return read(detail::to_timeout(d));
	}

	template <class Clock, class Duration>
	bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration> &deadline)
	{
		return detail::try_until(deadline, [&](int timeout) { return read(timeout); });
	}

	void unlock_shared()
	{
		unlock();
	}

private:
	bool read(int timeout)
	{
		if (!goheap_rwlock_read(detail::heap_of_lock(this), &lock_, timeout))
			return true;
		if (errno == EOWNERDEAD && owner_died())
			throw libgoheap::owner_died();
		if (errno != EAGAIN && errno != ETIMEDOUT)
			detail::fail("goheap: lock");
		return false;
	}
};

/*
 * Has a lock while it lives, also if the last owner died. What the owner left can be mended by
 * a function, after which it counts as whole; if that throws, or there is none, the next who
 * gets the lock is told again.
 */
template <class Lock> class guard {
public:
	explicit guard(Lock &l) : lock_(&l), state_(l.acquire()) {}

	template <class Mend> guard(Lock &l, Mend &&mend) : guard(l)
	{
		if (owner_died()) {
			std::forward<Mend>(mend)();
			consistent();
		}
	}

	guard(const guard &) = delete;
	guard &operator=(const guard &) = delete;

	/* Fails, and so ends the program, if it has not the lock: somebody else unlocked it. */
	~guard()
	{
		if (lock_)
			lock_->unlock();
	}

	bool owner_died() const noexcept
	{
		return state_ == lock_state::owner_died;
	}

	void consistent()
	{
		lock_->consistent();
		state_ = lock_state::usual;
	}

private:
	friend class condition_variable;

	Lock *lock_;
	lock_state state_;
};

/*
 * 8 bytes; memory of zeroes is one that nobody waits for. If an owner dies while this waits,
 * unique_lock has the lock again when owner_died is thrown; guards only note it.
 */
class condition_variable {
public:
	constexpr condition_variable() noexcept = default;
	condition_variable(const condition_variable &) = delete;
	condition_variable &operator=(const condition_variable &) = delete;

	void notify_one()
	{
		goheap_cond_signal(detail::heap_of_lock(this), &cond_);
	}

	void notify_all()
	{
		goheap_cond_broadcast(detail::heap_of_lock(this), &cond_);
	}

	void wait(std::unique_lock<mutex> &lock)
	{
		wait_or_throw(lock, -1);
	}

	template <class Predicate> void wait(std::unique_lock<mutex> &lock, Predicate is_true)
	{
		while (!is_true())
			wait(lock);
	}

	template <class Rep, class Period>
	std::cv_status wait_for(std::unique_lock<mutex> &lock,
				const std::chrono::duration<Rep, Period> &d)
	{
		return wait_or_throw(lock, detail::to_timeout(d)) ? std::cv_status::no_timeout :
								    std::cv_status::timeout;
	}

	template <class Rep, class Period, class Predicate>
	bool wait_for(std::unique_lock<mutex> &lock,
		      const std::chrono::duration<Rep, Period> &d, Predicate is_true)
	{
		return wait_until(lock, std::chrono::steady_clock::now() + d,
				  std::move(is_true));
	}

	template <class Clock, class Duration, class Predicate>
	bool wait_until(std::unique_lock<mutex> &lock,
			const std::chrono::time_point<Clock, Duration> &deadline,
			Predicate is_true)
	{
		return detail::try_until(deadline, [&](int timeout) {
			if (is_true())
				return true;
			wait_or_throw(lock, timeout);
			return is_true();
		});
	}

	/* May return though nobody notified; the guard says if an owner died. */
	void wait(guard<mutex> &g)
	{
		if (wait_for(g.lock_, -1) < 0) {
			g.lock_ = nullptr;
			detail::fail("goheap: wait");
		}
		if (g.lock_->owner_died())
			g.state_ = lock_state::owner_died;
	}

	template <class Predicate> void wait(guard<mutex> &g, Predicate is_true)
	{
		while (!is_true())
			wait(g);
	}

private:
	/* 1; 0 if it was too late; -1 with errno: it does not have the mutex. */
	int wait_for(mutex *m, int timeout)
	{
		struct goheap *h = detail::heap_of_lock(this);
		int got = goheap_cond_wait(h, &cond_, m->native_handle(), timeout);

		if (got >= 0)
			return 1;
		return errno == ETIMEDOUT || errno == EAGAIN ? 0 : -1;
	}

	bool wait_or_throw(std::unique_lock<mutex> &lock, int timeout)
	{
		int got = wait_for(lock.mutex(), timeout);

		if (got < 0) {
			lock.release();
			detail::fail("goheap: wait");
		}
		if (lock.mutex()->owner_died())
			throw owner_died();
		return got;
	}

	struct goheap_cond cond_ = {};
};

} /* namespace libgoheap */

#endif /* GOHEAP_LOCK_HPP */
