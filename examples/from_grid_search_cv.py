"""A grid search of scikit-learn, line for line, and the ensemble of what it trained.

As it was, with skorch::

    net = NeuralNetClassifier(Net, max_epochs=12, optimizer=torch.optim.Adam)
    param_grid = {"lr": [0.003, 0.03], "module__hidden": [32, 64], "module__dropout": [0.0, 0.3]}
    search = GridSearchCV(net, param_grid, cv=3, scoring="accuracy", n_jobs=1)
"""

import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from torch import nn

import ripieno as rp


def net(config: rp.Config) -> nn.Module:
    """Return what was the module: its arguments are hyperparameters."""
    return nn.Sequential(
        nn.Linear(64, config.hidden),
        nn.ReLU(),
        nn.Dropout(config.dropout),
        nn.Linear(config.hidden, 10),
    )


def main() -> None:
    """Search the grid, and compare the best config with the ensemble of all."""
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0, stratify=y)

    param_grid = {"lr": [0.003, 0.03], "hidden": [32, 64], "dropout": [0.0, 0.3]}
    search = rp.TunedClassifier(
        net, param_grid=param_grid, cv=3, scoring="accuracy", epochs=12, n_jobs=1, random_state=0
    )
    pipeline = make_pipeline(MinMaxScaler(), search).fit(x_train, y_train)

    results = pd.DataFrame(search.cv_results_).sort_values("rank_test_score")
    columns = ["param_lr", "param_hidden", "param_dropout", "mean_test_score", "std_test_score"]
    print(results[columns].head(4).to_string(index=False))
    print("best:", search.best_params_, f"{search.best_score_:.4f} over three folds")

    scaled = pipeline[:-1].transform(x_test)
    alone = search.best_estimator_.score(scaled, y_test)
    print(f"test accuracy: {alone['accuracy']:.4f} of the best config,", end=" ")
    print(f"{pipeline.score(x_test, y_test):.4f} of the ensemble: {search.ensemble_!r}")


if __name__ == "__main__":
    main()
