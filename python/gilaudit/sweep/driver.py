"""Batches of the work list to Dask workers, rows back to the tables. Only this process writes."""

import collections
import contextlib
import time

import distributed
from tqdm import tqdm

from . import audit
from .tables import SCHEMAS

# Rows of so many items are written at once, however little time they took.
COMMIT_ITEMS = 512
# Batches that each thread of a worker has waiting: enough never to idle, few enough that memory does not grow with the work list.
AHEAD = 4


@contextlib.contextmanager
def client(scheduler=None, workers=2, dashboard=None):
    """A client of the cluster at `scheduler`, or of one of its own: single-threaded worker processes on this machine, bound to the loopback."""
    if scheduler:
        with distributed.Client(scheduler) as given:
            yield given
        return
    address = f"127.0.0.1:{dashboard}" if dashboard else None
    with (
        distributed.LocalCluster(n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=address, silence_logs=50) as cluster,
        distributed.Client(cluster) as own,
    ):
        yield own


def run(dask, tables, items, options, size=16, commit_seconds=10.0, work=audit.batch, progress=True):
    """Audits what of `items` is not done, and gives how many that were. `work` is what a worker runs on a batch.

    What took less than `commit_seconds` is lost, and done again, when this process is killed.
    """
    done = tables.done
    waiting = collections.deque(_batches([item for item in items if item["item"] not in done], size))
    writer = _Writer(tables, commit_seconds)
    total = sum(map(len, waiting))
    bar = tqdm(total=len(items), initial=len(items) - total, unit="wheel", disable=not progress, dynamic_ncols=True)
    suspects = []
    try:
        for batch, outcome in _results(dask, waiting, options, work, AHEAD * max(1, sum(dask.nthreads().values()))):
            if isinstance(outcome, dict):
                writer.add(outcome)
                bar.update(len(batch))
            elif len(batch) > 1:
                # One of them kills its worker, or shared a worker with one that does: alone, it will be known.
                waiting.extendleft([item] for item in reversed(batch))
            else:
                suspects.append(batch)
        # Nothing else is under way now, so who loses a worker here is who killed it.
        for batch, outcome in _results(dask, collections.deque(suspects), options, work, 1):
            writer.add(outcome if isinstance(outcome, dict) else audit.unanswered(batch[0], "killed", outcome))
            bar.update(1)
    finally:
        writer.flush()
        bar.close()
    return total


def _results(dask, waiting, options, work, window):
    """Pairs of a batch and its rows, or the reason why its workers died, at most `window` batches under way; `waiting` may grow meanwhile.

    Whatever else a worker raises ends the run: the work never raises for a wheel's sake, so the worker is not set up as it must be.
    """
    flight, asked = distributed.as_completed(), {}

    def fill():
        while waiting and len(asked) < window:
            batch = waiting.popleft()
            # Not pure: the same wheels may be asked about again after a worker died with them.
            future = dask.submit(work, batch, options, pure=False)
            asked[future.key] = batch
            flight.add(future)

    fill()
    for future in flight:
        batch = asked.pop(future.key)
        try:
            # May wait again: rows that only a worker had that has died since are made anew.
            outcome = future.result()
        except distributed.KilledWorker as error:
            outcome = str(error).splitlines()[0]
        yield batch, outcome
        future.release()
        fill()


def _batches(items, size):
    return [items[start:start + size] for start in range(0, len(items), size)]


class _Writer:
    """Rows that are not written yet."""

    def __init__(self, tables, seconds):
        self.tables, self.seconds, self.rows, self.since = tables, seconds, {name: [] for name in SCHEMAS}, time.monotonic()

    def add(self, rows):
        for name in SCHEMAS:
            self.rows[name] += rows[name]
        if len(self.rows["files"]) >= COMMIT_ITEMS or time.monotonic() - self.since > self.seconds:
            self.flush()

    def flush(self):
        if self.rows["files"]:
            self.tables.commit(self.rows)
        self.rows, self.since = {name: [] for name in SCHEMAS}, time.monotonic()
