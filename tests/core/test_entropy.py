"""Random bytes by the block: none is handed out twice, not even to a forked child."""

import os

from hypothesis import given
from hypothesis import strategies as st

from signalink_core import entropy


@given(st.lists(st.integers(min_value=0, max_value=3 * entropy.BLOCK_BYTES), max_size=20))
def test_every_size_is_served(sizes: list[int]) -> None:
    assert [len(entropy.take(size)) for size in sizes] == sizes


def test_no_bytes_come_twice() -> None:
    taken = [entropy.take(16) for _ in range(5_000)]
    assert len(set(taken)) == len(taken)


def test_a_forked_child_gets_other_bytes_than_its_parent() -> None:
    entropy.take(1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, entropy.take(16))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reading, 16) != entropy.take(16)
    os.close(reading)
    os.close(writing)
