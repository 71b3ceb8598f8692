"""Outputs held to what their APIs say of themselves, from the job's text alone: no system is asked, not even a source."""

from __future__ import annotations

from dataclasses import replace

from ludb.engine.migration import Migration
from ludb.model.findings import Finding
from ludb.ports.target import CanCompare
from ludb.project.columns import columns_of
from ludb.project.folder import JobFolder


def described(job: JobFolder, migration: Migration) -> list[Finding]:
    """What the SELECT of each step lacks that an API demands (errors), and what it holds that the API does not know
    (warnings). Nothing of steps whose columns do not stand in their text: a start, and `examine`, bind those as well.
    """
    found: list[Finding] = []
    for step in (one for folder in job.step_folders for one in folder.steps):
        spec = migration.job.outputs[step.output]
        target = migration.calls.get(spec.system) if spec.call is not None else None
        if isinstance(target, CanCompare) and target.described():
            columns = columns_of(step)
            told = target.compare(step.output, columns) if columns is not None else ()
            found += [replace(one, text=f"{step.name}: {one.text.removeprefix(f'{step.output}: ')}") for one in told]
    return found
