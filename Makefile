# SPDX-License-Identifier: GPL-2.0-only
#
# What a person types. What kbuild reads is in Kbuild.
#
# KDIR= builds for another kernel than the running one; W=1, C=1, LLVM=1 and
# whatever else kbuild understands on its command line reaches it.

KDIR ?= /lib/modules/$(shell uname -r)/build
GOHEAP_VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)

# What `make check` tests on, and how many seconds it may take. Kernels that somebody
# names are tested however long it takes.
ifndef KERNEL
KERNEL := stock 6.1-debug 7.2 7.2-debug um
BUDGET ?= 3300
endif

DKMS_SRC := /usr/src/goheap-$(GOHEAP_VERSION)
DKMS_FILES := Kbuild Makefile LICENSE dkms.conf goheap_mod.c include mm samples

# Where what is installed goes: nothing outside of it is touched.
INSTALL_ROOT := $(or $(DESTDIR),$(INSTALL_MOD_PATH))
UDEV_RULES := $(INSTALL_ROOT)/usr/lib/udev/rules.d
SYSUSERS := $(INSTALL_ROOT)/usr/lib/sysusers.d
TMPFILES := $(INSTALL_ROOT)/usr/lib/tmpfiles.d
UNITS := $(INSTALL_ROOT)/usr/lib/systemd/system

# Programs, and the library, for processes.
TOOLS := $(patsubst %/Makefile,%,$(wildcard tools/lib/goheap/Makefile tools/goheapctl/Makefile))

.PHONY: all modules install modules_install udev-install tools tools-install clean help
all: modules

modules: kdir
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

.PHONY: kdir
kdir:
	@test -e $(KDIR)/Makefile || { echo "No kernel to build for at $(KDIR): install" \
		"linux-headers-$$(uname -r), or say KDIR=, or try make demo" >&2; exit 1; }

install: modules_install udev-install

modules_install: modules
	$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(INSTALL_ROOT) modules_install
	release=$$(sed 's/.*"\(.*\)"/\1/' $(KDIR)/include/generated/utsrelease.h) && \
		depmod $(if $(INSTALL_ROOT),-b $(INSTALL_ROOT)) $$release

udev-install:
	install -D -m 644 tools/udev/60-goheap.rules $(UDEV_RULES)/60-goheap.rules
	install -D -m 644 tools/udev/goheap-sysusers.conf $(SYSUSERS)/goheap.conf
	install -D -m 644 tools/udev/goheap-tmpfiles.conf $(TMPFILES)/goheap.conf
	install -D -m 644 tools/udev/run-goheap.mount $(UNITS)/run-goheap.mount

# PREFIX= and DESTDIR= reach them.
tools:
	set -e; for dir in $(TOOLS); do $(MAKE) -C $$dir all; done

tools-install:
	set -e; for dir in $(TOOLS); do $(MAKE) -C $$dir install; done

clean: kdir
	$(MAKE) -C $(KDIR) M=$(CURDIR) clean

# ---- DKMS --------------------------------------------------------------------

.PHONY: dkms-copy dkms-install dkms-remove
dkms-copy:
	rm -rf $(DKMS_SRC)
	mkdir -p $(DKMS_SRC)
	cp -r $(DKMS_FILES) $(DKMS_SRC)
	find $(DKMS_SRC) -name '*.o' -delete -o -name '*.ko' -delete -o -name '*.cmd' -delete

dkms-install: dkms-copy udev-install
	dkms install -m goheap -v $(GOHEAP_VERSION)

dkms-remove:
	dkms remove -m goheap -v $(GOHEAP_VERSION) --all
	rm -rf $(DKMS_SRC)

# ---- virtual machines; nothing is ever loaded into this machine's kernel -----

.PHONY: setup demo demo-crash check check-all check-interrupts check-kills check-models check-programs check-style
.PHONY: bench bench-check mutate docs
setup:
	tools/setup

demo:
	tools/setup
	tools/testing/demo/run

demo-crash:
	tools/setup g++ libboost-dev
	tools/testing/demo/crash/run

check:
	tools/setup
	tools/testing/vm/vm check $(if $(BUDGET),--budget $(BUDGET)) $(KERNEL)

check-all:
	tools/setup
	tools/testing/vm/vm check all

# This takes long, so it runs on one kernel unless KERNEL= is given.
check-interrupts:
	tools/setup
	tools/testing/vm/vm check --list interrupts.list \
		$(if $(filter file,$(origin KERNEL)),stock,$(KERNEL))

# Processes that share a heap are killed, 10,000 times in each of two ways.
check-kills:
	tools/setup
	tools/testing/vm/vm check --guests-only --list kills.list \
		$(if $(filter file,$(origin KERNEL)),um-debug,$(KERNEL))

# QUICK=1 measures less, in a minute. Without matplotlib there are no plots.
bench:
	tools/setup
	tools/setup python3-matplotlib || echo "bench: going on without plots" >&2
	tools/testing/bench/run $(if $(QUICK),--quick)

bench-check:
	tools/setup
	tools/testing/bench/run --check

check-programs:
	tools/setup
	tools/testing/programs/run

# Why some orders of memory accesses are right: all runs of models.
check-models:
	tools/setup spin
	tools/testing/litmus/run

check-style:
	tools/setup sparse shellcheck pyflakes3
	tools/check-style

# N= errors of the list that SEED= makes, in FILES= (default: mm), JOBS= at a time. STEP=1
# interrupts each instruction, too, if nothing else notices. A second call goes on.
mutate:
	tools/setup
	tools/testing/mutate/run --number $(or $(N),10) --seed $(or $(SEED),1) \
		--jobs $(or $(JOBS),2) $(if $(STEP),--step) $(FILES)

docs:
	tools/setup python3-sphinx
	$(MAKE) -C Documentation html

help:
	@echo 'goheap $(GOHEAP_VERSION): the Go memory allocator as a Linux kernel module'
	@echo
	@echo '  make                  build goheap.ko for the running kernel (KDIR= for another)'
	@echo '  make install          build and install it for that kernel, and the udev rule'
	@echo '  make tools            libgoheap and goheapctl, for processes'
	@echo '  make tools-install    install them (PREFIX=/usr/local)'
	@echo '  make dkms-install     have DKMS build and install it, now and for new kernels'
	@echo '  make dkms-remove      undo that'
	@echo '  make clean            remove what the build made'
	@echo
	@echo '  make demo             a real program'"'"'s allocations, replayed in a virtual machine'
	@echo '  make demo-crash       what killed processes do to a shared heap: boost.interprocess, goheap'
	@echo '  make check            all tests in virtual machines (KERNEL="$(KERNEL)")'
	@echo '  make check-all        the same on all kernels, however long it takes'
	@echo '  make check-interrupts goheap, interrupted before each of its instructions (KERNEL=stock)'
	@echo '  make check-kills      10,000 kills of processes that share a heap (KERNEL=um-debug)'
	@echo '  make check-programs   46 real programs with malloc() of libgoheap and of glibc (as root)'
	@echo '  make check-style      checkpatch, sparse, W=1, kernel-doc, layers, documents, ...'
	@echo '  make bench            goheap beside SLUB and others in virtual machines (QUICK=1)'
	@echo '  make bench-check      instruction counts of the fast paths against tools/testing/bench/budget'
	@echo '  make mutate           plant errors, and see which tests notice (N=10 SEED=1 FILES=mm)'
	@echo '  make docs             the documents as HTML'
	@echo '  make setup            only install the Debian packages that these need'
	@echo
	@echo 'Kernels for tests: stock 6.1 6.12 7.2 6.1-debug 7.2-debug 7.2-rt 7.2-kcsan um um-debug; see tools/testing/vm/README.rst'
