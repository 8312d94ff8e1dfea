"""The checker's own proof: a seeded model of clean runs, and mutators that break them in one named way each.

Owns nothing that judges a real run. `tests/history` runs every mutator on 200 seeds before any fault test counts.
"""
