import pytest

from anchors.values import as_dict, field, replace, value


@value
class Point:
    x: int
    y: int = 2
    seen: list[int] = field(default_factory=list)


@value
class Other:
    x: int
    y: int = 2
    seen: list[int] = field(default_factory=list)


@value(kw_only=False)
class Pair:
    left: int
    right: int = 0


@value
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError(self.number)

    @property
    def half(self) -> int:
        return self.number // 2


def test_value_takes_defaults_and_makes_each_anew() -> None:
    one, another = Point(x=1), Point(x=1)

    assert (one.x, one.y, one.seen) == (1, 2, [])
    assert one.seen is not another.seen
    assert one == another


def test_value_with_equal_fields_of_another_class_is_unequal() -> None:
    one: object = Point(x=1)

    assert one != Other(x=1)
    assert one != 1
    assert Pair(1, 2) == Pair(1, right=2)
    assert hash(Pair(1, 2)) == hash(Pair(left=1, right=2))
    assert Pair(1, 2) != Pair(2, 1)


def test_value_refuses_every_change() -> None:
    one = Point(x=1)

    with pytest.raises(AttributeError, match="x never changes"):
        one.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="x never changes"):
        del one.x
    with pytest.raises(AttributeError, match="z never changes"):
        one.z = 1  # type: ignore[attr-defined]
    assert not hasattr(one, "__dict__")


@pytest.mark.parametrize("given", [{}, {"y": 1}, {"x": 1, "z": 2}])
def test_value_refuses_missing_and_unknown_fields(given: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="missing or unknown"):
        Point(**given)  # type: ignore[arg-type]


def test_value_takes_positions_only_where_declared() -> None:
    with pytest.raises(TypeError, match="by name"):
        Point(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="each field once"):
        Pair(1, 2, 3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="each field once"):
        Pair(1, left=2)  # type: ignore[misc]


def test_value_checks_itself_when_it_was_filled() -> None:
    assert Even(number=4).half == 2
    with pytest.raises(ValueError, match="3"):
        Even(number=3)
    with pytest.raises(ValueError, match="5"):
        replace(Even(number=4), number=5)


def test_replace_changes_only_what_is_named() -> None:
    one = Point(x=1, y=5)

    assert replace(one, x=3) == Point(x=3, y=5)
    assert one.x == 1
    with pytest.raises(TypeError, match="missing or unknown"):
        replace(one, z=3)


def test_value_shows_and_lists_its_fields_in_order() -> None:
    assert repr(Pair(1, 2)) == "Pair(left=1, right=2)"
    assert as_dict(Pair(1, 2)) == {"left": 1, "right": 2}
