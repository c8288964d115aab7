"""What may be chosen: domains, conditions, constraints, and the map to the unit cube."""

from ripieno.space.config import Config, Value
from ripieno.space.constraints import Constraint
from ripieno.space.domains import Categorical, Condition, Constant, Domain, Float, Int
from ripieno.space.space import Space

__all__ = [
    "Categorical",
    "Condition",
    "Config",
    "Constant",
    "Constraint",
    "Domain",
    "Float",
    "Int",
    "Space",
    "Value",
]
