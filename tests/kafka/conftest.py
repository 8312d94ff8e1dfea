"""What the tests of consumers ask for; everything is in `consuming`."""

from consuming import real, rig

__all__ = ["real", "rig"]
