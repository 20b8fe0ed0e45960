"""What a recipient may do, in the three spellings that peers read (dialects.md, 3.6)."""

import pytest

from gateway.model.share import Permission
from gateway.ocm.dialects.davwords import letters, ocm_list, ocs_mask

READ, WRITE, SHARE = Permission.READ, Permission.WRITE, Permission.SHARE


@pytest.mark.parametrize(
    ("permissions", "is_folder", "is_root", "mask"),
    [
        (set(), True, True, 1),
        ({READ}, False, False, 1),
        ({READ}, True, False, 1),
        ({SHARE}, False, False, 17),
        ({READ, SHARE}, True, True, 17),
        ({WRITE}, True, True, 15),
        ({READ, WRITE}, True, False, 15),
        ({WRITE}, False, True, 3),
        ({WRITE}, False, False, 11),
        ({READ, WRITE, SHARE}, True, False, 31),
    ],
)
def test_the_bit_mask(permissions, is_folder, is_root, mask):
    """One reads, two updates, four creates (in a folder), eight deletes (but no shared file), sixteen shares on."""
    assert ocs_mask(permissions, is_folder=is_folder, is_root=is_root) == mask


@pytest.mark.parametrize(
    ("permissions", "text"),
    [
        (set(), '["read"]'),
        ({READ}, '["read"]'),
        ({WRITE}, '["read", "write"]'),
        ({SHARE, WRITE, READ}, '["read", "write", "share"]'),
        ({SHARE}, '["read", "share"]'),
    ],
)
def test_the_list(permissions, text):
    """The list names each permission once, in the draft's order, and always `read`."""
    assert ocm_list(permissions) == text


@pytest.mark.parametrize(
    ("permissions", "is_folder", "is_root", "text"),
    [
        (set(), True, True, "G"),
        ({READ}, False, False, "G"),
        ({READ, SHARE}, True, False, "RG"),
        ({WRITE}, True, True, "GCK"),
        ({WRITE}, True, False, "GDNVCK"),
        ({WRITE}, False, True, "GW"),
        ({WRITE}, False, False, "GDNVW"),
        ({READ, WRITE, SHARE}, False, False, "RGDNVW"),
    ],
)
def test_the_letters(permissions, is_folder, is_root, text):
    """A shared root is neither deleted, renamed nor moved; files are written, folders are filled."""
    assert letters(permissions, is_folder=is_folder, is_root=is_root) == text
