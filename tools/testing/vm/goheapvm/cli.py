# SPDX-License-Identifier: GPL-2.0-only
"""The command line of tools/testing/vm/vm."""

import argparse
import os
import sys

from . import check, console, guest, kernels, style
from .modules import TESTS, Workspace
from .util import Failure, repo_dir, say


def main(argv=None):
    args = parser().parse_args(argv)
    forget_make()
    try:
        return args.func(args) or 0
    except Failure as failure:
        print(f"goheap-vm: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def forget_make():
    """
    Started by make, we inherit what its user set for the top Makefile. None of
    it is meant for the kernels and modules that are built here.
    """
    for name in ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "KDIR", "KERNEL", "ARCH",
                 "LLVM", "CC", "CROSS_COMPILE", "CFLAGS", "W", "C"):
        os.environ.pop(name, None)
    # The checkers compare messages, and the parser reads them, in English.
    os.environ["LC_ALL"] = "C"


def parser():
    top = argparse.ArgumentParser(prog="vm", description="goheap in virtual machines")
    top.add_argument("--src", default=str(repo_dir()), help="source tree to build (default: this)")
    top.add_argument("--work", help="where to build and keep logs (default: SRC/build/vm)")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    add_kernel_commands(commands)
    add_boot(commands)
    add_check(commands)
    return top


def add_kernel_commands(commands):
    kernel = commands.add_parser("kernel", help="make kernels ready and print where they are")
    kernel.add_argument("names", nargs="+", metavar="NAME", choices=kernels.NAMES,
                        help=" ".join(kernels.NAMES))
    kernel.set_defaults(func=do_kernel)

    source = commands.add_parser("source", help="print the path of a kernel's source tree")
    source.add_argument("version", choices=sorted(kernels.SUITES))
    source.set_defaults(func=lambda args: print(kernels.source_tree(args.version)[0]))

    update = commands.add_parser("update", help="look for newer kernels at the next use")
    update.set_defaults(func=lambda args: kernels.forget_versions())

    modules = commands.add_parser("modules", help="build the modules and test programs")
    modules.add_argument("name", metavar="NAME", choices=kernels.NAMES)
    add_flavour(modules)
    modules.add_argument("make_args", nargs="*", metavar="VAR=VALUE", help="passed to make")
    modules.set_defaults(func=do_modules)


def add_boot(commands):
    boot = commands.add_parser("boot", help="boot, run a command, power off")
    boot.add_argument("name", metavar="NAME", choices=kernels.NAMES)
    boot.add_argument("--run", default="true", help="shell command for the guest")
    boot.add_argument("--file", action="append", default=[], metavar="HOST:GUEST",
                      help="file or directory to put into the guest")
    add_flavour(boot)
    boot.add_argument("--no-build", action="store_true", help="take the modules as they are")
    boot.add_argument("--no-modules", action="store_true", help="boot without our modules")
    boot.add_argument("--no-log-check", action="store_true", help="ignore warnings on the console")
    boot.add_argument("--quiet", action="store_true", help="do not show the console")
    boot.add_argument("--out", help="directory for console.log and out/ (default: boot/ beside the modules)")
    add_machine_options(boot, timeout=300)
    boot.set_defaults(func=do_boot)


def add_flavour(command):
    command.add_argument("--bench", dest="flavour", action="store_const", const="bench",
                         default="test", help="goheap as users build it, and goheap_bench, "
                         "instead of all tests")


def add_machine_options(command, timeout):
    command.add_argument("--timeout", type=int, default=timeout, metavar="SECONDS")
    command.add_argument("--append", default="", help="more kernel parameters")
    command.add_argument("--smp", type=int, default=4, metavar="CPUS")
    command.add_argument("--mem", type=int, default=4096, metavar="MIB")
    command.add_argument("--nodes", type=int, default=2, help="NUMA nodes")
    command.add_argument("--bare", type=int, default=0, help="NUMA nodes without memory")
    command.add_argument("--accel", choices=("auto", "kvm", "tcg"), default="auto")
    command.add_argument("--icount", action="store_true",
                         help="guest time counts instructions (one CPU at a time)")
    command.add_argument("--qemu", action="append", default=[], metavar="ARG",
                         help="one more argument for QEMU")


def add_check(commands):
    command = commands.add_parser("check", help="run all tests; ends with N passed, N failed")
    command.add_argument("names", nargs="+", metavar="NAME", choices=("all", *kernels.NAMES),
                         help="kernels, or all")
    command.add_argument("--only", metavar="PATTERN",
                         help="only the suites and self tests whose name matches (shell pattern)")
    command.add_argument("--machine", metavar="PROPERTIES",
                         help='only the tests of this guest of tests.list, such as "mem=1024"; '
                         '"" is the default guest')
    command.add_argument("--list", default=TESTS, metavar="FILE",
                         help="another list of self tests in selftests/, and no KUnit suites")
    command.add_argument("--guests-only", action="store_true",
                         help="without the tests of the tools, which need no guest")
    command.add_argument("--timeout", type=int, help="limit for each guest, in seconds")
    command.add_argument("--budget", type=int, metavar="SECONDS",
                         help="begin only what is likely to end in time, the most telling first")
    command.set_defaults(func=do_check)

    command = commands.add_parser("style", help="checkpatch, sparse, W=1, kernel-doc, ...")
    command.set_defaults(func=style.run_style)


def machine_options(args):
    return guest.Options(timeout=args.timeout, append=args.append, cpus=args.smp,
                         memory=args.mem, nodes=args.nodes, bare=args.bare,
                         icount=args.icount, accel=args.accel, qemu_args=tuple(args.qemu), live=not args.quiet)


def do_kernel(args):
    for name in args.names:
        print(kernels.get(name).describe())


def do_modules(args):
    workspace = Workspace(args.src, kernels.get(args.name), args.work, args.flavour)
    for path in workspace.build(args.make_args):
        print(path)


def do_boot(args):
    workspace = Workspace(args.src, kernels.get(args.name), args.work, args.flavour)
    files = [tuple(item.split(":", 1)) for item in args.file]
    if not args.no_modules:
        if not args.no_build:
            workspace.build(tests=False)
        files += workspace.guest_modules() + workspace.guest_programs()
    guest.require_qemu(workspace.kernel)
    result = guest.boot(workspace.kernel, args.run + "\n", files,
                        args.out or workspace.dir / "boot", machine_options(args))
    return report_boot(result, not args.no_log_check)


def report_boot(result, check_log):
    problems = list(result.problems)
    if check_log:
        problems += console.check_file(result.console)
    say(f"guest ran {result.seconds:.0f} s, exit status {result.status}; {result.console}")
    for problem in problems:
        print(f"goheap-vm: {problem}", file=sys.stderr)
    return result.status or (1 if problems else 0)


def do_check(args):
    return check.run(kernels.NAMES if "all" in args.names else args.names, args)
