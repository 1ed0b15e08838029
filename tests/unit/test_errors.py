"""The error tree: one root, documented families, attributes that survive copying."""

from __future__ import annotations

import pickle

import pytest

from dbadapter import errors

FAMILIES = {
    errors.QueryError: (
        errors.SQLSyntaxError,
        errors.UndefinedTable,
        errors.UndefinedColumn,
        errors.ParameterError,
        errors.DataError,
        errors.ReadOnlyViolation,
        errors.StatementTimeout,
        errors.IntegrityError,
        errors.RetryableError,
    ),
    errors.IntegrityError: (
        errors.UniqueViolation,
        errors.ForeignKeyViolation,
        errors.NotNullViolation,
        errors.CheckViolation,
    ),
    errors.RetryableError: (errors.SerializationFailure, errors.DeadlockDetected, errors.DatabaseBusy),
    errors.SwitchError: (errors.SwitchAborted, errors.SwitchInProgress),
    errors.TransferError: (errors.RejectedRows, errors.VerificationFailed),
    errors.VectorError: (
        errors.CollectionNotFound,
        errors.CollectionExists,
        errors.DimensionMismatch,
        errors.InvalidFilter,
        errors.DuplicateID,
    ),
    TimeoutError: (errors.PoolExhausted,),
    errors.DatabaseAdapterError: (
        errors.ConfigError,
        errors.DatabaseUnavailable,
        errors.PoolExhausted,
        errors.PoolClosed,
        errors.QueryError,
        errors.OutcomeUnknown,
        errors.SwitchError,
        errors.TransferError,
        errors.VectorError,
    ),
}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_families(family: type[Exception]) -> None:
    """Every class stands under its documented parent."""
    assert [kind for kind in FAMILIES[family] if not issubclass(kind, family)] == []


def test_everything_public_has_one_root() -> None:
    """`except DatabaseAdapterError` catches every name of the module."""
    kinds = [getattr(errors, name) for name in errors.__all__]
    assert [kind for kind in kinds if not issubclass(kind, errors.DatabaseAdapterError)] == []


@pytest.mark.parametrize(
    "error",
    [
        errors.UniqueViolation(
            "no", statement="INSERT", sqlstate="23505", table="t", columns=["a", "b"], constraint="t_a_b_key"
        ),
        errors.PoolExhausted("none", stats={"max": 1}, holders=[{"thread": "a"}]),
        errors.SwitchAborted("unreachable"),
        errors.DataError("no", statement="SELECT 1", sqlstate="22000"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_pickling(error: errors.DatabaseAdapterError) -> None:
    """A worker process can send an error home with its attributes."""
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
