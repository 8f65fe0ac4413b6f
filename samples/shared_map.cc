// SPDX-License-Identifier: GPL-2.0-only
/*
 * shared_map: programs that share a std::unordered_map, with goheap.hpp.
 *
 *   goheap_shared_map HEAP put KEY VALUE	insert or replace
 *   goheap_shared_map HEAP get KEY		print a value; status 1 if there is none
 *   goheap_shared_map HEAP fill PREFIX N	insert PREFIX-0 up to PREFIX-(N-1)
 *   goheap_shared_map HEAP die KEY VALUE	be killed in the middle of a put
 *   goheap_shared_map HEAP count		print how many there are
 *
 * HEAP is a file where the file system goheap is mounted; the first program makes it. The map
 * stays in it when no program runs.
 *
 * The map of libstdc++ keeps plain pointers. So it has fixed_allocator, and all programs open
 * the heap with GOHEAP_FIXED.
 */
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <unordered_map>

#include <goheap_lock.hpp>

using text = std::basic_string<char, std::char_traits<char>, libgoheap::fixed_allocator<char>>;

static bool must_die;

struct hash {
	std::size_t operator()(const text &t) const
	{
		/* emplace() has allocated the node by then: it is lost. */
		if (must_die)
			raise(SIGKILL);
		return std::hash<std::string_view>()(t);
	}
};

using map = std::unordered_map<text, text, hash, std::equal_to<text>,
			       libgoheap::fixed_allocator<std::pair<const text, text>>>;

/* What the root slot leads to. */
struct table {
	libgoheap::mutex mutex;
	/* The map is being changed: if its owner dies then, nobody knows what of it is whole. */
	bool changing = false;
	map entries;

	explicit table(const libgoheap::heap &heap) : entries(heap) {}
};

/*
 * The last owner died. If it only read, all is well. Otherwise no pointer of the map can be
 * followed any more, not even to free its nodes: they are lost until the heap is gone.
 */
static void mend(table &t, const libgoheap::heap &heap)
{
	if (!t.changing)
		return;
	std::cerr << "the map was left half changed: begin with an empty one\n";
	new (&t.entries) map(heap);
	t.changing = false;
}

class program {
public:
	explicit program(const char *name)
		: heap_(libgoheap::heap::create(name, GOHEAP_FIXED)),
		  table_(*libgoheap::find_or_construct<table>(heap_, 0, heap_))
	{
	}

	/* By an exception, the map stays whole: no memory is an example. */
	void put(std::string_view key, std::string_view value)
	{
		libgoheap::guard lock(table_.mutex, [&] { mend(table_, heap_); });

		table_.changing = true;
		try {
			auto [at, is_new] = table_.entries.emplace(text(key, heap_),
								   text(value, heap_));

			if (!is_new)
				at->second = value;
		} catch (...) {
			table_.changing = false;
			throw;
		}
		table_.changing = false;
	}

	void fill(const std::string &prefix, long n)
	{
		for (long i = 0; i < n; i++)
			put(prefix + '-' + std::to_string(i), std::to_string(i));
	}

	bool get(std::string_view key)
	{
		libgoheap::guard lock(table_.mutex, [&] { mend(table_, heap_); });
		auto at = table_.entries.find(text(key, heap_));

		if (at == table_.entries.end())
			return false;
		std::cout << at->second << '\n';
		return true;
	}

	void count()
	{
		libgoheap::guard lock(table_.mutex, [&] { mend(table_, heap_); });

		std::cout << table_.entries.size() << '\n';
	}

private:
	libgoheap::heap heap_;
	table &table_;
};

static int run(int argc, char **argv)
{
	std::string_view what = argc > 2 ? argv[2] : "";
	bool good = true;

	if (what == "put" && argc == 5) {
		program(argv[1]).put(argv[3], argv[4]);
	} else if (what == "die" && argc == 5) {
		program p(argv[1]);

		must_die = true;
		p.put(argv[3], argv[4]);
	} else if (what == "fill" && argc == 5) {
		program(argv[1]).fill(argv[3], std::atol(argv[4]));
	} else if (what == "get" && argc == 4) {
		good = program(argv[1]).get(argv[3]);
	} else if (what == "count" && argc == 3) {
		program(argv[1]).count();
	} else {
		std::cerr << "usage: goheap_shared_map HEAP "
			     "put KEY VALUE|get KEY|fill PREFIX N|die KEY VALUE|count\n";
		return 2;
	}
	return !good;
}

int main(int argc, char **argv)
{
	try {
		return run(argc, argv);
	} catch (const std::exception &e) {
		std::cerr << "goheap_shared_map: " << e.what() << '\n';
		return 2;
	}
}
