# SPDX-License-Identifier: GPL-2.0-only
"""`vm style`: what can be said about the sources without running them."""

import re
import shutil
import subprocess
from pathlib import Path

from . import commits, kernels, layers, names
from .check import report
from .ktap import Counts
from .modules import Workspace
from .util import Failure, jobs, run

# The kernel whose checkers are used, and those which the sources are compiled for.
TOOLS_VERSION = "7.2"
COMPILE_FOR = ("stock", "7.2")
# Kernel 7.2 wants a newer sparse than Debian 12 has, and then does without a word.
SPARSE_FOR = "6.1-debug"

# What checkpatch complains of and is right as it is: (type, the line it is about).
CHECKPATCH_EXCEPTIONS = (
    # Supporting several kernels is what the compat header is for.
    ("LINUX_VERSION_CODE|CONSTANT_COMPARISON", r"LINUX_VERSION_CODE >= KERNEL_VERSION"),
    # Our macro stands where EXPORT_SYMBOL would, which checkpatch knows by name.
    ("LINE_SPACING", r"^GH_EXPORT"),
    # It takes the file name for a comparison, and a macro's argument for a block.
    ("SPACING", r"__has_include\(<"),
    # It takes a pointer to what kselftest's macros name for a product.
    ("SPACING", r"\bFIXTURE_(DATA|VARIANT)\(\w+\) \*"),
    # A string that a generator prints.
    ("SPDX_LICENSE_TAG", r"\".*SPDX-License-Identifier"),
    ("SUSPECT_CODE_INDENT", r"^DEFINE_FREE\("),
    # libgoheap is no part of the kernel, and its users know the standard's types.
    ("PREFER_KERNEL_TYPES", r"\bu?int(8|32|64)_t\b"),
    # <elf.h> names its types so.
    ("CAMELCASE", r"\bElf64_[A-Z]"),
    # The attribute's macro, where there is none yet.
    ("PREFER_DEFINED_ATTRIBUTE_MACRO", r"^#define (noinline|__noreturn)"),
    # They make a peer a constant: they are expanded once for each.
    ("MACRO_ARG_REUSE", r"^#define (PEER_CASE|peer_dispatch)\("),
    # The variable of a loop stands in each of its parts.
    ("MACRO_ARG_REUSE", r"^#define gh_for_each_"),
    # The name of a member cannot stand in parentheses.
    ("MACRO_ARG_PRECEDENCE", r"^#define \w+_rcu\(.*\bmember\)"),
)

SCRIPT = re.compile(r"^#!.*\b(sh|python3)\b")

# Shell without a first line that says so: other scripts source it.
SOURCED = {"selftests/lib.sh"}

# Messages are looked at from the last push on; without one, of so many commits.
MOST_COMMITS = 20

# What a merge leaves behind. Not the "=======" between: headings are underlined so.
CONFLICT = re.compile(rb"^(<<<<<<<|>>>>>>>|\|\|\|\|\|\|\|)( |$)", re.M)


def run_style(args):
    repo = Path(args.src).resolve()
    files = source_files(repo)
    total = Counts()
    for what, check in CHECKS:
        total.add(report(f"style: {what}", judge(check, repo, files, args)))
    print(total, flush=True)
    return 1 if total.failed else 0


def judge(check, repo, files, args):
    """A check returns what it complains of; silence is a pass."""
    counts = Counts()
    try:
        complaints = [line for line in check(repo, files, args) if line.strip()]
    except Failure as failure:
        complaints = [str(failure)]
    complaints = list(dict.fromkeys(complaints))
    if complaints:
        counts.fail("\n    ".join([f"{len(complaints)} complaints", *complaints[:40]]))
    else:
        counts.passed += 1
    return counts


def source_files(repo):
    """What is in git, or would be: not the products of a build."""
    listed = run(["git", "-C", repo, "ls-files", "-co", "--exclude-standard"]).splitlines()
    return [name for name in listed if (repo / name).is_file()]


def c_files(files):
    return [name for name in files if name.endswith((".c", ".h"))]


def output_of(cmd, **kwargs):
    done = subprocess.run([str(c) for c in cmd], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **kwargs)
    return done.stdout.splitlines()


# ---- the checks -------------------------------------------------------------

def check_checkpatch(repo, files, args):
    tree, _ = kernels.source_tree(TOOLS_VERSION)
    lines = output_of([tree / "scripts/checkpatch.pl", "--no-tree", "--strict", "--terse",
                       "--no-summary", "--quiet", "--show-types", "-f", *c_files(files)], cwd=repo)
    return [line for line in lines if not is_exception(repo, line)]


def is_exception(repo, complaint):
    parsed = re.match(r"(\S+?):(\d+): \w+:(\w+): ", complaint)
    if not parsed:
        return False
    text = (repo / parsed[1]).read_text().splitlines()[int(parsed[2]) - 1]
    return any(re.fullmatch(kind, parsed[3]) and re.search(pattern, text)
               for kind, pattern in CHECKPATCH_EXCEPTIONS)


def compile_with(repo, args, name, variables):
    """The compiler's and sparse's words about our files, building from scratch."""
    workspace = Workspace(repo, kernels.get(name), repo / "build/style")
    workspace.copy()
    make = ["make", "-C", workspace.kernel.kdir, f"M={workspace.src}", f"-j{jobs()}",
            *workspace.kernel.make_args, "GOHEAP_TESTS=1", "GOHEAP_BENCH=1", *variables]
    run([*make, "clean"])
    lines = output_of([*make, "modules"])
    if not workspace.built_modules():
        return [f"{name}: nothing was built", *lines[-5:]]
    return [f"{name}: {line.replace(str(workspace.src) + '/', '')}" for line in lines
            if re.search(r"\b(warning|error|Error \d+|WARNING|ERROR|not available)\b", line)]


def check_w1(repo, files, args):
    return [line for name in COMPILE_FOR for line in compile_with(repo, args, name, ["W=1"])]


def check_sparse(repo, files, args):
    return compile_with(repo, args, SPARSE_FOR, ["C=2"])


def check_kernel_doc(repo, files, args):
    tree, _ = kernels.source_tree(TOOLS_VERSION)
    return output_of([tree / "scripts/kernel-doc", "-none", "-Wall", *c_files(files)], cwd=repo)


def check_spdx(repo, files, args):
    wanted = "SPDX-License-Identifier: GPL-2.0"
    complaints = []
    for name in files:
        if name == "LICENSE" or name.endswith((".md", ".svg", ".png", ".in.txt")):
            continue
        head = (repo / name).read_bytes()[:400].decode(errors="replace")
        if wanted not in head:
            complaints.append(f"{name}: no {wanted}")
    return complaints


def check_conflicts(repo, files, args):
    return [f"{name}:{number}: a conflict marker" for name in files
            for number in conflicts((repo / name).read_bytes())]


def conflicts(content):
    """Lines that a merge left behind."""
    return [content.count(b"\n", 0, mark.start()) + 1 for mark in CONFLICT.finditer(content)]


def check_shellcheck(repo, files, args):
    return checked_by("shellcheck", scripts(repo, files, "sh"), repo,
                      "--severity=warning", "--shell=sh", "--external-sources", "--format=gcc")


def check_pyflakes(repo, files, args):
    return checked_by("pyflakes3", scripts(repo, files, "python3"), repo)


def checked_by(program, those, repo, *options):
    if not shutil.which(program):
        return [f"{program} is not installed; make check-style installs it"]
    return output_of([program, *options, *those], cwd=repo) if those else []


def scripts(repo, files, interpreter):
    return [name for name in files if interpreter_of(repo / name, name) == interpreter]


def interpreter_of(path, name):
    if name.endswith(".py"):
        return "python3"
    if name in SOURCED:
        return "sh"
    head = path.read_bytes()[:80].decode(errors="replace").splitlines()
    kind = SCRIPT.match(head[0]) if head else None
    return kind and kind[1]


def check_versions(repo, files, args):
    """DKMS compares the package's version with the module's."""
    dkms = re.search(r'^PACKAGE_VERSION="(.*)"', (repo / "dkms.conf").read_text(), re.M)
    module = re.search(r'^MODULE_VERSION\("(.*)"\)', (repo / "goheap_mod.c").read_text(), re.M)
    if not module:
        return ["goheap_mod.c: no MODULE_VERSION"]
    if module[1] != dkms[1]:
        return [f'module version "{module[1]}", but dkms.conf says "{dkms[1]}"']
    return []


def check_layers(repo, files, args):
    """The objects are those of the builds for W=1; the library is built here."""
    sources = {name: (repo / name).read_text() for name in c_files(files)}
    programs = layers.read((repo / layers.DOCUMENT).read_text())
    found = [] if programs else [f"{layers.DOCUMENT}: no layers"]
    for program in programs:
        objects = built_objects(repo, program)
        found += layers.complaints(program, sources, objects)
        found += [f"{unit}.c: no object to look into"
                  for unit in layers.without_object(program, sources, objects)]
    return found


def built_objects(repo, program):
    """A program with a Makefile is built by it; else it is of the module."""
    out = repo / "build/style"
    if not (repo / program.dirs[0] / "Makefile").exists():
        return layers.objects_of(program, out / COMPILE_FOR[-1] / "src")
    out /= Path(program.dirs[0]).name
    run(["make", "-s", "-C", repo / program.dirs[0], f"O={out}", "all"])
    return layers.objects_of(program, out, flat=True)


def check_names(repo, files, args):
    """Functions, files and make targets that documents name are there."""
    source, _ = kernels.source_tree(TOOLS_VERSION)
    texts = {name: (repo / name).read_text() for name in files if name.endswith((".rst", ".md"))}
    code = [(repo / name).read_text() for name in files
            if name.endswith((".c", ".h", ".cc")) or interpreter_of(repo / name, name) == "python3"]
    targets = set(re.findall(r"^([\w-]+):", (repo / "Makefile").read_text(), re.M))
    tree = names.Tree(files, code, targets)
    tree.add_foreign(set().union(*map(names.functions_in, texts, texts.values())),
                     [source / part for part in ("include", "mm", "arch/x86/include")])
    return [line for name, text in texts.items() for line in names.complaints(name, text, tree)]


def check_commits(repo, files, args):
    source, _ = kernels.source_tree(TOOLS_VERSION)
    git = ["git", "-C", repo]
    pushed = subprocess.run([*git, "rev-parse", "--verify", "-q", "origin/main"],
                            stdout=subprocess.DEVNULL, check=False).returncode == 0
    those = ["origin/main..HEAD"] if pushed else [f"-{MOST_COMMITS}", "HEAD"]
    found = []
    for name in run([*git, "rev-list", "--no-merges", *those]).split():
        message = run([*git, "log", "-1", "--format=%B", name]).strip()
        lines = [*commits.complaints(message), *output_of(
            [source / "scripts/checkpatch.pl", "--no-tree", "--strict", "--terse", "--no-summary",
             "--quiet", "--show-types", "--types", ",".join(commits.CHECKPATCH_TYPES), "-g", name],
            cwd=repo)]
        found += [f"{name[:8]} ({message.splitlines()[0][:50]}): {line}" for line in lines if line]
    return found


CHECKS = (
    ("checkpatch --strict", check_checkpatch),
    ("W=1", check_w1),
    ("sparse", check_sparse),
    ("kernel-doc", check_kernel_doc),
    ("layers", check_layers),
    ("license lines", check_spdx),
    ("conflict markers", check_conflicts),
    ("shellcheck", check_shellcheck),
    ("pyflakes", check_pyflakes),
    ("versions", check_versions),
    ("names in documents", check_names),
    ("commit messages", check_commits),
)
