"""Audits of many wheels on a Dask cluster: ``python -m gilaudit.sweep run``.

The work list is frozen first (``plan``), then audited in batches by the gilaudit command on Dask workers (``audit``, ``driver``), and
written by the driver alone to Parquet tables (``tables``), which pandas, Polars and DuckDB read. ``summary`` makes one HTML page of them.

Needs what ``pip install gilaudit[sweep]`` installs, and Python 3.11 or newer.
"""
