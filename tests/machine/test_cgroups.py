"""CPU quotas of control groups, in both versions."""

from pathlib import Path, PurePosixPath

import pytest

from bench.machine.cgroups import cpu_quota, group_folders
from bench.machine.conditions import Conditions

V2 = {
    "proc/self/cgroup": "0::/user.slice/bench\n",
    "proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda rw\n"
    "29 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 none rw\n",
}
V1 = {
    "proc/self/cgroup": "3:cpuset:/\n2:cpu,cpuacct:/bench\n1:name=systemd:/x\n0::/y\n",
    "proc/self/mountinfo": "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n",
}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_control_groups_of_version_2(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/user.slice"
    limits = {f"{group}/cpu.max": "150000 100000\n", f"{group}/bench/cpu.max": "max 100000\n"}
    stats = {
        "sys/fs/cgroup/cpu.stat": "usage_usec 9\n",
        f"{group}/cpu.stat": "usage_usec 9\nnr_periods 9\nnr_throttled 2\nthrottled_usec 3000\n",
        f"{group}/bench/cpu.stat": "usage_usec 9\nnr_periods 9\nnr_throttled 1\nthrottled_usec 500\n",
    }
    now = Conditions.now([0], root=tree(tmp_path, V2 | limits | stats))
    assert now.cpu_quota == 1.5
    assert (now.counters.throttled_us, now.counters.throttled_periods) == (3500, 3)


def test_control_groups_of_version_1(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/cpu,cpuacct"
    limits = {
        f"{group}/cpu.cfs_quota_us": "-1\n",
        f"{group}/cpu.cfs_period_us": "100000\n",
        f"{group}/bench/cpu.cfs_quota_us": "25000\n",
        f"{group}/bench/cpu.cfs_period_us": "50000\n",
    }
    stats = {f"{group}/bench/cpu.stat": "nr_periods 9\nnr_throttled 4\nthrottled_time 7000000\n"}
    now = Conditions.now([0], root=tree(tmp_path, V1 | limits | stats))
    assert now.cpu_quota == 0.5
    assert (now.counters.throttled_us, now.counters.throttled_periods) == (7000, 4)


@pytest.mark.parametrize("version", [V1, V2], ids=["1", "2"])
def test_without_a_quota_there_is_none(tmp_path: Path, version: dict[str, str]) -> None:
    assert cpu_quota(tree(tmp_path, version)) is None


@pytest.mark.parametrize(
    ("path", "top", "folders"),
    [
        ("/", "/", ["/cg"]),
        ("/docker/abc", "/docker/abc", ["/cg"]),
        ("/docker/abc/x", "/docker/abc", ["/cg", "/cg/x"]),
        ("/../other", "/", ["/cg"]),
        ("/docker/abc", "/elsewhere", ["/cg"]),
    ],
)
def test_a_container_sees_groups_from_within(path: str, top: str, folders: list[str]) -> None:
    found = group_folders(f"0::{path}\n", f"29 23 0:26 {top} /cg rw - cgroup2 cgroup2 rw\n")
    assert found == [PurePosixPath(folder) for folder in folders]


def test_a_mount_point_with_a_blank() -> None:
    assert group_folders("0::/\n", "1 2 0:3 / /c\\040g rw - cgroup2 c rw\n") == [PurePosixPath("/c g")]
