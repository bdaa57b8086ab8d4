"""Makes local accounts for the demo's people with the hub's own commands.

Each account takes some seconds, so the database with them is kept beside the demo's and copied at the next start.
"""

import asyncio
import hashlib
import itertools
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from demo.people import AGENTS, GUESTS, PASSWORD, Member
from demo.stage import COMMANDS, REPOSITORY, SITE_FILE

FOLDER = "people"
MIGRATIONS = REPOSITORY / "hub/database/migrations/versions"


class NotMade(RuntimeError):
    """A command failed; the message holds its output."""


async def make_accounts(hub: Mapping[str, str]) -> None:
    """Put a database with everybody's account where a hub with these settings looks for its own.

    Raises NotMade.
    """
    state = Path(hub["SUIVANT_STATE_DIR"])
    kept = state.with_name(FOLDER)
    made, wanted = kept / "made", _print()
    if not made.exists() or made.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        await _make(kept, {**hub, "SUIVANT_STATE_DIR": str(kept)})
        made.write_text(wanted, encoding="utf-8")
    for file in kept.glob("*.db*"):
        shutil.copy(file, state)


async def _make(kept: Path, settings: Mapping[str, str]) -> None:
    everybody = (*GUESTS, *AGENTS)
    print(
        f"demo: creating {len(everybody)} accounts before the hub starts; each takes some seconds. Later starts reuse "
        "them.",
        flush=True,
    )
    (kept / "password").write_text(PASSWORD, encoding="utf-8")
    await _run(settings, "database", "upgrade")
    turns = asyncio.Semaphore(os.cpu_count() or 1)
    created = itertools.count(1)

    async def create(member: Member) -> None:
        about = ["--name", member.name, "--role", member.role, "--password-file", str(kept / "password")]
        async with turns:
            await _run(settings, "admin", "create", member.account, *about)
            print(f"demo: {next(created)} of {len(everybody)} accounts created", flush=True)

    try:
        async with asyncio.TaskGroup() as all_at_once:
            for member in everybody:
                all_at_once.create_task(create(member))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def _run(settings: Mapping[str, str], *words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        COMMANDS / "suivant",
        *words,
        env=settings,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise NotMade(f"suivant {' '.join(words[:3])}: {said.decode(errors='replace').strip()}")


def _print() -> str:
    """A fingerprint of people, town hall and tables: if it has changed, the kept accounts are another demo's."""
    files = [SITE_FILE, *sorted(MIGRATIONS.glob("*.py"))]
    parts = [repr((PASSWORD, GUESTS, AGENTS)).encode(), *(file.read_bytes() for file in files)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
