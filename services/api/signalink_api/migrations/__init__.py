"""Migrations of schema `messaging`, shipped with the api. Owns tables, functions, views and grants of that schema.

One revision is one module in `versions` and one folder in `sql`; a released revision is never edited.
"""
