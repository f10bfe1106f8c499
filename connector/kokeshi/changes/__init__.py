"""Changes of an index: whole documents, some fields of documents, and deletes, with versions."""

from kokeshi.changes.model import Change, ChangeReport, parse_change

__all__ = ["Change", "ChangeReport", "parse_change"]
