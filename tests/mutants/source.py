"""The mutants of a source file: one small change each, made by mutmut's operators on the whole module.

mutmut's own runner knows a module by one name only, and these are both `ansible_collections.ibops.gateway…` and, on the
VM, `gateway`; it also passes over tables at module level, which here are the rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.mutators import mutation_operators


@dataclass(frozen=True)
class Mutant:
    """A change of a module; *name* is the function and the change, which stays the same when other lines move."""

    name: str
    line: int
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
    for scope, before, line, span, old, new in sorted(finder.changes, key=lambda change: change[2]):
        name = f"{scope}: {before} => {_shown(new)}"
        names[name] = names.get(name, 0) + 1
        unique = name if names[name] == 1 else f"{name} #{names[name]}"
        found.append(Mutant(unique, line, wrapper.module, code, span, old, new))
    return found


def _shown(node: cst.CSTNode) -> str:
    text = " ".join(cst.Module([]).code_for_node(node).split())
    return text if len(text) <= 160 else f"{text[:157]}..."


class _Finder(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider, ByteSpanPositionProvider, ParentNodeProvider)

    def __init__(self) -> None:
        super().__init__()
        self.scope: list[str] = []
        self.changes: list[tuple[str, str, int, tuple[int, int], cst.CSTNode, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self.scope.append(node.name.value)
        if isinstance(node, cst.Annotation | cst.Import | cst.ImportFrom | cst.Decorator) or self._is_prose(node):
            return False
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                # The first of a text's three variants: that it is another one is what counts.
                made = list(operator(node))[: 1 if kind is cst.BaseString else None]
                self.changes += [(".".join(self.scope) or "module", *self._place(node), node, new) for new in made]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self.scope.pop()

    def _place(self, node: cst.CSTNode) -> tuple[str, int, tuple[int, int]]:
        shown: cst.CSTNode = node
        # An operator alone says nothing: show what it stands in.
        while not isinstance(shown, cst.BaseExpression | cst.BaseStatement | cst.BaseSmallStatement | cst.Arg):
            shown = self.get_metadata(ParentNodeProvider, shown)
        span = self.get_metadata(ByteSpanPositionProvider, node)
        return _shown(shown), self.get_metadata(PositionProvider, node).start.line, (span.start, span.length)

    def _is_prose(self, node: cst.CSTNode) -> bool:
        """Sentences for people, which tests do not repeat, and docstrings: changing one changes no behaviour."""
        if isinstance(node, cst.Expr):
            return isinstance(node.value, cst.SimpleString | cst.ConcatenatedString)
        return isinstance(node, cst.SimpleString) and node.value.count(" ") > 2 and "\\" not in node.value
