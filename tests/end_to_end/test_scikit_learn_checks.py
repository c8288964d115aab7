"""Both estimators keep what scikit-learn asks of every estimator."""

from sklearn.utils.estimator_checks import parametrize_with_checks

import ripieno as rp

# Small enough for dozens of fits, and good enough for the checks that ask for accuracy.
SPACE = rp.Space(
    lr=rp.Float(0.02, 0.04, log=True),
    depth=rp.Constant(1),
    width=rp.Constant(16),
    dropout=rp.Constant(0.0),
    batch_size=rp.Constant(16),
)
CHEAP = {"space": SPACE, "trials": 2, "epochs": 6, "scheduler": "full", "random_state": 0}


# No check is expected to fail.
@parametrize_with_checks([rp.TunedClassifier(**CHEAP), rp.TunedRegressor(**CHEAP, refit=False)])
def test_an_estimator_of_scikit_learn(estimator, check):
    check(estimator)
