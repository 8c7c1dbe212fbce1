"""Python code while it is written: lines, blocks, names that are not taken, and the objects that names stand for."""

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tailrace.streams.code.flow import Flow
    from tailrace.streams.task import Task

INDENT = "    "
NO_LETTER = re.compile(r"\W")
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


class Names:
    """The names of one module of generated code: variables, constants, and objects that each task has its own of."""

    def __init__(self, *, guards_writes: bool = False) -> None:
        # Whether an output that cannot be written is told apart from a step that failed.
        self.guards_writes = guards_writes
        self._numbers: dict[str, Iterator[int]] = {}
        self.made: list[str] = []
        self._by_owner: dict[Hashable, str] = {}
        self.constants: dict[str, object] = {}
        self.functions: set[str] = set()
        # Functions of no argument that close windows whose time has come.
        self.closers: list[str] = []
        # Objects that know when the clock makes something due, and functions that do it.
        self.clocked: list[tuple[str, str]] = []
        self.of_task: dict[str, Callable[[Task], object]] = {}

    def new(self, hint: str) -> str:
        """Give a name that nobody else has."""
        hint = NO_LETTER.sub("_", hint)
        name = f"{hint}_{next(self._numbers.setdefault(hint, count()))}"
        self.made.append(name)
        return name

    def is_global(self, name: str) -> bool:
        """Whether a name is the same everywhere in the module, other than a variable."""
        return name in self.constants or name in self.of_task or name in self.functions

    def of(self, owner: Hashable, hint: str) -> str:
        """Give the name that belongs to an owner; the same one each time."""
        if owner not in self._by_owner:
            self._by_owner[owner] = self.new(hint)
        return self._by_owner[owner]

    def constant(self, value: object, hint: str) -> str:
        """Give a name that stands for an object."""
        name = self.of((id(value), hint), hint)
        self.constants[name] = value
        return name


class Code:
    """Lines of code within one function; `module` has the functions that stand before it."""

    def __init__(self, names: Names, depth: int = 0, module: "Code | None" = None) -> None:
        self.names = names
        self.module = module or self
        self.lines: list[str] = []
        self.depth = depth

    def line(self, text: str) -> None:
        """Write a line."""
        self.lines.append(INDENT * self.depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Write a line that ends in a colon, and what it governs; `pass` if that is nothing."""
        self.line(head)
        self.depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.line("pass")
        self.depth -= 1

    def nested(self, levels: int = 1) -> "Code":
        """Begin code that is written before the lines that will stand above it; `append` it afterwards."""
        return Code(self.names, self.depth + levels, self.module)

    def append(self, code: "Code") -> None:
        """Take over the lines of nested code."""
        self.lines += code.lines

    def function(
        self, hint: str, parameters: Sequence[str], write: "Callable[[Code], None]", *, name: str | None = None
    ) -> tuple[str, list[str]]:
        """Write a function, and give its name and those of the parameters that its code names, which are all it has."""
        name = name or self.names.new(hint)
        self.names.functions.add(name)
        body = self.module.nested()
        write(body)
        used = [p for p in parameters if not self.names.is_global(p) and body.mentions(p)]
        with self.module.block(f"def {name}({', '.join(used)}):"):
            self.module.append(body)
        return name, used

    def assign(self, hint: str, expression: str) -> str:
        """Write an assignment to a new variable, and give its name."""
        name = self.names.new(hint)
        self.line(f"{name} = {expression}")
        return name

    def advance_time(self, flow: "Flow") -> None:
        """Write that the task's time goes on to a record's, unless it has passed that."""
        time = self.member("time")
        with self.block(f"if {flow.timestamp} > {time}.now:"):
            self.line(f"{time}.now = {flow.timestamp}")

    def closer(self, owner: Hashable, write: "Callable[[Code], None]") -> str:
        """Write the function that closes windows whose time has come, once for each owner, and give its name."""
        name = self.names.of(("close", owner), "close")
        if not self.names.is_global(name):
            self.function("close", (), write, name=name)
            self.names.closers.append(name)
        return name

    @contextmanager
    def keyed(self, flow: "Flow") -> Iterator[None]:
        """Write what needs a key; a record without one is unreadable for it."""
        with self.block(f"if {flow.key_bytes} is None:"):
            self.line(f"{self.member('failures.without_key')}({flow.record})")
        with self.block("else:"):
            yield

    def constant(self, value: object, hint: str) -> str:
        """Give the name of an object."""
        return self.names.constant(value, hint)

    def per_task(self, make: "Callable[[Task], object]", hint: str) -> str:
        """Give the name of an object that `make` makes for each task."""
        name = self.names.new(hint)
        self.names.of_task[name] = make
        return name

    def shared(self, owner: Hashable, make: "Callable[[Task], object]", hint: str) -> str:
        """Give the name of an object that `make` makes for each task, the same one for the same owner."""
        name = self.names.of(owner, hint)
        self.names.of_task.setdefault(name, make)
        return name

    def member(self, path: str) -> str:
        """Give the name of an attribute of the task, or of one of its parts."""
        name = path.rpartition(".")[2]
        self.names.of_task[name] = attrgetter(path)
        return name

    def store(self, store: str, method: str) -> str:
        """Give the name of a method of one of the task's stores."""
        name = self.names.of((store, method), f"{method}_{store}")
        self.names.of_task[name] = lambda task: getattr(task.store(store), method)
        return name

    def reader(self, table: str) -> str:
        """Give the name of what reads a table by decoded keys."""
        name = self.names.of(("reader", table), f"table_{table}")
        self.names.of_task[name] = lambda task: task.reader(table)
        return name

    def table(self, topic: str, method: str) -> str:
        """Give the name of a method of a table's store, whose keys are encoded."""
        name = self.names.of(("table", topic, method), f"{method}_{topic}")
        self.names.of_task[name] = lambda task: getattr(task.table(topic).store, method)
        return name

    def replace(self, name: str, expression: str) -> None:
        """Write an expression where a variable is named, outside of quotes."""
        pattern = re.compile(rf"{QUOTED.pattern}|(?<!\.)\b({name})\b")
        self.lines = [pattern.sub(lambda m: expression if m[1] else m[0], line) for line in self.lines]

    def mentions(self, name: str) -> int:
        """How often a variable is named, outside of quotes and not as an attribute of another."""
        pattern = re.compile(rf"(?<!\.)\b{name}\b")
        return sum(len(pattern.findall(QUOTED.sub("", line))) for line in self.lines)
