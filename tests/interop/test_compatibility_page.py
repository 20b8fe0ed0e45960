"""The page of compatibility is true: it is what the matrix says, and the matrix has a story for each of its cells."""

from interop import compatibility, matrix
from interop.matrix import Evidence
from interop.peers.every import PEERS


def test_the_page_is_what_the_matrix_says():
    """docs/compatibility.md is the output of `make docs`."""
    assert compatibility.PAGE.read_text() == compatibility.page()


def test_every_cell_says_how_it_is_known():
    """No cell is called captured unless that product was running, and what is only announced is not proven."""
    ways = [(way, cell) for way in ("sender", "receiver") for cell in matrix.cells(way)]
    known = {peer.product: {matrix.evidence(peer.product, *one) for one in ways} for peer in PEERS}
    captured = {product for product, kinds in known.items() if Evidence.CAPTURED in kinds}
    assert captured == {"Nextcloud 31", "Nextcloud 33", "ownCloud 10"}
    assert known["Nextcloud 35"] == {Evidence.NONE}
