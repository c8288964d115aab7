"""The ways to data from tables and datasets that are not files."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ripieno.recipes.grouping import Dividing
from ripieno.recipes.reading import Reading
from ripieno.recipes.tables import NumericTransform

if TYPE_CHECKING:
    import pandas as pd
    from torch.utils.data import Dataset

    from ripieno.recipes.data import Data

__all__ = ["Sources"]


class Sources:
    """Constructors of :class:`~ripieno.recipes.Data`, which inherits them."""

    __slots__ = ()

    @staticmethod
    def from_frame(
        frame: "pd.DataFrame",
        *,
        target: str | Sequence[str] | None = None,
        groups: str | None = None,
        time: str | None = None,
        drop: str | Sequence[str] = (),
        categorical: str | Sequence[str] = (),
        numeric: NumericTransform = "quantile",
        validation_share: float = 0.2,
        test_share: float = 0.2,
        folds: int = 1,
        seed: int = 0,
        name: str = "table",
        task: str | None = None,
        scale_targets: bool = True,
    ) -> "Data":
        """Split and encode a pandas table; see :func:`~ripieno.recipes.load` for what is said.

        Args:
            frame: One row an example; numbers, booleans and categories, with gaps. Left
                unchanged.
            target: The column to predict, or several.
            groups: A column; rows with equal values stay in one part.
            time: A column; the latest rows are the validation and the test part.
            drop: Columns that are not read.
            categorical: Columns that hold categories, whatever they look like.
            numeric: How numeric columns are scaled.
            validation_share: Share of the rows for the validation part.
            test_share: Share of the rows for the test part; 0 for none.
            folds: Into which the search part is divided; see ``Data.from_arrays``.
            seed: Of the split.
            name: What a record of the study calls the data.
            task: The task; read off the targets where absent, see ``Data.from_arrays``.
            scale_targets: Whether a regression is trained on standardised targets.

        Raises:
            DataError: A column is missing, or cannot be what it is said to be.
        """
        # Not at the top: the loaders make data, and data are made of this class.
        from ripieno.recipes.loaders import from_frame

        reading = Reading(
            target=target,
            groups=groups,
            time=time,
            drop=drop,
            categorical=categorical,
            numeric=numeric,
            task=task,
            scale_targets=scale_targets,
        )
        shares = (validation_share, test_share)
        return from_frame(
            frame, reading, shares=shares, folds=folds, seed=seed, name=name, where=name
        )

    @staticmethod
    def from_dataset(
        dataset: "Dataset[Any]",
        *,
        test: "Dataset[Any] | None" = None,
        targets: Any = None,
        groups: Any = None,
        time: Any = None,
        in_memory: bool | None = None,
        standardize: bool = True,
        loader_workers: int = 0,
        validation_share: float = 0.2,
        test_share: float = 0.2,
        folds: int = 1,
        seed: int = 0,
        name: str = "dataset",
        task: str | None = None,
        scale_targets: bool = True,
    ) -> "Data":
        """Split a torch ``Dataset``, and read it now or batch by batch.

        A streamed dataset is read through a ``DataLoader`` in an order that is a function of
        seed and epoch; all models see the same order, so that they can share the batches.
        Means and deviations are then those of 10,000 training rows.

        Args:
            dataset: Map-style; items are ``(features, target)``.
            test: A given test part.
            targets: One target an item; where absent, what the dataset calls ``targets`` or
                ``labels``, else every item is read once to learn them.
            groups: One value an item; items with equal values stay in one part.
            time: One number or date an item; the latest are validation and test part.
            in_memory: Whether everything is read now; None reads up to two gigabytes.
            standardize: Whether features get mean 0 and deviation 1, or stay as they are.
            loader_workers: Processes that read ahead, for each process that trains.
            validation_share: Share of the items for the validation part.
            test_share: Share of the items for the test part; 0 for none.
            folds: Into which the search part is divided, of a dataset that is read now.
            seed: Of the split, with the labels.
            name: What a record of the study calls the data.
            task: The task; read off the targets where absent, see ``Data.from_arrays``.
            scale_targets: Whether a regression is trained on standardised targets.

        Raises:
            DataError: The dataset cannot be read or trained on.
        """
        from ripieno.recipes.loaders import from_datasets

        return from_datasets(
            [dataset] if test is None else [dataset, test],
            targets=targets,
            in_memory=in_memory,
            workers=loader_workers,
            by=Dividing.of(groups, time),
            shares=(validation_share, test_share),
            folds=folds,
            seed=seed,
            name=name,
            standardize=standardize,
            task=task,
            scale_targets=scale_targets,
        )
