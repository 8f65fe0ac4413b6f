/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * cxx: what the tests of the C++ headers have in common.
 */
#ifndef LG_CXX_HPP
#define LG_CXX_HPP

#include <cstdio>
#include <exception>
#include <system_error>
#include <type_traits>

#include <sys/wait.h>
#include <unistd.h>

#include <goheap.hpp>

/* In cxx_lock_test.cc. */
void test_locks(const libgoheap::heap &h);

/* Whether @fn throws an Error; if that is a system_error, with the number @err. */
template <class Error, class Fn> bool throws(Fn fn, int err = 0)
{
	try {
		fn();
	} catch (const Error &e) {
		if constexpr (std::is_base_of_v<std::system_error, Error>)
			return !err || e.code().value() == err;
		return true;
	} catch (...) {
		return false;
	}
	return false;
}

/* What becomes of a child that calls @fn, which returns whether it is content. */
template <class Fn> int status_of_child(Fn fn)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		bool good = false;

		try {
			good = fn();
		} catch (const std::exception &e) {
			printf("# child: %s\n", e.what());
			fflush(stdout);
		}
		_exit(!good);
	}
	waitpid(pid, &status, 0);
	return status;
}

template <class Fn> bool in_child(Fn fn)
{
	return !status_of_child(fn);
}

#endif /* LG_CXX_HPP */
