"""What a value is here: an immutable object with slots and named fields, equal to another with equal fields.

`@value` gives a class what `@dataclass(frozen=True, slots=True, kw_only=True)` would, and tells type checkers so
(PEP 681). It exists because of what that costs a short-lived process: on Python 3.11 `dataclasses` compiles six
functions from text for each class at import and brings `inspect`, `ast` and `dis` along, together a third of a cold
`verify`. Here every method is a closure over the names of the fields.

Left out on purpose: inheritance between values, `ClassVar`, `InitVar`, ordering.
"""

from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform, overload

_T = TypeVar("_T")


class _Factory:
    """Stands in the class body for a default that is made anew for every value."""

    def __init__(self, make: Callable[[], object]) -> None:
        self.make = make


def field(*, default_factory: Callable[[], _T]) -> _T:
    """A field whose default is whatever `default_factory` returns, asked anew for each value."""
    return _Factory(default_factory)  # type: ignore[return-value]  # the class body is read once, by `value`


@overload
def value(plain: type[_T]) -> type[_T]: ...
@overload
def value(*, kw_only: bool) -> Callable[[type[_T]], type[_T]]: ...
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def value(plain: type[_T] | None = None, *, kw_only: bool = True) -> Any:
    """Make a class a value. With `kw_only=False` its fields may be given by position too.

    The class's own `__post_init__` runs when all fields are set, to refuse what makes no sense together.
    """
    return _make(plain, kw_only) if plain is not None else lambda each: _make(each, kw_only)


def replace(old: _T, **changes: Any) -> _T:
    """Return a value like `old` with some fields changed; raise TypeError for a field it doesn't have."""
    return type(old)(**{**as_dict(old), **changes})


def as_dict(one: Any) -> dict[str, Any]:
    """Return the fields of a value by name, in their order; values inside stay values."""
    return {name: getattr(one, name) for name in one.__match_args__}


def _make(plain: type, kw_only: bool) -> type:
    body = dict(plain.__dict__)
    names: tuple[str, ...] = tuple(body.get("__annotations__", ()))
    defaults = {name: body.pop(name) for name in names if name in body}
    body.pop("__dict__", None)
    body.pop("__weakref__", None)
    given = {"__slots__": names, "__match_args__": names, "__qualname__": plain.__qualname__}
    made = type(plain)(plain.__name__, plain.__bases__, {**_methods(names), **body, **given})
    made.__init__ = _initialiser(made, names, defaults, kw_only)  # type: ignore[misc]
    return made


def _initialiser(
    made: type, names: tuple[str, ...], defaults: dict[str, Any], kw_only: bool
) -> Callable[..., None]:
    setters = tuple((name, made.__dict__[name].__set__) for name in names)  # past __setattr__, which refuses
    known = frozenset(names)
    factories = {name: default.make for name, default in defaults.items() if isinstance(default, _Factory)}
    constants = {name: default for name, default in defaults.items() if name not in factories}
    finish = getattr(made, "__post_init__", None)

    def __init__(self: Any, *by_position: Any, **by_name: Any) -> None:  # noqa: N807  # it becomes that method
        if by_position:
            if kw_only or len(by_position) > len(names) or by_name.keys() & set(names[: len(by_position)]):
                raise TypeError(f"{made.__qualname__}: each field once{', by name' if kw_only else ''}")
            by_name.update(zip(names, by_position, strict=False))
        if by_name.keys() != known:
            by_name = {**constants, **{name: make() for name, make in factories.items()}, **by_name}
            if by_name.keys() != known:
                raise TypeError(f"{made.__qualname__}: missing or unknown: {sorted(by_name.keys() ^ known)}")
        for name, put in setters:
            put(self, by_name[name])
        if finish is not None:
            finish(self)

    return __init__


def _methods(names: tuple[str, ...]) -> dict[str, Any]:
    def equal(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def digest(self: Any) -> int:
        return hash(tuple(getattr(self, name) for name in names))

    def text(self: Any) -> str:
        return (
            f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"
        )

    def refuse(self: Any, name: str, *_: object) -> None:
        raise AttributeError(f"{self.__class__.__qualname__} is a value: {name} never changes")

    return {
        "__eq__": equal,
        "__hash__": digest,
        "__repr__": text,
        "__setattr__": refuse,
        "__delattr__": refuse,
    }
