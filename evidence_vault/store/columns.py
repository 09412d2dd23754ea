"""Column types and the base of all models: what both engines store alike."""

from datetime import UTC, datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Dialect, Integer, MetaData, Table, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

BIG_ID = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit number that SQLite too counts up by itself."""

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name, so that migrations can speak of it."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite forgets the zone, so it is added again. Naive ones are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store as UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an aware datetime is needed")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return as aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of all models; `Base.metadata` is the whole schema."""

    metadata = MetaData(naming_convention=NAMING)


def length_check(column: str, length: int) -> CheckConstraint:
    """Return the constraint that `column`, bytes, has exactly this length (or is null)."""
    return CheckConstraint(f"length({column}) = {length}", name=f"{column}_length")


def table(model: type[Base]) -> Table:
    """Return the model's table. Inserting into it skips the object-relational layer: half the time a row."""
    found = model.__table__
    assert isinstance(found, Table)
    return found
