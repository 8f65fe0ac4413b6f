# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Where a kernel's pages never have more than 8 KiB, those of heaps have just that, and the
# fast paths need not look it up. PAGES=vary is for tests.

PAGES ?=
FIXED := x86_64-% s390x-% riscv64-%
LG_PAGES := $(if $(PAGES),,$(if $(filter $(FIXED),$(shell $(CC) -dumpmachine)),-DLG_PAGE_SHIFT=13))
