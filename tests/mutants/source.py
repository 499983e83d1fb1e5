"""The mutants of a source file: one small change each, made by mutmut's operators on the whole module.

mutmut's own runner knows a module by one name only, and these are both `ansible_collections.ibops.gateway…` and, on the
VM, `gateway`; it also passes over tables at module level, which here are the rules.

Everything is mutated but imports, annotations, casts, decorators, docstrings, the encoding of a file, and prose. Prose
is a text with more than two blanks, with what is put into it: a sentence for a person, which tests do not repeat. The
marks of the log are sentences, too, but matched, not shown: they are mutated. The texts of a table of problems are
prose however short.
"""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_arg_removal, operator_assignment

BLANKS_OF_PROSE = 3


@dataclass(frozen=True)
class Mutant:
    """A change of a module; *name* is the function and the change, which stays the same when other lines move.

    *body* is the qualified name of the function in whose body it is; empty: what runs when the module is imported.
    """

    name: str
    line: int
    body: str
    module: cst.Module
    text: str
    span: tuple[int, int]
    old: cst.CSTNode
    new: cst.CSTNode

    def code(self) -> str:
        """The text of the changed module."""
        if isinstance(self.old, cst.BaseCompoundStatement):
            return cst.ensure_type(self.module.deep_replace(self.old, self.new), cst.Module).code
        text, (start, length) = self.text.encode(), self.span
        return (text[:start] + self.module.code_for_node(self.new).encode() + text[start + length :]).decode()


def mutants(code: str) -> list[Mutant]:
    """Return every mutant of *code*, in the order of its lines."""
    wrapper = MetadataWrapper(cst.parse_module(code))
    finder = _Finder()
    wrapper.visit(finder)
    names: dict[str, int] = {}
    found = []
    for scope, body, before, line, span, old, new in sorted(finder.changes, key=lambda change: change[3]):
        name = f"{scope}: {before} => {_shown(new)}"
        names[name] = names.get(name, 0) + 1
        unique = name if names[name] == 1 else f"{name} #{names[name]}"
        found.append(Mutant(unique, line, body, wrapper.module, code, span, old, new))
    return found


def _shown(node: cst.CSTNode) -> str:
    text = " ".join(cst.Module([]).code_for_node(node).split())
    return text if len(text) <= 160 else f"{text[:157]}..."


def _is_prose(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.SimpleString):
        return node.value.count(" ") >= BLANKS_OF_PROSE and "\\" not in node.value
    if isinstance(node, cst.FormattedString):
        parts = [each.value for each in node.parts if isinstance(each, cst.FormattedStringText)]
        return "".join(parts).count(" ") >= BLANKS_OF_PROSE
    return isinstance(node, cst.ConcatenatedString) and (_is_prose(node.left) or _is_prose(node.right))


def _is_encoding(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Arg) and node.keyword is not None and node.keyword.value == "encoding"


def _takes_prose(old: cst.CSTNode, new: cst.CSTNode) -> bool:
    """Whether all that *new* lacks of *old*, a call or an assignment, is prose or an encoding."""
    if isinstance(old, cst.Call) and isinstance(new, cst.Call):
        kept = [each.value for each in new.args]
        taken = [each for each in old.args if not any(each.value is other for other in kept)]
        return bool(taken) and all(_is_prose(each.value) or _is_encoding(each) for each in taken)
    return isinstance(old, cst.Assign | cst.AnnAssign) and old.value is not None and _is_prose(old.value)


class _Finder(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider, ByteSpanPositionProvider, ParentNodeProvider)

    def __init__(self) -> None:
        super().__init__()
        self.scope: list[str] = []
        # Of functions within functions the outermost; none while its parameters are visited.
        self.body = ""
        self.bodies = 0
        self.marks = 0
        self.tables = 0
        self.changes: list[tuple[str, str, str, int, tuple[int, int], cst.CSTNode, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self.scope.append(node.name.value)
        if self._is_mark(node):
            self.marks += 1
        if self._is_table(node):
            self.tables += 1
        if self._is_body(node):
            self.bodies += 1
            self.body = self.body or ".".join(self.scope)
        if self._is_passed_over(node):
            return False
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                # The first of a text's three variants: that it is another one is what counts.
                made = list(operator(node))[: 1 if kind is cst.BaseString else None]
                if operator in (operator_arg_removal, operator_assignment):
                    made = [new for new in made if not _takes_prose(node, new)]
                scope = ".".join(self.scope) or "module"
                self.changes += [(scope, self.body, *self._place(node), node, new) for new in made]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self.scope.pop()
        if self._is_mark(original_node):
            self.marks -= 1
        if self._is_table(original_node):
            self.tables -= 1
        if self._is_body(original_node):
            self.bodies -= 1
            self.body = self.body if self.bodies else ""

    def _is_body(self, node: cst.CSTNode) -> bool:
        return isinstance(node, cst.IndentedBlock) and isinstance(
            self.get_metadata(ParentNodeProvider, node), cst.FunctionDef
        )

    def _is_mark(self, node: cst.CSTNode) -> bool:
        return isinstance(node, cst.Arg) and node.keyword is not None and node.keyword.value == "marks"

    def _is_table(self, node: cst.CSTNode) -> bool:
        return isinstance(node, cst.Call) and _shown(node.func) == "table"

    def _is_passed_over(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Annotation | cst.Import | cst.ImportFrom | cst.Decorator) or _is_encoding(node):
            return True
        if isinstance(node, cst.Expr):
            return isinstance(node.value, cst.SimpleString | cst.ConcatenatedString)
        if isinstance(node, cst.Call):
            return _shown(node.func) in ("cast", "t.cast")
        if self.tables and isinstance(node, cst.Tuple):
            return True
        return not self.marks and _is_prose(node)

    def _place(self, node: cst.CSTNode) -> tuple[str, int, tuple[int, int]]:
        shown: cst.CSTNode = node
        # An operator alone says nothing: show what it stands in.
        while not isinstance(shown, cst.BaseExpression | cst.BaseStatement | cst.BaseSmallStatement | cst.Arg):
            shown = self.get_metadata(ParentNodeProvider, shown)
        span = self.get_metadata(ByteSpanPositionProvider, node)
        return _shown(shown), self.get_metadata(PositionProvider, node).start.line, (span.start, span.length)
