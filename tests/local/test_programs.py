"""Which tools are taken from where: decided without running or building anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.errors import ToolError
from mina_infra.local import programs
from mina_infra.local.paths import checkout
from mina_infra.local.programs import CLUSTER, CONTROL_PLANE, ENGINE, PROGRAMS, choose

NEEDED = {
    "pulumi": (3, 259, 0), "kwokctl": (0, 8, 0), "kwok": (0, 8, 0), "etcd": (3, 6, 8),
    "kube-apiserver": (1, 36, 3), "kube-controller-manager": (1, 36, 3), "kube-scheduler": (1, 36, 3),
}  # fmt: skip
ALL = set(CLUSTER.programs)


def test_a_newer_pulumi_on_path_is_used():
    assert choose(ENGINE, {"pulumi": (3, 300, 1)}, NEEDED, set()).from_path == ("pulumi",)


def test_an_older_pulumi_on_path_is_not():
    choice = choose(ENGINE, {"pulumi": (3, 258, 9)}, NEEDED, set())
    assert (choice.from_path, choice.to_build) == ((), ("pulumi",))


def test_kwok_and_kwokctl_on_path_fetch_their_own_control_plane():
    choice = choose(CLUSTER, {"kwok": (0, 8, 0), "kwokctl": (0, 9, 0)}, NEEDED, set())
    assert (choice.to_build, choice.fetched) == ((), CONTROL_PLANE)


def test_kwokctl_without_kwok_is_not_enough():
    assert set(choose(CLUSTER, {"kwokctl": (0, 8, 0)}, NEEDED, set()).to_build) == ALL


def test_what_is_in_the_cache_is_preferred_to_a_download():
    choice = choose(CLUSTER, {"kwok": (0, 8, 0), "kwokctl": (0, 8, 0)}, NEEDED, ALL)
    assert (set(choice.from_cache), choice.fetched) == (ALL, ())


def test_an_interrupted_build_goes_on_with_what_is_missing():
    choice = choose(CLUSTER, {}, NEEDED, {"etcd", "kwok"})
    assert set(choice.to_build) == ALL - {"etcd", "kwok"}


def test_a_control_plane_of_two_releases_is_not_taken_from_path():
    mixed = {name: NEEDED[name] for name in ALL} | {"kube-controller-manager": (1, 37, 0)}
    assert "kube-controller-manager" not in choose(CLUSTER, mixed, NEEDED, set()).from_path


@given(
    on_path=st.dictionaries(st.sampled_from(sorted(ALL)), st.sampled_from([(0, 1, 0), (1, 36, 3), (9, 0, 0)])),
    cached=st.sets(st.sampled_from(sorted(ALL))),
)
def test_every_program_comes_from_exactly_one_place(on_path, cached):
    choice = choose(CLUSTER, on_path, NEEDED, cached)
    everything = [*choice.from_path, *choice.from_cache, *choice.to_build, *choice.fetched]
    assert sorted(everything) == sorted(ALL)
    assert set(choice.from_cache) <= cached
    assert all(on_path[name] >= NEEDED[name] for name in choice.from_path)


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("v3.259.0", (3, 259, 0)),
        ("3.260.0-dev.0+dirty", (3, 260, 0)),
        ("kwokctl version v0.8.0 go1.26.8 (linux/amd64)", (0, 8, 0)),
        ("etcd Version: 3.6.8\nGit SHA: Not provided\nGo Version: go1.26.8", (3, 6, 8)),
        ("Kubernetes v1.36.3", (1, 36, 3)),
        ("kwokctl version UNKNOWN", None),
    ],
)
def test_versions_as_the_programs_print_them(said, version):
    assert programs.parse_version(said) == version


@pytest.mark.parametrize("module", [ENGINE, CLUSTER])
def test_the_pinned_versions_are_read_from_go_mod(module):
    go_mod = (checkout() / "tools" / module.name / "go.mod").read_text()
    assert {name: programs.pinned_version(go_mod, PROGRAMS[name].pinned_by) for name in module.programs} == {
        name: NEEDED[name] for name in module.programs
    }


@pytest.mark.parametrize("module", [ENGINE, CLUSTER])
def test_go_mod_names_every_program_so_that_tidy_keeps_it(module):
    go_mod = (checkout() / "tools" / module.name / "go.mod").read_text()
    tools = go_mod[go_mod.index("\ntool") :] if "\ntool (" in go_mod else go_mod
    assert all(PROGRAMS[name].package in tools for name in module.programs)


def test_a_go_mod_without_the_module_is_an_error():
    with pytest.raises(ToolError, match="does not require k8s"):
        programs.pinned_version("module x\n", "k8s.io/kubernetes")


def test_kubernetes_learns_its_version_from_the_linker():
    arguments = " ".join(programs.build_arguments(PROGRAMS["kube-apiserver"], (1, 36, 3)))
    assert "version.gitVersion=v1.36.3 " in arguments
    assert "version.gitMajor=1 " in arguments
    assert "version.gitMinor=36 " in arguments


def test_the_cache_key_follows_dependencies_and_platform_but_not_comments():
    def key(go_mod: str = "a v1\nb v2 // indirect\n", go_sum: str = "s", platform: str = "Linux") -> str:
        return programs.cache_key(CLUSTER, go_mod, go_sum, platform)

    assert key() == key(go_mod="b v2\n\na v1 // indirect\n")
    assert len({key(), key(go_mod="a v1\nb v3\n"), key(go_sum="t"), key(platform="Darwin")}) == 4


def test_the_kubelet_is_built_beside_the_other_tools_which_are_not_built_again_for_it():
    source = checkout() / "tools" / "cluster"
    texts = [(source / name).read_text() for name in ("go.mod", "go.sum")]
    keys = {programs.cache_key(module, *texts, "Linux-x86_64") for module in (CLUSTER, programs.REAL_NODE)}
    assert len(keys) == 2
    assert programs.KUBELET not in CLUSTER.programs
