// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * cxx_containers: does a container compile with an allocator? "make containers" asks that for
 * each, as goheap.hpp refuses those that keep plain pointers in shared memory.
 *
 * CONTAINER is the name of a class below, ALLOCATOR that of an allocator.
 */
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <goheap.hpp>

namespace gh = libgoheap;

template <class T> using a = gh::ALLOCATOR<T>;
using pair = std::pair<const int, int>;
using less = std::less<int>;
using hash = std::hash<int>;
using equal = std::equal_to<int>;

template <class C> void assign(C &c)
{
	C other(c);

	other = c;
	c = std::move(other);
	swap(c, other);
	c.clear();
}

template <class C> struct sequence {
	static void use(C &c)
	{
		c.assign(5, {});
		c.resize(9);
		c.insert(c.begin(), typename C::value_type());
		c.erase(c.begin());
		assign(c);
	}
};

template <class C> struct set_of {
	static void use(C &c)
	{
		c.insert(typename C::value_type());
		c.erase(c.begin());
		assign(c);
	}
};

/* Templates, so that the compiler looks at no other than CONTAINER<int>. */
template <class T> struct vector : sequence<std::vector<T, a<T>>> {};
template <class T> struct vector_of_pointers : sequence<std::vector<T *, a<T *>>> {};
template <class T> struct deque : sequence<std::deque<T, a<T>>> {};
template <class T> struct list : sequence<std::list<T, a<T>>> {};
template <class T> struct map : set_of<std::map<T, T, less, a<pair>>> {};
template <class T> struct set : set_of<std::set<T, less, a<T>>> {};
template <class T> struct unordered_map : set_of<std::unordered_map<T, T, hash, equal, a<pair>>> {};
template <class T> struct unordered_set : set_of<std::unordered_set<T, hash, equal, a<T>>> {};

template <class T> struct other_than { using boolean = bool; using character = char; };
template <class T>
struct vector_of_bool : vector<typename other_than<T>::boolean> {};

template <class T> struct forward_list {
	static void use(std::forward_list<T, a<T>> &c)
	{
		c.push_front(1);
		c.insert_after(c.begin(), 1);
		assign(c);
	}
};

template <class T> struct basic_string {
	using character = typename other_than<T>::character;
	using string = std::basic_string<character, std::char_traits<character>, a<character>>;

	static void use(string &s)
	{
		s = "x" + s;
		s += s + "x";
		s.append(s.begin(), s.end()).assign(3, 'c').append(s, 1);
		s.replace(1, 2, s.substr(1)).insert(1, "y").erase(1, 1);
		s.reserve(s.find("x") + s.compare("y"));
		s.shrink_to_fit();
		sequence<string>::use(s);
	}
};

auto used = CONTAINER<int>::use;
