"""The journal on disk: which runs there are, what they hold, where they end."""

from sniperforge.journal.reader import Batch, Place, Reader, Record, Tail, run_files, runs, segment_path

__all__ = ["Batch", "Place", "Reader", "Record", "Tail", "run_files", "runs", "segment_path"]
