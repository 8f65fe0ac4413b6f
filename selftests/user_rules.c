// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules that hold of every call of /dev/goheap: sizes, pointers, files, processes.
 */
#include "user_test.h"

#include <stddef.h>

#include "user_harness.h"

#define LARGE	(100UL << 10)

/* Room for any structure, and for what a later kernel may add. */
union any {
	__u32 size;
	struct goheap_info info;
	struct goheap_root root;
	struct goheap_limit limit;
	struct goheap_usage usage;
	struct goheap_trim trim;
	struct goheap_attach attach;
	struct goheap_view view;
	struct goheap_alloc_req alloc;
	struct goheap_batch batch;
	struct goheap_resize resize;
	struct goheap_defer defer;
	struct goheap_flush flush;
	struct goheap_publish publish;
	struct goheap_death death;
	struct goheap_type type;
	struct goheap_type_usage type_usage;
	struct goheap_list list;
	struct goheap_session session;
	__u8 bytes[4096];
};

FIXTURE(cmd)
{
	int heap;
	int ss;
	__u64 offset;
	struct goheap_swap swap;
	struct goheap_listed listed;
	struct goheap_type type;
	union any *arg;
};

FIXTURE_VARIANT(cmd)
{
	unsigned long cmd;
	size_t size;
	size_t least;	/* bytes; 0 if all of it must be there */
	bool on_heap;
	bool on_session;
	bool by_owner;
};

FIXTURE_VARIANT_ADD(cmd, info)
{
	.cmd = GOHEAP_IOC_INFO,
	.size = sizeof(struct goheap_info),
	.least = offsetof(struct goheap_info, apart),
	.on_heap = true,
	.on_session = true,
};

FIXTURE_VARIANT_ADD(cmd, root)
{
	.cmd = GOHEAP_IOC_ROOT,
	.size = sizeof(struct goheap_root),
	.on_heap = true,
	.on_session = true,
};

FIXTURE_VARIANT_ADD(cmd, limit)
{
	.cmd = GOHEAP_IOC_LIMIT,
	.size = sizeof(struct goheap_limit),
	.least = offsetof(struct goheap_limit, max_sessions),
	.on_heap = true,
	.on_session = true,
	.by_owner = true,
};

FIXTURE_VARIANT_ADD(cmd, stats)
{
	.cmd = GOHEAP_IOC_STATS,
	.size = sizeof(struct goheap_usage),
	.least = offsetof(struct goheap_usage, retired),
	.on_heap = true,
	.on_session = true,
};

FIXTURE_VARIANT_ADD(cmd, trim)
{
	.cmd = GOHEAP_IOC_TRIM,
	.size = sizeof(struct goheap_trim),
	.on_heap = true,
	.on_session = true,
	.by_owner = true,
};

FIXTURE_VARIANT_ADD(cmd, death)
{
	.cmd = GOHEAP_IOC_DEATH,
	.size = sizeof(struct goheap_death),
	.on_heap = true,
	.on_session = true,
};

FIXTURE_VARIANT_ADD(cmd, type)
{
	.cmd = GOHEAP_IOC_TYPE,
	.size = sizeof(struct goheap_type),
	.on_heap = true,
	.on_session = true,
};

FIXTURE_VARIANT_ADD(cmd, type_stats)
{
	.cmd = GOHEAP_IOC_TYPE_STATS,
	.size = sizeof(struct goheap_type_usage),
	.on_heap = true,
	.on_session = true,
};

FIXTURE_VARIANT_ADD(cmd, list)
{
	.cmd = GOHEAP_IOC_LIST,
	.size = sizeof(struct goheap_list),
	.on_heap = true,
	.on_session = true,
};

FIXTURE_VARIANT_ADD(cmd, session)
{
	.cmd = GOHEAP_IOC_SESSION,
	.size = sizeof(struct goheap_session),
	.on_heap = true,
	.on_session = true,
};

FIXTURE_VARIANT_ADD(cmd, attach)
{
	.cmd = GOHEAP_IOC_ATTACH,
	.size = sizeof(struct goheap_attach),
	.on_heap = true,
};

FIXTURE_VARIANT_ADD(cmd, view)
{
	.cmd = GOHEAP_IOC_VIEW,
	.size = sizeof(struct goheap_view),
	.on_heap = true,
};

FIXTURE_VARIANT_ADD(cmd, alloc)
{
	.cmd = GOHEAP_IOC_ALLOC,
	.size = sizeof(struct goheap_alloc_req),
	.on_session = true,
	.by_owner = true,
};

FIXTURE_VARIANT_ADD(cmd, free)
{
	.cmd = GOHEAP_IOC_FREE,
	.size = sizeof(struct goheap_batch),
	.on_session = true,
	.by_owner = true,
};

FIXTURE_VARIANT_ADD(cmd, give)
{
	.cmd = GOHEAP_IOC_GIVE,
	.size = sizeof(struct goheap_batch),
	.on_session = true,
	.by_owner = true,
};

FIXTURE_VARIANT_ADD(cmd, resize)
{
	.cmd = GOHEAP_IOC_RESIZE,
	.size = sizeof(struct goheap_resize),
	.on_session = true,
	.by_owner = true,
};

FIXTURE_VARIANT_ADD(cmd, defer)
{
	.cmd = GOHEAP_IOC_DEFER,
	.size = sizeof(struct goheap_defer),
	.on_session = true,
	.by_owner = true,
};

FIXTURE_VARIANT_ADD(cmd, flush)
{
	.cmd = GOHEAP_IOC_FLUSH,
	.size = sizeof(struct goheap_flush),
	.on_session = true,
	.by_owner = true,
};

FIXTURE_VARIANT_ADD(cmd, publish)
{
	.cmd = GOHEAP_IOC_PUBLISH,
	.size = sizeof(struct goheap_publish),
	.on_session = true,
	.by_owner = true,
};

FIXTURE_VARIANT_ADD(cmd, retire)
{
	.cmd = GOHEAP_IOC_RETIRE,
	.size = sizeof(struct goheap_batch),
	.on_session = true,
	.by_owner = true,
};

/* Ask for something that works. */
static union any *valid(FIXTURE_DATA(cmd) *self,
			const FIXTURE_VARIANT(cmd) *variant)
{
	union any *arg = self->arg;

	memset(arg, 0, sizeof(*arg));
	arg->size = variant->size;
	switch (variant->cmd) {
	case GOHEAP_IOC_ALLOC:
		arg->alloc.length = 64;
		arg->alloc.offsets = (uintptr_t)&self->offset;
		arg->alloc.count = 1;
		break;
	case GOHEAP_IOC_FREE:
	case GOHEAP_IOC_GIVE:
	case GOHEAP_IOC_RETIRE:
		self->offset = alloc_one(self->ss, 64);
		arg->batch.offsets = (uintptr_t)&self->offset;
		arg->batch.count = 1;
		break;
	case GOHEAP_IOC_RESIZE:
		arg->resize.offset = alloc_one(self->ss, LARGE);
		arg->resize.length = LARGE / 2;
		break;
	case GOHEAP_IOC_DEATH:
		if (!usage(self->heap).deaths)
			close(attach(self->heap));
		arg->death.number = 1;
		break;
	case GOHEAP_IOC_TYPE:
	case GOHEAP_IOC_TYPE_STATS:
		self->type = (struct goheap_type){
			.size = sizeof(self->type), .name = "type",
		};
		call(self->heap, GOHEAP_IOC_TYPE, &self->type);
		if (variant->cmd == GOHEAP_IOC_TYPE_STATS)
			break;
		arg->type.flags = GOHEAP_TYPE_FIND;
		memcpy(arg->type.name, "type", 4);
		break;
	case GOHEAP_IOC_LIST:
		arg->list.objects = (uintptr_t)&self->listed;
		arg->list.count = 1;
		break;
	case GOHEAP_IOC_DEFER:
		arg->defer.count = 1;
		break;
	case GOHEAP_IOC_FLUSH:
		arg->flush.count = 1;
		break;
	case GOHEAP_IOC_PUBLISH:
		memset(&self->swap, 0, sizeof(self->swap));
		self->swap.flags = GOHEAP_SWAP_ROOT;
		arg->publish.swaps = (uintptr_t)&self->swap;
		arg->publish.count = 1;
		break;
	}
	return arg;
}

static int file_of(FIXTURE_DATA(cmd) *self, const FIXTURE_VARIANT(cmd) *variant)
{
	return variant->on_heap ? self->heap : self->ss;
}

FIXTURE_SETUP(cmd)
{
	self->heap = heap_open();
	ASSERT_LE(0, self->heap);
	self->ss = attach(self->heap);
	ASSERT_LE(0, self->ss);
	self->arg = mmap(NULL, 2 * sizeof(union any), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->arg);
}

FIXTURE_TEARDOWN(cmd)
{
	EXPECT_TRUE(identities(self->heap));
	close(self->ss);
	close(self->heap);
}

TEST_F(cmd, works)
{
	if (variant->on_heap) {
		EXPECT_EQ(0, call(self->heap, variant->cmd,
				  valid(self, variant)));
	}
	if (variant->on_session) {
		EXPECT_EQ(0, call(self->ss, variant->cmd,
				  valid(self, variant)));
	}
}

TEST_F(cmd, smaller_structure_is_refused)
{
	size_t least = variant->least ?: variant->size;
	size_t sizes[] = { 0, 1, 4, least - 8, least - 1 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		union any *arg = valid(self, variant);

		arg->size = sizes[i];
		EXPECT_EQ(-EINVAL, call(file_of(self, variant), variant->cmd,
					arg));
	}
}

TEST_F(cmd, structure_of_old_works)
{
	union any *arg = valid(self, variant);

	if (!variant->least)
		return;
	memset(arg->bytes + variant->least, 0x5a, 8);
	arg->size = variant->least;
	EXPECT_EQ(0, call(file_of(self, variant), variant->cmd, arg));
	EXPECT_EQ(variant->least, arg->size);
	EXPECT_TRUE(all_are(arg->bytes + variant->least, 0x5a, 8));
}

TEST_F(cmd, larger_structure_works_if_the_rest_is_zero)
{
	size_t sizes[] = { variant->size + 1, variant->size + 8, 4096 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		union any *arg = valid(self, variant);

		arg->size = sizes[i];
		EXPECT_EQ(0, call(file_of(self, variant), variant->cmd, arg));
		EXPECT_EQ(sizes[i], arg->size);
	}
}

TEST_F(cmd, larger_structure_is_refused_if_the_rest_is_not_zero)
{
	union any *arg = valid(self, variant);

	arg->size = variant->size + 8;
	arg->bytes[variant->size + 7] = 1;
	EXPECT_EQ(-E2BIG, call(file_of(self, variant), variant->cmd, arg));
	arg->size = 4096;
	arg->bytes[variant->size + 7] = 0;
	arg->bytes[4095] = 0x80;
	EXPECT_EQ(-E2BIG, call(file_of(self, variant), variant->cmd, arg));
}

TEST_F(cmd, huge_structure_is_refused)
{
	size_t sizes[] = { 4097, 1 << 20, INT32_MAX, UINT32_MAX };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		union any *arg = valid(self, variant);

		arg->size = sizes[i];
		EXPECT_EQ(-E2BIG, call(file_of(self, variant), variant->cmd,
				       arg));
	}
}

TEST_F(cmd, bad_pointer_is_refused)
{
	int fd = file_of(self, variant);
	__u8 *end;

	EXPECT_EQ(-EFAULT, call(fd, variant->cmd, NULL));
	EXPECT_EQ(-EFAULT, call(fd, variant->cmd, (void *)8));
	EXPECT_EQ(-EFAULT, call(fd, variant->cmd, (void *)~0UL));
	EXPECT_EQ(-EFAULT, call(fd, variant->cmd, (void *)(1UL << 63)));
	/* The size can be read, the rest cannot. */
	ASSERT_EQ(0, munmap(self->arg + 1, sizeof(union any)));
	end = (__u8 *)(self->arg + 1);
	*(__u32 *)(end - 4) = variant->size;
	EXPECT_EQ(-EFAULT, call(fd, variant->cmd, end - 4));
}

TEST_F(cmd, structure_that_cannot_be_written_is_refused)
{
	union any *arg = valid(self, variant);

	ASSERT_EQ(0, mprotect(arg, sizeof(*arg), PROT_READ));
	EXPECT_EQ(-EFAULT, call(file_of(self, variant), variant->cmd, arg));
	ASSERT_EQ(0, mprotect(arg, sizeof(*arg), PROT_READ | PROT_WRITE));
}

TEST_F(cmd, wrong_file_is_refused)
{
	if (!variant->on_heap) {
		EXPECT_EQ(-ENOTTY, call(self->heap, variant->cmd,
					valid(self, variant)));
	}
	if (!variant->on_session) {
		EXPECT_EQ(-ENOTTY, call(self->ss, variant->cmd,
					valid(self, variant)));
	}
}

TEST_F(cmd, command_may_name_another_size)
{
	unsigned long cmd = _IOC(_IOC_READ | _IOC_WRITE, GOHEAP_IOC_MAGIC,
				 _IOC_NR(variant->cmd), variant->size + 64);

	EXPECT_EQ(0, call(file_of(self, variant), cmd, valid(self, variant)));
}

TEST_F(cmd, other_process_may_only_look)
{
	union any *arg = valid(self, variant);

	if (!variant->on_session)
		return;
	EXPECT_EQ(variant->by_owner ? EPERM : 0,
		  IN_CHILD(-call(self->ss, variant->cmd, arg)));
}

TEST_F(cmd, read_only_heap_is_only_looked_at)
{
	int fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	union any *arg = valid(self, variant);
	bool changes = variant->cmd == GOHEAP_IOC_ATTACH ||
		       variant->cmd == GOHEAP_IOC_VIEW ||
		       variant->cmd == GOHEAP_IOC_TRIM;
	int none;

	ASSERT_LE(0, fd);
	if (!variant->on_heap)
		return;
	/* No session of this heap is there, or has ended, and it has no types. */
	none = variant->cmd == GOHEAP_IOC_DEATH ||
	       variant->cmd == GOHEAP_IOC_SESSION ||
	       variant->cmd == GOHEAP_IOC_TYPE ||
	       variant->cmd == GOHEAP_IOC_TYPE_STATS ? -ENOENT : 0;
	EXPECT_EQ(changes ? -EBADF : none, call(fd, variant->cmd, arg));
	arg->root.flags = 1;
	if (variant->cmd == GOHEAP_IOC_ROOT ||
	    variant->cmd == GOHEAP_IOC_LIMIT) {
		EXPECT_EQ(-EBADF, call(fd, variant->cmd, arg));
	}
	close(fd);
}

TEST_F(cmd, session_that_ended_is_refused)
{
	int ss = ended_session(self->heap);
	union any *arg = valid(self, variant);
	bool owns = !variant->on_heap || variant->cmd == GOHEAP_IOC_LIMIT ||
		    variant->cmd == GOHEAP_IOC_TRIM;

	ASSERT_LE(0, ss);
	if (!variant->on_session)
		return;
	EXPECT_EQ(owns ? -EOWNERDEAD : 0, call(ss, variant->cmd, arg));
	if (variant->cmd == GOHEAP_IOC_ROOT) {
		arg->root.flags = GOHEAP_ROOT_CMPXCHG;
		EXPECT_EQ(-EOWNERDEAD, call(ss, variant->cmd, arg));
	}
	close(ss);
}

TEST_HARNESS_MAIN
