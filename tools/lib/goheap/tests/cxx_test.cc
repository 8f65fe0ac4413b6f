// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * cxx_test: goheap.hpp, from the outside.
 *
 * A heap that is opened twice has two windows, so one process sees what two would see that
 * have mapped it at different addresses.
 */
#if defined(__GNUC__) && !defined(__clang__)
/* Of moved strings: gcc 12 cannot follow an offset_ptr well enough to see that it is not. */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <algorithm>
#include <csignal>
#include <cstring>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory_resource>
#include <numeric>
#include <scoped_allocator>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <goheap.hpp>

#include "cxx.hpp"
#include "tap.h"

int tap_results, tap_failures;

namespace gh = libgoheap;

/* ---- what must hold of the types ---------------------------------------- */

struct base {
	int a;
};

struct other_base {
	int b;
};

struct derived : base, other_base {
	int c;
};

using int_ptr = gh::offset_ptr<int>;
using const_int_ptr = gh::offset_ptr<const int>;
using void_ptr = gh::offset_ptr<void>;

static_assert(sizeof(int_ptr) == sizeof(int *) && std::is_standard_layout_v<int_ptr>);
static_assert(!std::is_trivially_copyable_v<int_ptr>, "memcpy() must not copy it");
static_assert(std::is_nothrow_copy_constructible_v<int_ptr> &&
	      std::is_nothrow_copy_assignable_v<int_ptr>);
static_assert(std::is_convertible_v<int_ptr, const_int_ptr> &&
	      std::is_convertible_v<int_ptr, void_ptr> &&
	      std::is_convertible_v<std::nullptr_t, int_ptr> &&
	      std::is_convertible_v<gh::offset_ptr<derived>, gh::offset_ptr<other_base>>);
static_assert(!std::is_convertible_v<const_int_ptr, int_ptr> &&
	      !std::is_constructible_v<int_ptr, const_int_ptr>, "const stays");
static_assert(!std::is_convertible_v<void_ptr, int_ptr> &&
	      std::is_constructible_v<int_ptr, void_ptr> &&
	      !std::is_convertible_v<gh::offset_ptr<base>, gh::offset_ptr<derived>> &&
	      std::is_constructible_v<gh::offset_ptr<derived>, gh::offset_ptr<base>>);
static_assert(!std::is_constructible_v<int_ptr, gh::offset_ptr<long>>);
static_assert(!std::is_convertible_v<int_ptr, bool> && std::is_constructible_v<bool, int_ptr>);
static_assert(!std::is_convertible_v<int_ptr, int *>, "only characters' are");

using traits = std::pointer_traits<int_ptr>;
static_assert(std::is_same_v<traits::element_type, int> &&
	      std::is_same_v<traits::difference_type, std::ptrdiff_t> &&
	      std::is_same_v<traits::rebind<char>, gh::offset_ptr<char>>);
static_assert(std::is_base_of_v<std::random_access_iterator_tag,
				std::iterator_traits<int_ptr>::iterator_category>);
#ifdef __cpp_lib_ranges
static_assert(std::contiguous_iterator<int_ptr> && std::contiguous_iterator<const_int_ptr>);
#endif

using alloc = std::allocator_traits<gh::allocator<int>>;
static_assert(std::is_same_v<alloc::pointer, int_ptr> &&
	      std::is_same_v<alloc::const_pointer, const_int_ptr> &&
	      std::is_same_v<alloc::void_pointer, void_ptr> &&
	      std::is_same_v<alloc::rebind_alloc<char>, gh::allocator<char>>);
static_assert(!alloc::is_always_equal::value &&
	      !alloc::propagate_on_container_swap::value &&
	      std::is_nothrow_copy_constructible_v<gh::allocator<int>>);
static_assert(std::is_same_v<std::allocator_traits<gh::fixed_allocator<int>>::pointer, int *>);
static_assert(std::is_same_v<gh::allocator<int, gh::lifetime::session>::rebind<char>::other,
			     gh::allocator<char, gh::lifetime::session>>);

static_assert(!std::is_copy_constructible_v<gh::heap> &&
	      std::is_nothrow_move_constructible_v<gh::heap> &&
	      std::is_nothrow_move_assignable_v<gh::heap>);

/* ---- types of the tests ------------------------------------------------- */

using string = std::basic_string<char, std::char_traits<char>, gh::allocator<char>>;
template <class T> using vector = std::vector<T, gh::allocator<T>>;
template <class T> using deque = std::deque<T, gh::allocator<T>>;

template <class K, class V>
using fixed_map = std::map<K, V, std::less<>, gh::fixed_allocator<std::pair<const K, V>>>;
template <class K, class V>
using fixed_hash = std::unordered_map<K, V, std::hash<K>, std::equal_to<>,
				      gh::fixed_allocator<std::pair<const K, V>>>;

const char long_text[] = "a text that is longer than what a string has room for in itself";

/* What a process finds of an object that another one has at @p. */
template <class T> static T *seen_by(const gh::heap &to, const gh::heap &from, T *p)
{
	return static_cast<T *>(goheap_pointer(to.get(), goheap_offset(from.get(), p)));
}

/* How many objects are given. */
static std::uint64_t given(const gh::heap &h)
{
	/* What waits to be freed is freed. */
	goheap_trim(h.get());
	return h.usage().given;
}

/* ---- heaps and pointers ------------------------------------------------- */

static void test_heaps()
{
	gh::heap h = gh::heap::open_private(), other = gh::heap::open_private();
	struct goheap *inner = h.get();
	void *p = goheap_malloc(inner, 100);

	check(goheap_deref(inner, goheap_ref(inner, p)) == p, "the header of C is good C++");
	goheap_free(inner, p);
	other = std::move(h);
	check(!h && other.get() == inner, "a heap moves");
	check(throws<std::system_error>([] { gh::heap::open("/none"); }, ENOENT) &&
	      throws<std::system_error>([] { gh::heap::open_fd(-1); }, EBADF) &&
	      throws<std::system_error>([&] { other.session(); }, EOPNOTSUPP),
	      "errors are exceptions");
}

struct ring {
	gh::offset_ptr<ring> next;
	int value;
};

static void test_pointers()
{
	alignas(ring) unsigned char zeroes[sizeof(ring)] = {};
	ring one = { &one, 1 }, two = { &one, 2 };
	derived d = {};
	gh::offset_ptr<derived> pd = &d;
	gh::offset_ptr<other_base> pb = pd;
	gh::offset_ptr<const void> pv = pd;
	void_ptr whole = pd;

	check(reinterpret_cast<ring *>(zeroes)->next == nullptr && !int_ptr() &&
	      int_ptr(nullptr) == nullptr, "zeroes are null");
	check(one.next && one.next.get() == &one && one.next->next == &one,
	      "the first member of an object may point to it");
	two.next = one.next;
	check(two.next == &one && &one == two.next && two.next != &two, "copies point to the same");
	one.next = two.next = nullptr;
	check(!one.next && !two.next, "also to nothing");
	check(pb.get() == &d && pb.get() != static_cast<void *>(&d) && pv == &d &&
	      static_cast<gh::offset_ptr<derived>>(pb) == pd &&
	      static_cast<gh::offset_ptr<derived>>(whole) == pd,
	      "conversions go to the right base, and back");
}

static void test_arithmetic()
{
	int numbers[] = { 3, 1, 2, 5, 4 };
	int_ptr from = numbers, to = from + 5, at = from;
	const_int_ptr c = from;

	check(to - from == 5 && *(from + 2) == 2 && *(1 + from) == 1 && from[3] == 5 &&
	      *(to - 1) == 4, "there is arithmetic");
	check(*at++ == 3 && *at == 1 && *++at == 2 && *at-- == 2 && *--at == 3 && at == from,
	      "steps go both ways");
	check(from < to && c < to && to > c && from <= c && c >= from && c == from && c != to,
	      "all comparisons are there, with const as well");
	std::sort(from, to);
	check(std::is_sorted(numbers, numbers + 5) && std::accumulate(c, c + 5, 0) == 15,
	      "algorithms take it");
	check(int_ptr::pointer_to(numbers[2]) == numbers + 2 &&
	      reinterpret_cast<const unsigned char *>(&*from) ==
	      reinterpret_cast<unsigned char *>(numbers), "it becomes a plain one and back");
}

/* ---- allocators --------------------------------------------------------- */

static void test_allocators(const gh::heap &h)
{
	gh::heap secret = gh::heap::open_private(), mine = gh::heap::open_fd(h.fd());
	gh::allocator<int> a(h), copy(a), elsewhere(mine), none;
	gh::allocator<char> chars(a);
	std::uint64_t before = given(h);
	vector<int> *v = gh::construct<vector<int>>(h);

	check(a == copy && a == chars && a != elsewhere && a != none && a.heap() == h.get() &&
	      chars.heap() == h.get() && !none.heap(), "equal is who has the same heap");
	check(v->get_allocator() == a && v->get_allocator().heap() == h.get(),
	      "in a heap, it is that heap's");
	v->assign(1000, 7);
	check(given(h) == before + 2, "memory is given");
	gh::destroy(v);
	check(given(h) == before, "and freed");

	check(throws<std::system_error>([&] { (void)none.allocate(1); }, ENXIO) &&
	      throws<std::system_error>([&] {
		      (void)gh::allocator<int>(secret).allocate(1);
	      }, EOPNOTSUPP) &&
	      throws<std::system_error>([] { gh::allocator<int>{nullptr}; }, EINVAL),
	      "a heap that cannot serve says so");
	{
		gh::allocator<int, gh::lifetime::session> own(secret);
		std::vector<int, gh::allocator<int, gh::lifetime::session>> w(1000, 3, own);

		check(goheap_of(&w[999]) == secret.get() && w[999] == 3,
		      "private heaps have memory of the session");
	}
}

template <class T> static bool is_aligned(const gh::heap &h)
{
	std::uint64_t before = given(h);
	vector<T> v(3, T(), h);

	return !(reinterpret_cast<std::uintptr_t>(&v[0]) % alignof(T)) &&
	       goheap_of(&v[2]) == h.get() && given(h) == before + 1;
}

struct alignas(64) line {
	char c;
};

struct alignas(65536) block {
	char c;
};

static void test_alignment(const gh::heap &h)
{
	std::uint64_t before = given(h);

	check(is_aligned<line>(h) && is_aligned<block>(h), "alignment is kept, by what is given");
	check(given(h) == before, "and freed");
}

static void test_quota(const gh::heap &h)
{
	vector<string> *v = gh::construct<vector<string>>(h);
	std::uint64_t before;

	v->emplace_back(long_text);
	before = given(h);
	h.set_quota(h.usage().session_bytes + (1 << 20));
	check(throws<std::bad_alloc>([&] { v->reserve(1 << 20); }) &&
	      throws<std::bad_alloc>([&] { v->resize(SIZE_MAX / 64 / sizeof(string)); }) &&
	      throws<std::bad_array_new_length>([&] {
		      (void)v->get_allocator().allocate(SIZE_MAX / 8);
	      }), "a quota is a bad_alloc");
	h.set_quota(0);
	check(v->size() == 1 && v->front() == long_text && given(h) == before,
	      "and the container as it was");
	gh::destroy(v);
}

/* ---- containers that are seen at two addresses --------------------------- */

struct shared {
	vector<int> numbers;
	vector<string> texts;
	deque<string> queue;
	string text;
};

static void fill(shared &s, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		s.numbers.push_back(i);
		s.texts.emplace_back(long_text).append(std::to_string(i).c_str());
		s.queue.emplace_front(s.texts.back());
		s.text += "+";
	}
}

static bool is_full(const shared &s, int n, int times)
{
	bool good = s.numbers.size() == std::size_t(n * times) && s.text.size() == s.numbers.size() &&
		    s.texts.size() == s.numbers.size() && s.queue.size() == s.numbers.size();
	int i;

	for (i = 0; good && i < n * times; i++) {
		good = s.numbers[i] == i % n && s.text[i] == '+' &&
		       s.texts[i] == (std::string(long_text) + std::to_string(i % n)).c_str() &&
		       s.queue[n * times - 1 - i] == s.texts[i];
	}
	return good;
}

static void test_two_windows(const gh::heap &h)
{
	gh::heap mine = gh::heap::open_fd(h.fd());
	std::uint64_t before = given(h);
	shared *here = gh::construct<shared>(h), *there = seen_by(mine, h, here);

	fill(*here, 200);
	check(there != here && is_full(*there, 200, 1), "containers are read elsewhere");
	fill(*there, 200);
	check(there->texts.get_allocator().heap() == mine.get() && is_full(*here, 200, 2),
	      "and changed, by another session");
	there->queue.clear();
	there->texts.erase(there->texts.begin() + 1, there->texts.end());
	there->texts.shrink_to_fit();
	check(here->queue.empty() && here->texts.size() == 1, "each frees what the other has made");
	gh::destroy(there);
	goheap_trim(mine.get());
	check(given(h) == before, "all of it");
}

/* A container of containers that goes to another heap must take them along. */
using scoped = std::vector<string, std::scoped_allocator_adaptor<gh::allocator<string>>>;

static void test_copies(const gh::heap &h)
{
	std::uint64_t before = given(h);
	{
		gh::heap other = gh::heap::open();
		scoped *s = gh::construct<scoped>(h, gh::allocator<string>(h));
		scoped away(other), copy(*s);

		s->assign(3, string(long_text, h));
		copy = *s;
		check(copy == *s && copy.get_allocator().heap() == h.get() &&
		      goheap_of(copy.data()) == h.get(), "containers go from the heap to the stack");
		away = copy;
		check(goheap_of(away.data()) == other.get() && away.size() == 3 &&
		      goheap_of(away[2].data()) == other.get(), "or to another heap");
		away.emplace_back("another text that is long enough to need memory of its own");
		*s = std::move(away);
		check(goheap_of(s->data()) == h.get() && goheap_of(s->back().data()) == h.get() &&
		      s->front() == long_text && s->size() == 4, "and from there");
		copy = std::move(*s);
		check(copy.size() == 4 && goheap_of(copy[3].data()) == h.get(), "they move");
		gh::destroy(s);
	}
	check(given(h) == before, "and nothing stays");
	check(throws<std::system_error>([] { string(long_text, gh::allocator<char>()); }, ENXIO),
	      "a string of no heap has no memory");
}

/* ---- other processes ---------------------------------------------------- */

static void test_child(const gh::heap &h)
{
	std::uint64_t before = given(h);
	shared *s = gh::construct<shared>(h);
	bool good;

	/* It inherits the heap, and opens it again: one address is the parent's. */
	good = in_child([&] {
		gh::heap mine = gh::heap::open_fd(h.fd());

		fill(*seen_by(mine, h, s), 100);
		fill(*s, 100);
		return is_full(*seen_by(mine, h, s), 100, 2);
	});
	check(good && is_full(*s, 100, 2), "what a child inserts outlives it");
	gh::destroy(s);
	check(given(h) == before, "and the parent frees it");
}

/* Kills its process when it is copied, if it is told to. */
struct fatal {
	static bool armed;
	long value[4] = {};

	fatal() = default;
	fatal(const fatal &) : fatal()
	{
		if (armed)
			raise(SIGKILL);
	}
};

bool fatal::armed;

static void test_kill(const gh::heap &h)
{
	vector<fatal> *v = gh::construct<vector<fatal>>(h);
	std::uint64_t before;
	fatal f;
	int status;

	v->resize(100);
	v->shrink_to_fit();
	before = given(h);
	status = status_of_child([&] {
		fatal::armed = true;
		v->push_back(f);
		return true;
	});
	check(WIFSIGNALED(status) && v->size() == 100 && v->capacity() == 100,
	      "a kill before the new array counts leaves the old one");
	check(given(h) == before + 1, "and costs the new one");
	v->push_back(f);
	check(v->size() == 101, "others go on");
	gh::destroy(v);
}

/* Of the few addresses that a heap may be told, it may get one where another heap is. */
static gh::heap open_fixed()
{
	for (;;) {
		try {
			return gh::heap::open(nullptr, GOHEAP_FIXED);
		} catch (const std::system_error &e) {
			if (e.code().value() != EADDRINUSE)
				throw;
		}
	}
}

static void test_fixed()
{
	gh::heap h = open_fixed();
	using text = std::basic_string<char, std::char_traits<char>, gh::fixed_allocator<char>>;
	std::uint64_t before = given(h);
	auto *map = gh::construct<fixed_map<text, int>>(h);
	auto *hash = gh::construct<fixed_hash<int, text>>(h, gh::fixed_allocator<int>(h));
	auto *list = gh::construct<std::list<int, gh::fixed_allocator<int>>>(h);
	auto *bits = gh::construct<std::vector<bool, gh::fixed_allocator<bool>>>(h);
	bool good;

	good = in_child([&] {
		int i;

		for (i = 0; i < 1000; i++) {
			map->emplace(text(std::to_string(i).c_str(), h) + long_text, i);
			(*hash)[i] = long_text;
			list->push_front(i);
			bits->push_back(i % 3);
		}
		return true;
	});
	check(good && map->size() == 1000 && map->begin()->second == 0 && hash->size() == 1000 &&
	      hash->at(999) == long_text && list->back() == 0 && list->front() == 999 &&
	      !(*bits)[999] && (*bits)[998], "with plain pointers, at the same address");
	check(in_child([&] {
		gh::heap apart = gh::heap::open_fd(h.fd());

		return throws<std::system_error>([&] {
			gh::fixed_allocator<int>{apart};
		}, EADDRNOTAVAIL) && throws<std::system_error>([&] {
			gh::fixed_allocator<int>{h};
		}, EADDRNOTAVAIL);
	}), "not if anybody has it at another one");
	check(gh::fixed_allocator<int>(h).heap() == h.get(), "who is gone by now");
	gh::destroy(map);
	gh::destroy(hash);
	gh::destroy(list);
	gh::destroy(bits);
	check(given(h) == before, "they are freed");
}

/* ---- the rest ----------------------------------------------------------- */

static void test_resource(const gh::heap &shared_heap)
{
	gh::heap h = gh::heap::open_private();
	gh::memory_resource r(h), same(h), other(shared_heap);
	void *p = r.allocate(100, 4096);

	check(r.is_equal(same) && !r.is_equal(other) &&
	      !r.is_equal(*std::pmr::new_delete_resource()), "a resource is its heap");
	check(!(reinterpret_cast<std::uintptr_t>(p) % 4096) && goheap_of(p) == h.get(),
	      "it aligns");
	r.deallocate(p, 100, 4096);
	for (gh::memory_resource *resource : { &r, &other }) {
		std::pmr::unordered_map<int, std::pmr::string> m(resource);
		int i;

		for (i = 0; i < 1000; i++)
			m[i] = long_text;
		check(m.size() == 1000 && goheap_of(m[500].data()) == resource->heap() &&
		      goheap_of(&m[500]) == resource->heap(), "pmr containers are in the heap");
	}
	shared_heap.set_quota(shared_heap.usage().session_bytes + (1 << 20));
	check(throws<std::bad_alloc>([&] { (void)other.allocate(2 << 20); }),
	      "a quota is a bad_alloc there, too");
	shared_heap.set_quota(0);
}

struct thrower {
	explicit thrower(const char *what)
	{
		throw what;
	}
};

static void test_objects(const gh::heap &h)
{
	std::uint64_t objects = h.usage().objects;
	gh::heap mine = gh::heap::open_fd(h.fd());
	string *s, *found;

	check(throws<const char *>([&] { gh::construct<thrower>(h, "no"); }),
	      "what a constructor throws arrives");
	goheap_trim(h.get());
	check(h.usage().objects <= objects, "and its memory is free");
	check(!gh::find<string>(h, 5), "a root has no object at first");
	s = gh::find_or_construct<string>(h, 5, long_text);
	found = gh::find_or_construct<string>(mine, 5, "another");
	check(gh::find<string>(h, 5) == s && goheap_of(found) == mine.get() &&
	      *found == long_text && found != s, "the first one makes it, others find it");
	check(throws<std::system_error>([&] { gh::find<string>(h, GOHEAP_NR_ROOTS); }, EINVAL),
	      "there is no root beyond the last");
	gh::destroy(s);
	gh::destroy(static_cast<string *>(nullptr));
}

int main()
{
	test_heaps();
	test_pointers();
	test_arithmetic();
	try {
		gh::heap h = gh::heap::open();

		test_allocators(h);
		test_alignment(h);
		test_quota(h);
		test_two_windows(h);
		test_copies(h);
		test_child(h);
		test_kill(h);
		test_fixed();
		test_resource(h);
		test_objects(h);
		test_locks(h);
	} catch (const std::exception &e) {
		printf("# %s\n", e.what());
		check(false, "nothing else is thrown");
	}
	return tap_end();
}
