/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * goheap.hpp: libgoheap for C++17: heaps, pointers and allocators for containers that
 * processes share, and a memory resource. goheap_lock.hpp has locks.
 *
 * The namespace is libgoheap, as C++ does not allow one with the name of struct goheap.
 *
 * A container in shared memory meets each process at another address, as each may map the
 * heap elsewhere. So nothing in it may be a plain address:
 *
 *   its pointers	are offset_ptr, which keep the distance from themselves to the object;
 *   its heap		is found by an address, see anchor, as each process has its own
 *			struct goheap;
 *   its functions	are those of the program, found by the type: so no object that is
 *			shared may have virtual ones.
 *
 * Not all containers do their part. One that keeps plain pointers, though its allocator has
 * others, does not compile with allocator. This was found by tests:
 *
 *			libstdc++ 12			libc++ 14
 *   vector		allocator			allocator
 *   basic_string, deque allocator			fixed_allocator
 *   list, forward_list	fixed_allocator			allocator
 *   map, set		fixed_allocator			allocator
 *   unordered_*	fixed_allocator			allocator
 *   vector<bool>	fixed_allocator			allocator
 *
 * "make containers" in tests/ asks another compiler; libstdc++ 15 is said to take more.
 *
 * gcc 12 may warn about moved strings, that their capacity is not initialized, because it cannot
 * see that the pointer beside it is null then. That is no error.
 *
 * fixed_allocator has plain pointers. It is right if all processes have the heap at the same
 * address, which they ask for by GOHEAP_FIXED. Programs that share a container must be built
 * with the same standard library, and agree about the types.
 *
 * A kill in the middle of an insertion leaves the container half changed, as it has no log. The
 * mutex of goheap_lock.hpp tells the next owner, which must throw the container away, unless it
 * can see that this is whole. The heap itself is always whole. What the dead process had
 * allocated for the insertion is lost until the heap is gone: a node, or the array that a vector
 * or a table grows to. The reason is that memory is given when it is allocated. If it were given
 * later, a container could already lead to it when its process dies, and the kernel frees it.
 *
 * Processes that share a container must trust each other. The heap checks what it is asked to
 * free, but containers follow whatever pointers they find.
 *
 * Errors are exceptions: std::bad_alloc if there is no memory, also at a quota, and else
 * std::system_error.
 */
#ifndef GOHEAP_HPP
#define GOHEAP_HPP

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

#if __has_include(<memory_resource>)
#include <memory_resource>
#endif

#include "goheap.h"

namespace libgoheap {

/*
 * What becomes of memory when its process ends: given memory stays, and any process may free
 * it. Memory of the session is freed; it costs fewer system calls, and is all that private
 * heaps have.
 */
enum class lifetime { given, session };

namespace detail {

[[noreturn]] inline void fail(const char *what, int err = errno)
{
	throw std::system_error(err, std::generic_category(), what);
}

[[noreturn]] inline void fail_to_allocate()
{
	if (errno == ENOMEM)
		throw std::bad_alloc();
	fail("goheap: allocate");
}

/* What goheap_malloc() promises. */
constexpr std::size_t usual_alignment = 16;

inline void *allocate_own(struct goheap *h, std::size_t bytes, std::size_t align)
{
	void *p = align <= usual_alignment ? goheap_malloc(h, bytes) :
					     goheap_memalign(h, align, bytes);

	if (!p)
		fail_to_allocate();
	return p;
}

/* Until it returns, the object is the session's, and a kill frees it. */
inline void give(struct goheap *h, void *p)
{
	if (!goheap_give(h, &p, 1))
		return;
	goheap_free(h, p);
	fail_to_allocate();
}

inline void *allocate_given(struct goheap *h, std::size_t bytes, std::size_t align)
{
	void *p;

	if (align > usual_alignment) {
		p = allocate_own(h, bytes, align);
		give(h, p);
		return p;
	}
	p = goheap_malloc_given(h, bytes);
	if (!p)
		fail_to_allocate();
	return p;
}

template <class T>
constexpr bool is_character = std::is_same_v<T, char> || std::is_same_v<T, wchar_t> ||
#ifdef __cpp_char8_t
	std::is_same_v<T, char8_t> ||
#endif
	std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t>;

} /* namespace detail */

/* ---- heaps -------------------------------------------------------------- */

/*
 * An open heap. It is closed with the object, so that must outlive all use of the heap: also
 * containers that are not in the heap themselves, but have their memory there.
 */
class heap {
public:
	/* As goheap_open(): @path is the device, or a name. */
	static heap open(const char *path = nullptr, unsigned int flags = 0)
	{
		return heap(goheap_open(path, flags), path ? path : "/dev/goheap");
	}

	/* Makes the heap if there is none of that name. */
	static heap create(const char *name, unsigned int flags = 0)
	{
		return open(name, flags | GOHEAP_CREATE);
	}

	static heap open_private()
	{
		return heap(goheap_open(nullptr, GOHEAP_PRIVATE), "private heap");
	}

	static heap open_fd(int fd, unsigned int flags = 0)
	{
		return heap(goheap_open_fd(fd, flags), "goheap_open_fd");
	}

	static heap receive(int sock)
	{
		return heap(goheap_receive(sock), "goheap_receive");
	}

	/* Takes over a heap of goheap_open() and the like. */
	explicit heap(struct goheap *h) noexcept : heap_(h) {}

	heap(heap &&other) noexcept : heap_(other.release()) {}

	heap &operator=(heap &&other) noexcept
	{
		heap(std::move(other)).swap(*this);
		return *this;
	}

	~heap()
	{
		goheap_close(heap_);
	}

	void swap(heap &other) noexcept
	{
		std::swap(heap_, other.heap_);
	}

	struct goheap *get() const noexcept
	{
		return heap_;
	}

	struct goheap *release() noexcept
	{
		return std::exchange(heap_, nullptr);
	}

	explicit operator bool() const noexcept
	{
		return heap_;
	}

	int fd() const noexcept
	{
		return goheap_fd(heap_);
	}

	std::uint32_t session() const
	{
		std::uint32_t number = goheap_session(heap_);

		if (!number)
			detail::fail("goheap_session");
		return number;
	}

	struct goheap_usage usage() const
	{
		struct goheap_usage usage;

		if (goheap_usage(heap_, &usage))
			detail::fail("goheap_usage");
		return usage;
	}

	void set_quota(std::uint64_t bytes) const
	{
		if (goheap_set_quota(heap_, bytes))
			detail::fail("goheap_set_quota");
	}

private:
	heap(struct goheap *h, const char *what) : heap_(h)
	{
		if (!h)
			detail::fail(what);
	}

	struct goheap *heap_;
};

/* ---- pointers ----------------------------------------------------------- */

/*
 * A pointer that is kept as the distance from itself to what it points to. It means the same
 * wherever a process maps the heap, if both are in the heap; and on the stack it is as good as
 * a plain one.
 *
 * Null is the distance 1: an object there would begin inside of the pointer itself. 0 would
 * not do, as the first member of an object may well point to the object, as in a ring. The
 * distance is kept less 1, so memory of zeroes is null.
 *
 * It cannot be copied by memcpy(), nor moved by realloc(): the copy would have the same
 * distance from another place, and point past the object by as much as it was moved. So it has
 * a copy constructor, and what contains it is not trivially copyable either. It is not atomic.
 */
template <class T> class offset_ptr {
	/* What cannot be referred to, void, has no pointer_to(). */
	struct nothing {};
	using pointee = std::conditional_t<std::is_void_v<T>, nothing, T>;

	template <class U>
	using if_implicit = std::enable_if_t<std::is_convertible_v<U *, T *> &&
					     !std::is_same_v<U, T>, int>;

	/* static_cast can, but not without being asked: from void, and to derived classes. */
	template <class U, class = void> struct casts : std::false_type {};
	template <class U>
	struct casts<U, std::void_t<decltype(static_cast<T *>(std::declval<U *>()))>>
		: std::true_type {};
	template <class U>
	using if_explicit = std::enable_if_t<casts<U>::value &&
					     !std::is_convertible_v<U *, T *>, int>;

	template <class U>
	using if_plain = std::enable_if_t<detail::is_character<std::remove_cv_t<T>> &&
					  (std::is_same_v<U, T> || std::is_same_v<U, const T>),
					  int>;

public:
	using element_type = T;
	using value_type = std::remove_cv_t<T>;
	using difference_type = std::ptrdiff_t;
	using pointer = T *;
	using reference = std::add_lvalue_reference_t<T>;
	using iterator_category = std::random_access_iterator_tag;
#ifdef __cpp_lib_ranges
	using iterator_concept = std::contiguous_iterator_tag;
#endif
	template <class U> using rebind = offset_ptr<U>;

	offset_ptr() noexcept = default;
	offset_ptr(std::nullptr_t) noexcept {}
	offset_ptr(T *p) noexcept
	{
		set(p);
	}

	offset_ptr(const offset_ptr &other) noexcept
	{
		set(other.get());
	}

	template <class U, if_implicit<U> = 0>
	offset_ptr(const offset_ptr<U> &other) noexcept
	{
		set(other.get());
	}

	template <class U, if_explicit<U> = 0>
	explicit offset_ptr(const offset_ptr<U> &other) noexcept
	{
		set(static_cast<T *>(other.get()));
	}

	offset_ptr &operator=(const offset_ptr &other) noexcept
	{
		set(other.get());
		return *this;
	}

	static offset_ptr pointer_to(pointee &r) noexcept
	{
		return offset_ptr(std::addressof(r));
	}

	/* Not by pointer arithmetic: that is undefined from one object to another. */
	T *get() const noexcept
	{
		return word_ ? reinterpret_cast<T *>(here() + word_) : nullptr;
	}

	T *operator->() const noexcept
	{
		return get();
	}

	reference operator*() const noexcept
	{
		return *get();
	}

	reference operator[](difference_type i) const noexcept
	{
		return get()[i];
	}

	explicit operator bool() const noexcept
	{
		return word_;
	}

	/* basic_string of libstdc++ passes its pointer to functions that take a plain one. */
	template <class U, if_plain<U> = 0>
	operator U *() const noexcept
	{
		return get();
	}

	offset_ptr &operator+=(difference_type n) noexcept
	{
		set(get() + n);
		return *this;
	}

	offset_ptr &operator-=(difference_type n) noexcept
	{
		return *this += -n;
	}

	offset_ptr &operator++() noexcept
	{
		return *this += 1;
	}

	offset_ptr &operator--() noexcept
	{
		return *this += -1;
	}

	offset_ptr operator++(int) noexcept
	{
		T *was = get();

		*this += 1;
		return was;
	}

	offset_ptr operator--(int) noexcept
	{
		T *was = get();

		*this += -1;
		return was;
	}

	friend offset_ptr operator+(const offset_ptr &p, difference_type n) noexcept
	{
		return p.get() + n;
	}

	friend offset_ptr operator+(difference_type n, const offset_ptr &p) noexcept
	{
		return p.get() + n;
	}

	friend offset_ptr operator-(const offset_ptr &p, difference_type n) noexcept
	{
		return p.get() - n;
	}

private:
	/* The address that null has the distance to. */
	std::uintptr_t here() const noexcept
	{
		return reinterpret_cast<std::uintptr_t>(this) + 1;
	}

	void set(T *p) noexcept
	{
		word_ = p ? reinterpret_cast<std::uintptr_t>(p) - here() : 0;
	}

	std::uintptr_t word_ = 0;
};

/*
 * Templates, so that each argument is taken as it is: neither a conversion to const nor one to
 * a plain pointer competes.
 */
template <class T, class U>
std::ptrdiff_t operator-(const offset_ptr<T> &a, const offset_ptr<U> &b) noexcept
{
	return a.get() - b.get();
}

template <class T, class U>
bool operator==(const offset_ptr<T> &a, const offset_ptr<U> &b) noexcept
{
	return a.get() == b.get();
}

template <class T, class U>
bool operator!=(const offset_ptr<T> &a, const offset_ptr<U> &b) noexcept
{
	return a.get() != b.get();
}

template <class T, class U>
bool operator<(const offset_ptr<T> &a, const offset_ptr<U> &b) noexcept
{
	return a.get() < b.get();
}

template <class T, class U>
bool operator>(const offset_ptr<T> &a, const offset_ptr<U> &b) noexcept
{
	return a.get() > b.get();
}

template <class T, class U>
bool operator<=(const offset_ptr<T> &a, const offset_ptr<U> &b) noexcept
{
	return a.get() <= b.get();
}

template <class T, class U>
bool operator>=(const offset_ptr<T> &a, const offset_ptr<U> &b) noexcept
{
	return a.get() >= b.get();
}

template <class T, class U> bool operator==(const offset_ptr<T> &a, U *b) noexcept
{
	return a.get() == b;
}

template <class T, class U> bool operator==(U *a, const offset_ptr<T> &b) noexcept
{
	return a == b.get();
}

template <class T> bool operator==(const offset_ptr<T> &a, std::nullptr_t) noexcept
{
	return !a.get();
}

template <class T> bool operator==(std::nullptr_t, const offset_ptr<T> &b) noexcept
{
	return !b.get();
}

template <class T, class U> bool operator!=(const offset_ptr<T> &a, U *b) noexcept
{
	return a.get() != b;
}

template <class T, class U> bool operator!=(U *a, const offset_ptr<T> &b) noexcept
{
	return a != b.get();
}

template <class T> bool operator!=(const offset_ptr<T> &a, std::nullptr_t) noexcept
{
	return a.get();
}

template <class T> bool operator!=(std::nullptr_t, const offset_ptr<T> &b) noexcept
{
	return b.get();
}

/* ---- allocators --------------------------------------------------------- */

namespace detail {

/*
 * What an allocator knows of its heap: a pointer to the start of the window, or null for the
 * heap that the anchor itself is in. goheap_of() makes a struct goheap of either, in each
 * process its own. A copy of null may be elsewhere, so it gets the start of the window.
 */
template <class VoidPointer> class anchor {
public:
	anchor() noexcept = default;

	explicit anchor(struct goheap *h)
	{
		if (!h)
			fail("goheap: allocator", EINVAL);
		start_ = VoidPointer(goheap_pointer(h, 0));
	}

	anchor(const anchor &other) noexcept : start_(other.start()) {}

	anchor &operator=(const anchor &other) noexcept
	{
		start_ = VoidPointer(other.start());
		return *this;
	}

	void *start() const noexcept
	{
		struct goheap *h;

		if (start_)
			return std::addressof(*static_cast<char_pointer>(start_));
		h = goheap_of(this);
		return h ? goheap_pointer(h, 0) : nullptr;
	}

	/* NULL if this process does not have the heap open. */
	struct goheap *heap() const noexcept
	{
		return goheap_of(start_ ? start() : this);
	}

private:
	using char_pointer = typename std::pointer_traits<VoidPointer>::template rebind<char>;

	VoidPointer start_ = nullptr;
};

/* Whether T is a node of a container that keeps a plain pointer to the next one. */
template <class T, class = void> struct has_next : std::false_type {};
template <class T>
struct has_next<T, std::void_t<decltype(std::declval<T &>()._M_next)>>
	: std::is_pointer<decltype(T::_M_next)> {};

template <class T, class = void> struct has_nxt : std::false_type {};
template <class T>
struct has_nxt<T, std::void_t<decltype(std::declval<T &>()._M_nxt)>>
	: std::is_pointer<decltype(T::_M_nxt)> {};

template <class T, class = void> struct has_parent : std::false_type {};
template <class T>
struct has_parent<T, std::void_t<decltype(std::declval<T &>()._M_parent)>>
	: std::is_pointer<decltype(T::_M_parent)> {};

template <class T>
constexpr bool is_plain_node = has_next<T>::value || has_nxt<T>::value || has_parent<T>::value;

#ifdef __GLIBCXX__
/* vector<bool> keeps plain pointers, and asks for words, as any other vector may. */
template <class T> constexpr bool is_plain_bit = std::is_same_v<T, bool>;
#else
template <class T> constexpr bool is_plain_bit = false;
#endif

} /* namespace detail */

/*
 * The allocators below are this one. Containers on the stack may use it as well as those in
 * the heap; they need be told which heap. In the heap they need not:
 *
 *   using string = std::basic_string<char, std::char_traits<char>, allocator<char>>;
 *   auto *v = construct<std::vector<string, allocator<string>>>(heap);
 *   v->emplace_back("longer than what a string has room for itself");
 *
 * A string that is made by itself on the stack, without a heap, fails to allocate.
 *
 * Allocators are equal if they have the same heap. An assignment leaves a container its own;
 * but the strings in a vector take that of what they are copied from. Where containers of
 * containers go from heap to heap, std::scoped_allocator_adaptor takes them all along.
 */
template <class T, class Pointer, lifetime Life> class basic_allocator {
	template <class U>
	using pointer_of = typename std::pointer_traits<Pointer>::template rebind<U>;

	static constexpr bool is_fixed = std::is_pointer_v<Pointer>;

	static_assert(is_fixed || !detail::is_plain_bit<T>,
		      "std::vector<bool> has plain pointers: use fixed_allocator");

public:
	using value_type = T;
	using pointer = Pointer;
	using size_type = std::size_t;
	using difference_type = std::ptrdiff_t;
	using is_always_equal = std::false_type;
	template <class U> struct rebind {
		using other = basic_allocator<U, pointer_of<U>, Life>;
	};

	/* That of the heap that it is in. */
	basic_allocator() noexcept = default;

	basic_allocator(struct goheap *h) : anchor_(h)
	{
		if constexpr (is_fixed)
			check_address(h);
	}

	basic_allocator(const class heap &h) : basic_allocator(h.get()) {}

	template <class U>
	basic_allocator(const basic_allocator<U, pointer_of<U>, Life> &other) noexcept
		: anchor_(other.anchor_) {}

	/* This process's, or NULL. */
	struct goheap *heap() const noexcept
	{
		return anchor_.heap();
	}

	[[nodiscard]] Pointer allocate(size_type n)
	{
		struct goheap *h = heap();

		static_assert(is_fixed || !std::is_pointer_v<T>,
			      "plain pointers cannot be shared: use offset_ptr, or fixed_allocator");
		static_assert(is_fixed || !detail::is_plain_node<T>,
			      "this container has plain pointers: use fixed_allocator");
		if (n > std::size_t(PTRDIFF_MAX) / sizeof(T))
			throw std::bad_array_new_length();
		if (!h)
			detail::fail("goheap: the allocator is of no open heap", ENXIO);
		if constexpr (Life == lifetime::given)
			return static_cast<T *>(detail::allocate_given(h, n * sizeof(T),
								       alignof(T)));
		else
			return static_cast<T *>(detail::allocate_own(h, n * sizeof(T),
								     alignof(T)));
	}

	/* With its heap closed, a container cannot be destroyed, but an empty one forgotten. */
	void deallocate(Pointer p, size_type) noexcept
	{
		if (struct goheap *h = heap())
			goheap_free(h, std::addressof(*p));
	}

	template <class U>
	bool operator==(const basic_allocator<U, pointer_of<U>, Life> &other) const noexcept
	{
		return anchor_.start() == other.anchor_.start();
	}

	template <class U>
	bool operator!=(const basic_allocator<U, pointer_of<U>, Life> &other) const noexcept
	{
		return anchor_.start() != other.anchor_.start();
	}

private:
	template <class U, class P, lifetime L> friend class basic_allocator;

	static void check_address(struct goheap *h)
	{
		int apart = goheap_is_apart(h);

		if (apart < 0)
			detail::fail("goheap_is_apart");
		if (apart)
			detail::fail("goheap: processes have the heap at different addresses",
				     EADDRNOTAVAIL);
	}

	detail::anchor<pointer_of<void>> anchor_;
};

/* For containers in shared memory, wherever it is mapped. */
template <class T, lifetime Life = lifetime::given>
using allocator = basic_allocator<T, offset_ptr<T>, Life>;

/*
 * For those that keep plain pointers, in a heap that all have opened with GOHEAP_FIXED. It
 * cannot be made of a heap that any process has at another address. One that maps it so later
 * finds wrong pointers: with GOHEAP_FIXED, it fails to open the heap instead.
 */
template <class T, lifetime Life = lifetime::given>
using fixed_allocator = basic_allocator<T, T *, Life>;

#ifdef __cpp_lib_memory_resource
/*
 * For containers of std::pmr that this process alone uses. They must not be shared: they keep
 * a plain pointer to the resource, which is this process's; and the resource one to its table
 * of virtual functions, which every program has elsewhere, and each run, too. So the memory is
 * the session's. The heap may be a private one.
 */
class memory_resource : public std::pmr::memory_resource {
public:
	explicit memory_resource(struct goheap *h) : heap_(h)
	{
		if (!h)
			detail::fail("goheap: memory_resource", EINVAL);
	}

	explicit memory_resource(const class heap &h) : memory_resource(h.get()) {}

	struct goheap *heap() const noexcept
	{
		return heap_;
	}

private:
	void *do_allocate(std::size_t bytes, std::size_t align) override
	{
		return detail::allocate_own(heap_, bytes, align);
	}

	void do_deallocate(void *p, std::size_t, std::size_t) override
	{
		goheap_free(heap_, p);
	}

	bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
	{
		auto *r = dynamic_cast<const memory_resource *>(&other);

		return r && r->heap_ == heap_;
	}

	struct goheap *heap_;
};
#endif

/* ---- objects ------------------------------------------------------------ */

/*
 * Makes an object that is given to the heap. Until it is made, a kill frees it: but not what
 * its constructor allocates.
 */
template <class T, class... Args> T *construct(struct goheap *h, Args &&...args)
{
	void *room = detail::allocate_own(h, sizeof(T), alignof(T));
	T *p;

	try {
		p = ::new (room) T(std::forward<Args>(args)...);
	} catch (...) {
		goheap_free(h, room);
		throw;
	}
	if (goheap_give(h, &room, 1)) {
		int err = errno;

		p->~T();
		goheap_free(h, room);
		errno = err;
		detail::fail_to_allocate();
	}
	return p;
}

template <class T, class... Args> T *construct(const heap &h, Args &&...args)
{
	return construct<T>(h.get(), std::forward<Args>(args)...);
}

/* Destroys and frees an object, perhaps another process's, that was made by construct(). */
template <class T> void destroy(T *p)
{
	struct goheap *h = goheap_of(p);

	if (!p)
		return;
	if (!h)
		detail::fail("goheap: destroy", EINVAL);
	p->~T();
	goheap_free(h, p);
}

/* The object of a root slot, which nobody checks to be a T; NULL if the slot is 0. */
template <class T> T *find(const heap &h, unsigned int root)
{
	std::uint64_t ref;

	if (goheap_root_get(h.get(), root, &ref))
		detail::fail("goheap_root_get");
	return static_cast<T *>(goheap_deref(h.get(), ref));
}

/*
 * Likewise; if the slot is 0, it makes the object. If another process does so at the same
 * time, one of the two finds the other's. A kill can lose an object that is not in the slot
 * yet.
 */
template <class T, class... Args>
T *find_or_construct(const heap &h, unsigned int root, Args &&...args)
{
	T *p = find<T>(h, root);
	std::uint64_t ref = 0;
	int set;

	if (p)
		return p;
	p = construct<T>(h, std::forward<Args>(args)...);
	set = goheap_root_cas(h.get(), root, &ref, goheap_ref(h.get(), p));
	if (set == 1)
		return p;
	destroy(p);
	if (set < 0)
		detail::fail("goheap_root_cas");
	return static_cast<T *>(goheap_deref(h.get(), ref));
}

} /* namespace libgoheap */

#endif /* GOHEAP_HPP */
