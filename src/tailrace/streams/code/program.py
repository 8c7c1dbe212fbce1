"""A sub-topology as a module of Python code: a function for each of its sources, made once and bound to every task.

What `payments.filter(is_large).to("large-payments")` becomes:

    def source_0(records):
        try:
            for record in records:
                value_bytes = record.value()
                try:
                    if value_bytes is None: raise no_value
                    value = decode_0(value_bytes)
                except SerdeError as error:
                    unreadable(record, error)
                    continue
                if predicate_0(value):
                    emit(('large-payments', -1, record.key(), value_bytes, None, record.timestamp()[1]))
        except Exception as error:
            failed(record, error)

What no step looks at is not decoded, and what no step has changed is written as it was read. That goes for the fields
of a value, too, where the code of functions tells which of them they look at (`tailrace.streams.code.fields`).
"""

import linecache
import re
import traceback
from ast import literal_eval
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import decoder_of
from tailrace.streams.code.code import QUOTED, Code, Names
from tailrace.streams.code.flow import PART, RARELY, Flow
from tailrace.streams.node import Meeting, Node
from tailrace.streams.operators.source import StreamSource, TableSource
from tailrace.streams.processor import ProcessorContext
from tailrace.streams.record import Record

if TYPE_CHECKING:
    from tailrace.streams.task import Task

# Processes consecutive records of one topic.
Process = Callable[[Sequence[Record]], None]

# Python's compiler takes 20 nested loops.
DEPTH_MAX = 12
# What counts a record at a step, where that is wanted, is the first line of the step.
COUNT = re.compile(r"( *)counted\[(\d+)\] \+= 1")
# What writes to a topic whose name is known.
EMIT = re.compile(rf" *emit\(\(({QUOTED.pattern}), ")
PARTS = ("key", "value", "timestamp", "record", "key_bytes", "old")


class Functions(NamedTuple):
    """The functions of a task: what processes records, by topic; what closes windows; what the clock makes due."""

    processes: dict[str, Process]
    closers: list[Callable[[], None]]
    clocked: list[tuple[ProcessorContext, Callable[[], None]]]


class Program:
    """The code of the sources given, each with the topics that it reads, and of all that follows them.

    `recovers`: whether a record that a step failed on is undone alone, so that the next one can follow.
    `guards_writes`: whether an output that no serde can write is left to the task. `counted`: the steps that count the
    records that come to them, by their numbers here, in the task's counters.
    """

    def __init__(
        self,
        name: str,
        sources: Iterable[tuple[Node, tuple[str, ...]]],
        *,
        recovers: bool,
        guards_writes: bool = False,
        counted: Sequence[Node] = (),
    ) -> None:
        self._names = Names(guards_writes=guards_writes)
        self._names.constants |= {"SerdeError": SerdeError, "no_value": SerdeError("the record has no value")}
        self._recovers = recovers
        self._counted = {id(node): number for number, node in enumerate(counted)}
        self._module = Code(self._names, 1)
        self._shared: dict[int, tuple[str, list[str]]] = {}
        self._processes: dict[str, str] = {}
        for node, topics in sources:
            self._processes |= dict.fromkeys(topics, self._source(node))
        self.text = self._text()
        self._file = f"<topology {name}>"
        # Tracebacks show the lines of the code.
        linecache.cache[self._file] = (len(self.text), None, self.text.splitlines(keepends=True), self._file)
        self._lines = self.text.splitlines()
        self._code = compile(self.text, self._file, "exec")

    def bind(self, task: "Task") -> Functions:
        """Make the functions for a task."""
        scope: dict[str, Any] = dict(self._names.constants)
        exec(self._code, scope)
        return Functions(*scope["bind"](*(make(task) for make in self._names.of_task.values())))

    def step_of(self, error: Exception) -> int | None:
        """The number of the counted step whose code raised an error, directly or in what it called."""
        line = self._line_of(error)
        return None if line is None else _step_at(self._lines, line)

    def topic_of(self, error: Exception) -> str | None:
        """The topic that was to be written to when an error was raised, if it was then."""
        line = self._line_of(error)
        written = None if line is None else EMIT.match(self._lines[line - 1])
        return None if written is None else str(literal_eval(written[1]))

    def _line_of(self, error: Exception) -> int | None:
        """The number of the line that raised an error, or that called what did."""
        places = traceback.walk_tb(error.__traceback__)
        lines = [line for frame, line in places if frame.f_code.co_filename == self._file]
        return lines[-1] if lines else None

    def _text(self) -> str:
        entries = ", ".join(f"{topic!r}: {process}" for topic, process in self._processes.items())
        head = f"def bind({', '.join(self._names.of_task)}):"
        closers = ", ".join(self._names.closers)
        clocked = ", ".join(f"({context}, {function})" for context, function in self._names.clocked)
        return "\n".join([head, *self._module.lines, f"    return {{{entries}}}, [{closers}], [{clocked}]", ""])

    def _source(self, node: Node) -> str:
        source = node.operator
        assert isinstance(source, StreamSource | TableSource)
        name = self._names.new("source")
        body = self._module.nested(4 if self._recovers else 3)
        fields: set[str] | None = None if source.nullable or source.timestamp is not None else set()
        flow = Flow(
            "key", "value", "timestamp", "record", "key_bytes", "value_bytes", source.key, source.value, fields=fields
        )
        self._emit(node, body, flow)
        code = self._module
        with code.block(f"def {name}(records):"):
            with code.block("try:"), code.block("for record in records:"):
                self._prologue(code, source, body, fields)
                if self._recovers:
                    self._guarded(code, body)
                else:
                    code.append(body)
            with code.block("except Exception as error:"):
                code.line(f"{code.member('failures.failed')}(record, error)")
        return name

    def _prologue(self, code: Code, source: StreamSource | TableSource, body: Code, fields: set[str] | None) -> None:
        """Write how the parts that the body names come out of the record; `fields`: those of PART."""
        key = body.mentions("key")
        timestamp = body.mentions("timestamp")
        if body.mentions(RARELY):
            rarely = (
                "value" if body.mentions("value") else f"{code.constant(source.value.decode, 'decode')}(value_bytes)"
            )
            body.replace(RARELY, rarely)
        whole = body.mentions("value") or (timestamp and source.timestamp is not None)
        part = body.mentions(PART)
        value = whole or part
        if not key and body.mentions("key_bytes") == 1:
            body.replace("key_bytes", "record.key()")
        elif key or body.mentions("key_bytes"):
            code.line("key_bytes = record.key()")
        if value or body.mentions("value_bytes"):
            code.line("value_bytes = record.value()")
        if key or value:
            with code.block("try:"):
                if key:
                    decode = code.constant(source.key.decode, "decode")
                    code.line(f"key = None if key_bytes is None else {decode}(key_bytes)")
                if value:
                    self._decode_value(code, source, PART if part and not whole else "value", fields)
            with code.block("except SerdeError as error:"):
                code.line(f"{code.member('failures.unreadable')}(record, error)")
                code.line("continue")
        if part and whole:
            code.line(f"{PART} = value")
        if timestamp:
            extract = source.timestamp
            expression = "record.timestamp()[1]"
            if extract is not None:
                expression = f"{code.constant(extract, 'extract')}(record, value)"
            elif timestamp == 1:
                # Most records may never come to where it is named.
                body.replace("timestamp", expression)
                return
            code.line(f"timestamp = {expression}")

    def _decode_value(
        self, code: Code, source: StreamSource | TableSource, variable: str, fields: set[str] | None
    ) -> None:
        if source.nullable:
            decode = code.constant(source.value.decode, "decode")
            code.line(f"value = None if value_bytes is None else {decode}(value_bytes)")
            return
        decoder = source.value.decode if variable == "value" else decoder_of(source.value, fields or ())
        code.line("if value_bytes is None: raise no_value")
        code.line(f"{variable} = {code.constant(decoder, 'decode')}(value_bytes)")

    def _guarded(self, code: Code, body: Code) -> None:
        """Write the body so that what a failing record did is undone, and the next one goes on."""
        code.line(f"{code.member('mark')}()")
        with code.block("try:"):
            code.append(body)
        with code.block("except Exception as error:"):
            code.line(f"{code.member('undo')}(record, error)")

    def _children(self, node: Node, code: Code, flow: Flow) -> None:
        before = len(code.lines)
        for child in node.children:
            self._node(child, code, flow)
        if len(code.lines) == before:
            code.line("pass")

    def _node(self, node: Node, code: Code, flow: Flow) -> None:
        if len(node.parents) > 1:
            self._call(node, code, flow)
        elif code.depth > DEPTH_MAX:
            self._outline(node, code, flow)
        else:
            self._emit(node, code, flow)

    def _outline(self, node: Node, code: Code, flow: Flow) -> None:
        """Write a step and what follows as a function of its own, which gets the variables that it names."""
        variables = [*PARTS, PART, RARELY, "value_bytes", *self._names.made]
        name, used = code.function("deep", variables, lambda body: self._emit(node, body, flow))
        # An argument is there always, so what is rarely needed has to be decoded with the rest.
        code.line(f"{name}({', '.join('value' if each == RARELY else each for each in used)})")

    def _call(self, node: Node, code: Code, flow: Flow) -> None:
        """Write the call of a step that several others feed; its code is a function of its own."""
        if id(node) not in self._shared:
            assert isinstance(node.operator, Meeting)
            shared = Flow("key", "value", "timestamp", "record", "key_bytes", None, node.operator.key, old="old")
            self._shared[id(node)] = code.function("shared", PARTS, lambda body: self._emit(node, body, shared))
        name, parts = self._shared[id(node)]
        code.line(f"{name}({', '.join(str(getattr(flow, part)) for part in parts)})")

    def _emit(self, node: Node, code: Code, flow: Flow) -> None:
        if (number := self._counted.get(id(node))) is not None:
            self._names.of_task["counted"] = _records_of_steps
            code.line(f"counted[{number}] += 1")
        node.operator.emit(code, flow, lambda place, result: self._children(node, place, result))


def _records_of_steps(task: "Task") -> object:
    return task.counters.operators and task.counters.operators.records


def _step_at(lines: Sequence[str], number: int) -> int | None:
    """The step that a line belongs to: that of the last count before it which is not further in.

    What stands before all counts of a function is the reading of a record, which belongs to its source.
    """
    depth = _depth(lines[number - 1])
    for line in reversed(lines[:number]):
        if (count := COUNT.fullmatch(line)) is not None and len(count[1]) <= depth:
            return int(count[2])
        if line.lstrip().startswith("def "):
            break
    return next((int(count[2]) for line in lines[number:] if (count := COUNT.fullmatch(line)) is not None), None)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
