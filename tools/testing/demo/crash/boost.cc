// SPDX-License-Identifier: GPL-2.0-only
/* A segment of boost.interprocess, as its documentation makes one. */
#include <boost/interprocess/managed_shared_memory.hpp>

#include <memory>

#include "crash.h"

namespace ipc = boost::interprocess;

/* More than all killed processes together can leave behind. */
static const size_t SEGMENT = 64 << 20;

static std::unique_ptr<ipc::managed_shared_memory> segment;

extern "C" {

const char *heap_name(void)
{
	return "boost.interprocess";
}

void heap_make(void)
{
	segment.reset();
	ipc::shared_memory_object::remove("goheap-demo-crash");
	segment.reset(new ipc::managed_shared_memory(ipc::create_only, "goheap-demo-crash",
						     SEGMENT));
	ipc::shared_memory_object::remove("goheap-demo-crash");
}

void heap_join(void)
{
}

void *heap_alloc(size_t len)
{
	return segment->allocate(len);
}

void heap_free(void *p)
{
	segment->deallocate(p);
}

size_t heap_held(void)
{
	return segment->get_size() - segment->get_free_memory();
}

}
