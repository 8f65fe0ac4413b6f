# SPDX-License-Identifier: GPL-2.0-only
"""A guest whose figures are made up: what the tests compute with."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from goheapbench.labs import PLAIN  # noqa: E402
from goheapbench.results import Guest, parse  # noqa: E402


def line(group, peer, ps, shape=None, size=64, count=1, order="-", zero=0, cpus=1, held="-"):
    return (f"group={group} shape={shape or group} peer={peer} size={size} count={count} "
            f"order={order} zero={zero} cpus={cpus} ops=1000 rounds=3 min_ps={ps} "
            f"median_ps={ps + 10} held={held}")


def guest(lines, lab="icount", kernel="stock", release="6.1.0-56-cloud-amd64",
          compiler="gcc 12.2.0", parameters=PLAIN, build=None):
    return Guest(lab, kernel, parameters, release, build or release, compiler, "tools/testing/vm/vm boot ...",
                 measurements=parse("\n".join(lines)))
