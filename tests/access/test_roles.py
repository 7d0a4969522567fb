"""Roles, actions and partitions."""

import json
from typing import Any

import pytest

from shared.access.roles import DataAction, Permissions, Roles, custom_roles

CUSTOM = [
    {"name": "Cardiology", "actions": ["read", "write"], "partitions": ["cardio-*", "shared"]},
    {"name": "Curator", "actions": ["*"], "notActions": ["delete"], "partitions": ["teaching"]},
    {"name": "Cleaner", "actions": ["delete"], "partitions": ["*-old"]},
    {"name": "Exporter", "actions": ["export", "read"]},
    {"name": "Nothing", "actions": ["read"], "notActions": ["*"]},
    {"name": "Patterns", "actions": ["read"], "partitions": ["a*b*c", "x.y", "**.z"]},
]
ROLES = Roles(custom_roles(json.dumps(CUSTOM)))

PARTITIONS = ("Microsoft.Default", "cardio-1", "cardio-old", "shared", "teaching", "neuro")
ACTIONS = {"r": "read", "w": "write", "d": "delete", "m": "manageExtendedQueryTags", "e": "export", "-": None}

MATRIX = {
    #                                    Microsoft.Default cardio-1 cardio-old shared teaching neuro
    (): "- - - - - -",
    ("Unknown",): "- - - - - -",
    ("Nothing",): "- - - - - -",
    ("dicomdataowner",): "- - - - - -",
    ("DicomDataOwner",): "rwdme rwdme rwdme rwdme rwdme rwdme",
    ("DICOM Data Owner",): "rwdme rwdme rwdme rwdme rwdme rwdme",
    ("globalAdmin",): "rwdme rwdme rwdme rwdme rwdme rwdme",
    ("DicomDataReader",): "r r r r r r",
    ("DICOM Data Reader",): "r r r r r r",
    ("globalReader",): "r r r r r r",
    ("Cardiology",): "- rw rw rw - -",
    ("Curator",): "- - - - rwme -",
    ("Cleaner",): "- - d - - -",
    ("Exporter",): "re re re re re re",
    ("Cardiology", "Cleaner"): "- rw rwd rw - -",
    ("Cardiology", "Exporter"): "re rwe rwe rwe re re",
    ("Curator", "DicomDataOwner"): "rwdme rwdme rwdme rwdme rwdme rwdme",
    ("Nothing", "DicomDataReader"): "r r r r r r",
    ("Unknown", "Cleaner", "Curator"): "- - d - rwme -",
}


@pytest.mark.parametrize("roles", MATRIX, ids=" + ".join)
def test_matrix(roles: tuple[str, ...]) -> None:
    permissions = ROLES.permissions(frozenset(roles))
    cells = MATRIX[roles].split()
    allowed = {
        name: {ACTIONS[letter] for letter in cell} - {None} for name, cell in zip(PARTITIONS, cells, strict=True)
    }
    for action in DataAction:
        where = [name for name in PARTITIONS if action in allowed[name]]
        assert [name for name in PARTITIONS if permissions.allows(action, name)] == where
        assert permissions.partitions(action, PARTITIONS) == where
        assert permissions.partitions(action, reversed(PARTITIONS)) == where[::-1]
        assert permissions.allows_anywhere(action) == bool(where)
        assert permissions.unrestricted(action) == (len(where) == len(PARTITIONS))


@pytest.mark.parametrize("name", ["abc", "a-b-c", "a..bb..c", "x.y", ".z", "any.z"])
def test_names_that_a_pattern_matches(name: str) -> None:
    assert ROLES.permissions(frozenset({"Patterns"})).allows(DataAction.READ, name)


@pytest.mark.parametrize("name", ["", "ac", "abcd", "ABC", "xay", "x.y.", "z", "any.zz", "a*b*", "abc\n"])
def test_names_that_no_pattern_matches(name: str) -> None:
    assert not ROLES.permissions(frozenset({"Patterns"})).allows(DataAction.READ, name)


@pytest.mark.parametrize("everything", [["*"], ["**"], ["a", "*"]])
def test_everything_is_more_than_every_name(everything: list[str]) -> None:
    text = json.dumps([{"name": "R", "actions": ["read"], "partitions": everything}])
    assert Permissions(custom_roles(text)).unrestricted(DataAction.READ)


def test_a_hostile_pattern_takes_no_time() -> None:
    text = json.dumps([{"name": "R", "actions": ["read"], "partitions": ["*a" * 31 + "*b"]}])
    assert not Permissions(custom_roles(text)).allows(DataAction.READ, "a" * 64)


def test_permissions_are_computed_once() -> None:
    first = ROLES.permissions(frozenset({"Cardiology", "Cleaner"}))
    assert ROLES.permissions(frozenset({"Cleaner", "Cardiology", "Unknown"})) is first


def test_actions() -> None:
    assert {str(action) for action in DataAction} == set(ACTIONS.values()) - {None}


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ("[", "DICOM_ROLES is not JSON: "),
        ({}, "DICOM_ROLES is not a JSON list of roles."),
        (["Cardiology"], "DICOM_ROLES: role 1 is not a JSON object."),
        ([{"actions": ["read"]}], "role 1, field name: Field required."),
        ([{"name": " ", "actions": ["read"]}], "field name: String should have at least 1 character"),
        ([CUSTOM[0], {"name": "B"}], 'role 2 ("B"), field actions: Field required.'),
        ([{"name": "B", "actions": []}], 'role 1 ("B"), field actions: '),
        ([{"name": "B", "actions": "read"}], 'role 1 ("B"), field actions: '),
        ([{"name": "B", "actions": ["reed"]}], "field actions.0: Input should be 'read', 'write'"),
        ([{"name": "B", "actions": ["read"], "notActions": ["x"]}], "field notActions.0: Input should be"),
        ([{"name": "B", "actions": ["read"], "partitions": []}], "field partitions: "),
        ([{"name": "B", "actions": ["read"], "partitions": ["a/b"]}], "field partitions.0: String should match"),
        ([{"name": "B", "actions": ["read"], "partitions": ["a\n"]}], "field partitions.0: String should match"),
        ([{"name": "B", "actions": ["read"], "scopes": ["/"]}], "field scopes: Extra inputs are not permitted."),
        ([{"name": "B", "actions": ["x"], "partitions": ["?"]}], "; field partitions.0: "),
        ([CUSTOM[0], CUSTOM[0]], 'role 2, field name: there is a role "Cardiology" already.'),
        ([{"name": "DicomDataReader", "actions": ["*"]}], 'there is a role "DicomDataReader" already.'),
    ],
)
def test_mistakes_are_told_by_role_and_field(roles: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"^DICOM_ROLES") as caught:
        custom_roles(roles if isinstance(roles, str) else json.dumps(roles))
    assert message in str(caught.value)
