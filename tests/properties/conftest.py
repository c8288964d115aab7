"""Two ways to run the properties: the same examples every time, or a search for new ones.

``pytest tests/properties --hypothesis-profile search`` looks for longer and elsewhere.
"""

from hypothesis import HealthCheck, settings

# Timing is never asserted, and a busy machine is slow for no fault of the code.
settings.register_profile(
    "always", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "search", settings.get_profile("always"), derandomize=False, max_examples=3_000
)
settings.load_profile("always")
