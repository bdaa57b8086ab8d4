"""Reads a site file from disk and checks all of it."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from hub.config.document import BROKEN, Document, compose, read_struct
from hub.config.problems import Problem
from hub.config.rules import check
from hub.site import Site

# A site with 200 desks and 300 nodes stays below 100 kB.
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class SiteFile:
    """A valid site. `warnings`: what looks wrong but does not prevent a start."""

    path: Path
    site: Site
    warnings: tuple[Problem, ...]

    def warning_lines(self) -> list[str]:
        return _lines(self.path, self.warnings)


class WrongSiteFile(ValueError):
    """A site file the hub cannot start with.

    `str()` has one line per problem, `file:line: key: what would be right`.
    """

    def __init__(self, path: Path, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(_lines(path, problems)))
        self.path = path
        self.problems = problems


class SiteFileMissing(WrongSiteFile):
    """There is no such file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, ())

    def __str__(self) -> str:
        return f"{self.path} does not exist"


def read_site(path: Path) -> SiteFile:
    """The checked site. Raises WrongSiteFile with every problem found, also if the file cannot be read."""
    site, problems = check_text(_text(path), path)
    if site is None:
        raise WrongSiteFile(path, problems)
    return SiteFile(path, site, problems)


def check_text(text: str, path: Path) -> tuple[Site | None, tuple[Problem, ...]]:
    """The site, or None if it is wrong, and its problems in the order of the file.

    Raises WrongSiteFile if the text is empty or is not YAML.
    """
    try:
        node = compose(text)
    except yaml.YAMLError as error:
        raise WrongSiteFile(path, (_yaml_problem(error, text),)) from error
    except RecursionError:
        raise WrongSiteFile(
            path, (Problem(1, "", "the lists or keys are nested too deeply: this is not a site file"),)
        ) from None
    if node is None:
        raise WrongSiteFile(
            path, (Problem(1, "", "the file is empty: `suivant config example` prints one to begin with"),)
        )
    document = Document()
    site = read_struct(document, node, Site)
    check(document, complete=site is not BROKEN)
    problems = tuple(sorted(document.problems, key=lambda each: each.line))
    right = site is not BROKEN and all(each.warning for each in problems)
    return (site if right else None), problems


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise WrongSiteFile(
                path, (Problem(1, "", f"the file has {len(data)} bytes: at most {MAX_BYTES} are allowed"),)
            )
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise SiteFileMissing(path) from None
    except OSError as error:
        what = (
            f"the site file cannot be read ({error.strerror}): allow the hub's user to read it, or name another file, "
            "for the hub in SUIVANT_SITE_FILE"
        )
        raise WrongSiteFile(path, (Problem(0, "", what),)) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WrongSiteFile(path, (Problem(line, "", "this line is not UTF-8: save the file as UTF-8"),)) from error


def _yaml_problem(error: yaml.YAMLError, text: str) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        what = f"this contains the character U+{ord(text[error.position]):04X}, which YAML does not allow: delete it"
        return Problem(line, "", what)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or str(error)
    line = mark.line + 1 if mark is not None else 1
    column = f", at column {mark.column + 1}" if mark is not None else ""
    return Problem(line, "", f"this is not YAML{column}: {what}; check indentation, quotes and colons here and above")


def _lines(path: Path, problems: tuple[Problem, ...]) -> list[str]:
    return [_place(path, each) + ("warning: " if each.warning else "") + str(each) for each in problems]


def _place(path: Path, problem: Problem) -> str:
    return f"{path}:{problem.line}: " if problem.line else f"{path}: "
