"""The command for the day after a restore: recover."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ludb.cli import options
from ludb.cli.console import answer, out
from ludb.wording import plural

if TYPE_CHECKING:
    from ludb.service.restored import Gap


def recover(
    job: options.Job,
    from_ledgers: Annotated[
        bool, typer.Option("--from-ledgers", help="Do it: believe the targets' ledgers and the journal.")
    ] = False,
    assume_unsent: Annotated[
        bool, typer.Option("--assume-unsent", help="Calls that nobody can look up were not made since the backup.")
    ] = False,
    yes: options.Yes = False,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Show how ledgers and repository differ after one of them was restored from a backup; bring them together again."""
    from ludb.service.restored import close_gap, find_gap
    from ludb.service.site import open_site

    site = open_site(state=state, repository=repository, folder=job, create=False)
    gap = find_gap(site, job)
    if not json:
        _show(gap)
    changed: list[str] = []
    if gap and from_ledgers:
        options.confirm(yes, "Believe the ledgers and go on?", what="the ledgers are to be believed")
        changed = close_gap(site, job, gap, assume_unsent=assume_unsent)
    if json:
        answer({
            "lost": {run: [asdict(one) for one in found] for run, found in gap.lost.items()}, "hopeless": gap.hopeless,
            "reopened": gap.reopened, "seq": gap.seq, "changed": changed,
        })  # fmt: skip
    elif changed:
        out.print(
            f"{', '.join(changed)}: go on with `ludb run {job}`; what is decided is written first", soft_wrap=True
        )
    elif gap:
        out.print(f"nothing was changed; to believe the ledgers: ludb recover {job} --from-ledgers", soft_wrap=True)


def _show(gap: Gap) -> None:
    if not gap:
        out.print("ledgers and repository agree")
    for run, found in gap.lost.items():
        units = sum(len(one.positions) for one in found)
        out.print(
            f"{run}: {plural(len(found), 'transaction')} of {plural(units, 'unit')} committed in targets and unknown to the "
            "repository; the journal is there, so this can be adopted", soft_wrap=True, markup=False,
        )  # fmt: skip
    for run, txns in gap.reopened.items():
        out.print(
            f"{run}: {plural(len(txns), 'finished transaction is', 'finished transactions are')} missing in a target, and will "
            "be written again from the journal",
            soft_wrap=True, markup=False,
        )  # fmt: skip
    for txn, why in gap.hopeless.items():
        out.print(f"{txn} cannot be adopted: {why}", soft_wrap=True, markup=False)
